"""Leave-one-out and cumulative pooling: the same estimate, from other sets of studies."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bayesmeta.effects import Correction, get_measure
from bayesmeta.errors import ModelError, NotEstimableError
from bayesmeta.frequentist.independent import PooledBatch, independent_effects, pool_batch
from bayesmeta.scales import FloatArray
from bayesmeta.studies import StudyTable
from bayesmeta.studies.refusal import did_you_mean

_NUMBERS = ("estimate", "se", "ci_low", "ci_high", "p_value", "tau2", "i2", "q", "q_p")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Refits:
    """Pooled effects of several sets of the same studies, analysis scale; nan is undefined.

    Attributes
    ----------
    kind : str
        "leave one out" or "cumulative".
    measure, method : str
        Effect measure; "EE" or estimator of tau2.
    study : tuple of str
        The study left out, or added.
    k : (set,)
        Studies pooled.
    estimate, se, ci_low, ci_high, p_value, tau2, i2, q, q_p : (set,)
        As in a row of `pool`.
    level : float
        Coverage of the intervals.
    notes : tuple of str
        What should be known.
    """

    kind: str
    measure: str
    method: str
    study: tuple[str, ...]
    k: FloatArray
    estimate: FloatArray
    se: FloatArray
    ci_low: FloatArray
    ci_high: FloatArray
    p_value: FloatArray
    tau2: FloatArray
    i2: FloatArray
    q: FloatArray
    q_p: FloatArray
    level: float
    notes: tuple[str, ...]

    def to_frame(self) -> pd.DataFrame:
        """Give a tidy frame, one row per set: analysis scale, the natural one beside it."""
        scale = get_measure(self.measure).scale
        frame = pd.DataFrame({"study": self.study, "k": self.k.astype(int), "scale": scale.name})
        for name in _NUMBERS:
            frame[name] = getattr(self, name)
        frame["natural_scale"] = self.measure
        for name in ("estimate", "ci_low", "ci_high"):
            frame[f"natural_{name}"] = scale.to_natural(getattr(self, name))
        return frame


def all_but_one(values: FloatArray) -> FloatArray:
    """Give (study, study - 1): row i lacks study i.

    Examples
    --------
    >>> all_but_one(np.array([1.0, 2.0, 3.0])).tolist()
    [[2.0, 3.0], [1.0, 3.0], [1.0, 2.0]]
    """
    k = len(values)
    others = np.arange(k - 1)
    return values[others + (others >= np.arange(k)[:, None])]


def leave_one_out(
    studies: StudyTable,
    measure: str,
    *,
    method: str = "REML",
    level: float = 0.95,
    correction: Correction = "only0",
) -> Refits:
    """Pool again without each study in turn.

    Parameters
    ----------
    studies : StudyTable
        One comparison and one outcome.
    measure : str
        Effect measure, a key of `MEASURES`.
    method : str
        "EE" for the common effect, or an estimator of tau2, a key of `TAU2`.
    level : float
        Coverage of the Wald intervals, in (0.5, 1).
    correction : {"only0", "all", "none"}
        Where 1/2 is added to the cells of 2x2 tables.

    Returns
    -------
    Refits
        In the order of the table.

    Raises
    ------
    ModelError
        Unknown measure or method, or a level that is not a coverage.
    NotEstimableError
        One study only; or the search for tau2 did not converge.

    References
    ----------
    Viechtbauer and Cheung (2010), Research Synthesis Methods 1:112.

    Examples
    --------
    >>> from bayesmeta.studies import load
    >>> leave_one_out(load("bcg"), "OR").estimate[:2].round(4).tolist()
    [-0.7368, -0.6816]
    """
    effects = independent_effects(studies, measure, correction=correction)
    k = len(effects.y)
    if k < 2:
        raise NotEstimableError("Leave-one-out needs two studies.")
    pooled = pool_batch(all_but_one(effects.y), all_but_one(effects.v), method=method, level=level)
    return Refits(
        kind="leave one out",
        measure=measure,
        method=method,
        study=effects.study,
        k=np.full(k, k - 1.0),
        level=level,
        notes=effects.notes,
        **{name: getattr(pooled, name) for name in _NUMBERS},
    )


def cumulative(
    studies: StudyTable,
    measure: str,
    *,
    order: str | Sequence[float] | None = None,
    method: str = "REML",
    level: float = 0.95,
    correction: Correction = "only0",
) -> Refits:
    """Pool the first study, the first two, and so on.

    Repeated looks at growing data find something sooner or later: the intervals hold for each step
    by itself.

    Parameters
    ----------
    studies : StudyTable
        One comparison and one outcome.
    measure : str
        Effect measure, a key of `MEASURES`.
    order : str or sequence of float, optional
        A column of the table, such as the year, or one number per study, by which studies are
        added, smallest first; ties in the order of the table. Not given, that order.
    method, level, correction
        As for `leave_one_out`.

    Returns
    -------
    Refits
        In the order in which studies were added.

    Raises
    ------
    ModelError
        Unknown measure, method or column; an order with missing or too few numbers.
    NotEstimableError
        The search for tau2 did not converge.

    References
    ----------
    Lau, Antman, Jimenez-Silva, Kupelnick, Mosteller and Chalmers (1992), NEJM 327:248.

    Examples
    --------
    >>> from bayesmeta.studies import load
    >>> cumulative(load("bcg"), "OR").estimate[:2].round(4).tolist()
    [-0.9387, -1.3983]
    """
    effects = independent_effects(studies, measure, correction=correction)
    place = _places(studies, effects.study, order)
    y, v = effects.y[place], effects.v[place]
    sets = [  # sets of different sizes: each is a problem of its own
        pool_batch(y[:size], v[:size], method=method, level=level) for size in range(1, len(y) + 1)
    ]
    return Refits(
        kind="cumulative",
        measure=measure,
        method=method,
        study=tuple(effects.study[i] for i in place),
        k=np.arange(1.0, len(y) + 1),
        level=level,
        notes=effects.notes,
        **{name: _column(sets, name) for name in _NUMBERS},
    )


def _column(sets: Sequence[PooledBatch], name: str) -> FloatArray:
    return np.array([float(getattr(pooled, name)) for pooled in sets])


def _places(
    studies: StudyTable, labels: tuple[str, ...], order: str | Sequence[float] | None
) -> list[int]:
    if order is None:
        return list(range(len(labels)))
    if isinstance(order, str):
        if order not in studies.covariates:
            raise ModelError(
                f"{studies.source} has no column {order!r} to order the studies by. "
                f"{did_you_mean(order, studies.covariates)}"
            )
        column = studies.frame.drop_duplicates("study").set_index("study")[order]
        by = pd.to_numeric(column.reindex(list(labels)), errors="coerce").to_numpy(dtype=float)
    else:
        by = np.asarray(order, dtype=float)
    if by.shape != (len(labels),) or not np.isfinite(by).all():
        raise ModelError(
            f"The order needs one number for each of the {len(labels)} studies; it has "
            f"{int(np.isfinite(by).sum())}."
        )
    return list(np.argsort(by, kind="stable").tolist())
