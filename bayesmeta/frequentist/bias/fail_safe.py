"""Fail-safe N: how many null results would undo a finding. Known to mislead; see `fail_safe_n`."""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import ndtri

from bayesmeta.effects import Correction
from bayesmeta.errors import ModelError, NotEstimableError
from bayesmeta.frequentist.independent import independent_effects
from bayesmeta.scales import FloatArray
from bayesmeta.studies import StudyTable


@dataclass(frozen=True, slots=True, kw_only=True)
class FailSafeRow:
    """One fail-safe N.

    Attributes
    ----------
    method, label : str
        "rosenthal", "orwin" or "rosenberg", and what is undone.
    n : int or None
        Null results needed, rounded up; 0 where nothing is to be undone; None where undefined.
    exact : float
        The same before rounding.
    notes : tuple of str
        Why it is undefined.
    """

    method: str
    label: str
    n: int | None
    exact: float
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FailSafeN:
    """Fail-safe numbers of one set of studies.

    Attributes
    ----------
    rows : tuple of FailSafeRow
        One per method.
    measure : str
        Effect measure.
    k : int
        Studies.
    alpha, target : float
        Level of the tests; mean effect that Orwin's number would leave, analysis scale.
    notes : tuple of str
        What should be known.
    """

    rows: tuple[FailSafeRow, ...]
    measure: str
    k: int
    alpha: float
    target: float
    notes: tuple[str, ...]

    def __getitem__(self, method: str) -> FailSafeRow:
        for row in self.rows:
            if row.method == method:
                return row
        raise KeyError(f"{method!r}; there are {', '.join(row.method for row in self.rows)}")

    def to_frame(self) -> pd.DataFrame:
        """Give a tidy frame, one row per method."""
        rows = [
            {"method": row.method, "label": row.label, "n": row.n, "exact": row.exact,
             "notes": "; ".join(row.notes)}
            for row in self.rows
        ]  # fmt: skip
        frame = pd.DataFrame(rows)
        frame["n"] = frame["n"].astype("Int64")
        frame.insert(0, "measure", self.measure)
        return frame


def fail_safe_n(
    studies: StudyTable,
    measure: str,
    *,
    alpha: float = 0.05,
    target: float | None = None,
    correction: Correction = "only0",
) -> FailSafeN:
    """Count the null results that would undo a finding, by Rosenthal, Orwin and Rosenberg.

    Given because papers print it, not because it should be relied on. It takes the missing studies
    to be null on average, where suppressed ones would rather point the other way; it is about
    significance, not about the size of the effect; it ignores heterogeneity; its versions differ
    by orders of magnitude; and there is no test of whether it is large. Becker (2005) advises to
    abandon it, and so does the Cochrane Handbook (chapter 13).

    Parameters
    ----------
    studies : StudyTable
        One comparison and one outcome.
    measure : str
        Effect measure, a key of `MEASURES`.
    alpha : float
        Level of the tests, in (0, 0.5): one-sided for Rosenthal, two-sided for Rosenberg.
    target : float, optional
        Mean effect, analysis scale, that Orwin's number leaves; half the observed one if not given.
    correction : {"only0", "all", "none"}
        Where 1/2 is added to the cells of 2x2 tables.

    Returns
    -------
    FailSafeN

    Raises
    ------
    ModelError
        Unknown measure, or an alpha outside (0, 0.5).

    References
    ----------
    Becker (2005), in Rothstein, Sutton and Borenstein (eds), Publication Bias in Meta-Analysis,
    chapter 7.

    Examples
    --------
    >>> from bayesmeta.studies import load
    >>> [(row.method, row.n) for row in fail_safe_n(load("bcg"), "RR").rows]
    [('rosenthal', 598), ('orwin', 13), ('rosenberg', 370)]
    """
    if not 0.0 < alpha < 0.5:
        raise ModelError(f"alpha = {alpha} is not an error rate between 0 and 0.5, such as 0.05.")
    effects = independent_effects(studies, measure, correction=correction)
    y, v = effects.y, effects.v
    aim = float(y.mean()) / 2 if target is None else float(target)
    rosenthal = rosenthal_n(y, v, alpha=alpha)
    rosenberg = rosenberg_n(y, v, alpha=alpha)
    rows = (
        _row("rosenthal", f"Rosenthal: summed z, one-sided p = {alpha:g}", rosenthal),
        _orwin_row(y, aim, effects.measure.analysis_label),
        _row("rosenberg", f"Rosenberg: common effect, two-sided p = {alpha:g}", rosenberg),
    )
    return FailSafeN(
        rows=rows, measure=measure, k=len(y), alpha=alpha, target=aim, notes=effects.notes
    )


def rosenthal_n(y: FloatArray, v: FloatArray, *, alpha: float) -> float:
    """Count the studies with z = 0 that bring the sum of z over sqrt(k) to its critical value.

    Parameters
    ----------
    y, v : (study,)
        Effects and sampling variances.
    alpha : float
        One-sided level.

    Returns
    -------
    float
        Not rounded; 0 where the sum is not significant.

    References
    ----------
    Rosenthal (1979), Psychological Bulletin 86:638.

    Examples
    --------
    >>> round(rosenthal_n(np.full(4, 2.0), np.ones(4), alpha=0.05), 4)
    19.6551
    """
    total = float((y / np.sqrt(v)).sum())
    return max(0.0, (total / float(ndtri(alpha))) ** 2 - len(y))


def orwin_n(y: FloatArray, *, target: float) -> float:
    """Count the studies with effect 0 that bring the plain mean effect to a target.

    Parameters
    ----------
    y : (study,)
        Effects.
    target : float
        Mean that is left, on the scale of `y`.

    Returns
    -------
    float
        Not rounded; 0 where the mean is no larger than the target.

    Raises
    ------
    NotEstimableError
        The target is 0, or on the other side of 0 than the mean.

    References
    ----------
    Orwin (1983), Journal of Educational Statistics 8:157.

    Examples
    --------
    >>> orwin_n(np.array([0.25, 0.75]), target=0.25)
    2.0
    """
    mean = float(y.mean())
    if target == 0.0 or mean / target < 0:
        raise NotEstimableError(
            f"null results bring a mean of {mean:.4g} never to {target:.4g}; "
            "give a target between it and 0"
        )
    return max(0.0, len(y) * (mean - target) / target)


def rosenberg_n(y: FloatArray, v: FloatArray, *, alpha: float) -> float:
    """Count the studies with effect 0 and average weight that make the common effect insignificant.

    Parameters
    ----------
    y, v : (study,)
        Effects and sampling variances.
    alpha : float
        Two-sided level.

    Returns
    -------
    float
        Not rounded; 0 where the common effect is not significant.

    References
    ----------
    Rosenberg (2005), Evolution 59:464, for a common effect.

    Examples
    --------
    >>> round(rosenberg_n(np.full(4, 2.0), np.ones(4), alpha=0.05), 4)
    12.6603
    """
    w = 1.0 / v
    needed = float((w * y).sum() / ndtri(alpha / 2)) ** 2  # total weight that is just enough
    return max(0.0, len(y) * (needed / float(w.sum()) - 1.0))


def _row(method: str, label: str, exact: float) -> FailSafeRow:
    whole = math.ceil(exact - 1e-9 * max(1.0, exact))  # 4 + 1e-15 is 4
    return FailSafeRow(method=method, label=label, n=whole, exact=exact)


def _orwin_row(y: FloatArray, target: float, effect: str) -> FailSafeRow:
    label = f"Orwin: mean {effect} of {target:.4g}"
    try:
        return _row("orwin", label, orwin_n(y, target=target))
    except NotEstimableError as error:
        return FailSafeRow(
            method="orwin", label=label, n=None, exact=float("nan"), notes=(str(error),)
        )
