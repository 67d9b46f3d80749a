"""Effects of other data than two-by-two tables: the rows, or a refusal that names them."""

from collections.abc import Sequence

import numpy as np

from bayesmeta.effects.measure import BoolArray, Correction, Effects, Measure
from bayesmeta.errors import Problem
from bayesmeta.scales import FloatArray
from bayesmeta.studies.refusal import refusal


def correct_zeros(zero: BoolArray, measure: Measure, correction: Correction) -> BoolArray:
    """Give the rows to which 1/2 is added, of those with a zero.

    Parameters
    ----------
    zero : (row,)
        Rows with a zero count.
    measure : Measure
        One that knows whether "only0" adds to zeros.
    correction : {"only0", "all", "none"}
        Zero rule.

    Returns
    -------
    (row,)
        Rows to add 1/2 to.
    """
    if correction == "all":
        return np.ones_like(zero)
    return zero if correction == "only0" and measure.zero_rule else np.zeros_like(zero)


def estimable_effects(
    study: Sequence[str],
    data: tuple[FloatArray, ...],
    measure: Measure,
    *,
    source: str,
    fix: str,
    correction: Correction = "none",
    corrected: BoolArray | None = None,
    added: str = "",
) -> Effects:
    """Compute effects, and refuse the studies that have none.

    Parameters
    ----------
    study : sequence of str
        Labels.
    data : tuple of (row,)
        What the formula of `measure` takes, corrected already.
    measure : Measure
        One with a formula.
    source : str
        Name of the table, for messages.
    fix : str
        What to do about a study without a finite effect.
    correction : {"only0", "all", "none"}
        Zero rule that was in force.
    corrected : (row,), optional
        Rows to which it added.
    added : str
        What it did to them, for the notes.

    Returns
    -------
    Effects
        On the analysis scale of `measure`.

    Raises
    ------
    StudyTableError
        Studies whose effect is infinite, not defined or without variance.
    """
    if measure.compute is None:
        raise TypeError(f"{measure.name} has no formula")
    if corrected is None:
        corrected = np.zeros(len(study), dtype=np.bool_)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        y, v = measure.compute(*data)
        loadings = None if measure.shared is None else measure.shared(*data)
    bad = ~(np.isfinite(y) & np.isfinite(v) & (v > 0))
    if bad.any():
        what = f"the {measure.analysis_label} of these data is not defined or has no variance"
        problems = [
            Problem(study=study[i], value=" ".join(f"{x[i]:g}" for x in data), what=what, fix=fix)
            for i in map(int, np.flatnonzero(bad))
        ]
        raise refusal(source, problems)
    names = [name for name, row in zip(study, corrected, strict=True) if row]
    counted = f"{len(names)} {'study' if len(names) == 1 else 'studies'}"
    told = "all studies" if correction == "all" else f"{counted} with a zero: {', '.join(names)}"
    return Effects(
        study=tuple(study),
        y=y,
        S=v,
        measure=measure,
        correction=correction,
        corrected=corrected,
        notes=(f"{added} of {told}",) if names else (),
        row_notes=tuple(added if row else "" for row in corrected),
        loadings=loadings,
    )
