"""Trim and fill: the studies that a symmetric funnel would have more, and what they change."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from bayesmeta.effects import Correction, get_measure
from bayesmeta.errors import ModelError, NotEstimableError
from bayesmeta.frequentist.independent import (
    COMMON,
    IndependentEffects,
    PooledBatch,
    independent_effects,
    pool_batch,
    require_method,
)
from bayesmeta.frequentist.least_squares import weighted_fit
from bayesmeta.frequentist.tau2 import TAU2
from bayesmeta.scales import FloatArray
from bayesmeta.studies import StudyTable
from bayesmeta.studies.refusal import did_you_mean

type Side = Literal["left", "right"]
type TrimFillEstimator = Literal["L0", "R0", "Q0"]

_ROUNDS = 100


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrimFill:
    """The outcome of a trim and fill analysis; the effects on the analysis scale.

    Attributes
    ----------
    measure, method, estimator : str
        Effect measure; "EE" or estimator of tau2, used to trim and to pool; "L0", "R0" or "Q0".
    side : {"left", "right"}
        Side on which studies are missing.
    k, k0 : int
        Studies, and studies filled in.
    k0_se : float
        Standard error of the number before it is rounded.
    centre : float
        Effect about which the outermost studies were mirrored.
    filled_from : tuple of str
        Studies whose mirror images were filled in.
    filled_y, filled_v : (filled,)
        The mirror images.
    observed, adjusted : PooledBatch
        Pooled without and with them.
    level : float
        Coverage of the intervals.
    notes : tuple of str
        What should be known.
    """

    measure: str
    method: str
    estimator: str
    side: Side
    k: int
    k0: int
    k0_se: float
    centre: float
    filled_from: tuple[str, ...]
    filled_y: FloatArray
    filled_v: FloatArray
    observed: PooledBatch
    adjusted: PooledBatch
    level: float
    notes: tuple[str, ...]

    def to_frame(self) -> pd.DataFrame:
        """Give two rows, "observed" and "filled": analysis scale, the natural one beside it."""
        scale = get_measure(self.measure).scale
        names = ("estimate", "se", "ci_low", "ci_high", "p_value", "tau2", "i2", "q", "q_p")
        rows = [
            {"studies": label, "k": k} | {name: float(getattr(pooled, name)) for name in names}
            for label, k, pooled in (
                ("observed", self.k, self.observed),
                ("filled", self.k + self.k0, self.adjusted),
            )
        ]
        frame = pd.DataFrame(rows)
        frame.insert(2, "scale", scale.name)
        frame["natural_scale"] = self.measure
        for name in ("estimate", "ci_low", "ci_high"):
            frame[f"natural_{name}"] = scale.to_natural(frame[name].to_numpy(dtype=np.float64))
        return frame


def trim_and_fill(
    studies: StudyTable,
    measure: str,
    *,
    method: str = "REML",
    estimator: TrimFillEstimator = "L0",
    side: Side | None = None,
    level: float = 0.95,
    correction: Correction = "only0",
) -> TrimFill:
    """Fill the funnel up with mirror images of its outermost studies, and pool again.

    The studies furthest to one side are trimmed off, the rest is pooled, and the ranks of the
    distances from that centre say how many are missing on the other side; this goes on until the
    number stands still. A sensitivity analysis, not a corrected estimate: it takes any asymmetry
    for suppressed studies, finds missing ones where effects merely differ between studies, and
    may correct too much or too little (Terrin et al. 2003; Peters et al. 2007).

    Parameters
    ----------
    studies : StudyTable
        One comparison and one outcome.
    measure : str
        Effect measure, a key of `MEASURES`.
    method : str
        "EE", or an estimator of tau2 (a key of `TAU2`), for trimming and for pooling.
    estimator : {"L0", "R0", "Q0"}
        Of the number of missing studies. R0 is the rightmost run, L0 and Q0 are linear and
        quadratic in the rank sum.
    side : {"left", "right"}, optional
        Where studies are missing. Not given: opposite to where the regression of the effects on
        their standard errors (with `method`'s tau2) says that small studies lie.
    level : float
        Coverage of the intervals, in (0.5, 1).
    correction : {"only0", "all", "none"}
        Where 1/2 is added to the cells of 2x2 tables.

    Returns
    -------
    TrimFill

    Raises
    ------
    ModelError
        An unknown method, estimator, side or measure; a level that is not a coverage.
    NotEstimableError
        Fewer than three studies; Q0 where its root is not real; the number does not stand still.

    References
    ----------
    Duval and Tweedie (2000), Biometrics 56:455, and JASA 95:89; cautions, Terrin, Schmid, Lau and
    Olkin (2003), Statistics in Medicine 22:2113; Peters, Sutton, Jones, Abrams and Rushton (2007),
    Statistics in Medicine 26:4544.

    Examples
    --------
    >>> from bayesmeta.studies import load
    >>> found = trim_and_fill(load("bcg"), "RR")
    >>> found.k0, found.side, float(found.adjusted.estimate.round(4))
    (1, 'right', -0.6571)
    """
    require_method(method)
    if estimator not in MISSING:
        raise ModelError(f"unknown estimator {estimator!r}. {did_you_mean(estimator, MISSING)}")
    if side not in (None, "left", "right"):
        raise ModelError(f"side = {side!r} is neither 'left' nor 'right'.")
    effects = independent_effects(studies, measure, correction=correction)
    if len(effects.y) < 3:
        raise NotEstimableError("Trim and fill needs three studies.")
    notes = [*effects.notes]
    if side is None:
        side = _thin_side(effects, method)
        notes.append(f"side chosen by the regression on the standard error: {side}")
    observed = pool_batch(effects.y, effects.v, method=method, level=level)
    sign = 1.0 if side == "left" else -1.0  # the missing are on the left of sign * y
    order = np.argsort(sign * effects.y, kind="stable")
    y, v = sign * effects.y[order], effects.v[order]
    k0, error, centre = _trim(y, v, method=method, estimator=estimator)
    outermost = order[len(y) - k0 :]
    filled_y = 2.0 * sign * centre - effects.y[outermost]
    adjusted = pool_batch(
        np.append(effects.y, filled_y),
        np.append(effects.v, effects.v[outermost]),
        method=method,
        level=level,
    )
    return TrimFill(
        measure=measure,
        method=method,
        estimator=estimator,
        side=side,
        k=len(y),
        k0=k0,
        k0_se=error,
        centre=sign * centre,
        filled_from=tuple(effects.study[i] for i in outermost),
        filled_y=filled_y,
        filled_v=effects.v[outermost],
        observed=observed,
        adjusted=adjusted,
        level=level,
        notes=tuple(notes),
    )


def _thin_side(effects: IndependentEffects, method: str) -> Side:
    """Give the side on which small studies are missing: opposite to where they lie."""
    x = np.sqrt(effects.v)
    if np.all(x == x[0]):
        raise NotEstimableError("All variances are equal: give the side on which studies miss.")
    X = np.stack([np.ones_like(x), x], axis=-1)
    tau2 = 0.0 if method == COMMON else float(TAU2[method](effects.y, effects.v, X))
    slope = weighted_fit(effects.y, effects.v + tau2, X).beta[1]
    return "right" if slope < 0 else "left"


def _trim(y: FloatArray, v: FloatArray, *, method: str, estimator: str) -> tuple[int, float, float]:
    """Trim sorted effects on the right until the number stands still: k0, its error, the centre."""
    k, k0, seen = len(y), 0, []
    for _ in range(_ROUNDS):
        kept = slice(0, k - k0)
        centre = float(pool_batch(y[kept], v[kept], method=method, level=0.95).estimate)
        raw, error = MISSING[estimator](y - centre)
        now = max(0, round(raw))
        if now == k0:
            return k0, error, centre
        if now >= k:
            break
        k0 = now
        seen.append(k0)
    raise NotEstimableError(
        f"Trim and fill by {estimator} did not come to rest: the number of missing studies went "
        f"{', '.join(map(str, seen[-6:]))}. Use another estimator."
    )


def _ranks(distance: FloatArray) -> FloatArray:
    """Rank |distance| from 1, ties in the order given."""
    ranks = np.empty(len(distance))
    ranks[np.argsort(np.abs(distance), kind="stable")] = np.arange(1, len(distance) + 1)
    return ranks


def missing_r0(distance: FloatArray) -> tuple[float, float]:
    """Estimate the missing by the run of positive distances that ends the ranks.

    Parameters
    ----------
    distance : (study,)
        Effects minus their centre; the missing are on the negative side.

    Returns
    -------
    tuple of float
        The number, not rounded, and its standard error.

    References
    ----------
    Duval and Tweedie (2000), Biometrics 56:455, R0 = gamma* - 1.

    Examples
    --------
    >>> missing_r0(np.array([-0.1, 0.2, 0.3, 0.4]))[0]
    2.0
    """
    before = float(_ranks(distance)[distance <= 0].max(initial=0.0))
    k0 = len(distance) - before - 1.0
    return k0, float(np.sqrt(2.0 * max(0.0, k0) + 2.0))


def missing_l0(distance: FloatArray) -> tuple[float, float]:
    """Estimate the missing by the sum T of the positive ranks, linearly.

    Parameters
    ----------
    distance : (study,)
        Effects minus their centre; the missing are on the negative side.

    Returns
    -------
    tuple of float
        The number, not rounded, and its standard error.

    References
    ----------
    Duval and Tweedie (2000), Biometrics 56:455, L0 = (4 T - k (k + 1)) / (2 k - 1).

    Examples
    --------
    >>> missing_l0(np.array([-0.1, 0.2, 0.3, 0.4]))[0].__round__(4)
    2.2857
    """
    k = len(distance)
    k0 = (4.0 * _rank_sum(distance) - k * (k + 1)) / (2 * k - 1)
    return k0, 4.0 * float(np.sqrt(_rank_sum_variance(k, k0))) / (2 * k - 1)


def missing_q0(distance: FloatArray) -> tuple[float, float]:
    """Estimate the missing by the sum T of the positive ranks, by the root of a quadratic.

    Parameters
    ----------
    distance : (study,)
        Effects minus their centre; the missing are on the negative side.

    Returns
    -------
    tuple of float
        The number, not rounded, and its standard error.

    Raises
    ------
    NotEstimableError
        T is above k^2 / 2 + 1 / 16, and the root is not real.

    References
    ----------
    Duval and Tweedie (2000), Biometrics 56:455, Q0 = k - 1/2 - sqrt(2 k^2 - 4 T + 1/4).

    Examples
    --------
    >>> missing_q0(np.array([-0.2, -0.1, 0.3, 0.4]))[0].__round__(4)
    1.4384
    """
    k = len(distance)
    inside = 2.0 * k**2 - 4.0 * _rank_sum(distance) + 0.25
    if inside < 0:
        raise NotEstimableError(
            "Trim and fill by Q0 has no real root: nearly all studies lie on one side. Use L0."
        )
    k0 = k - 0.5 - float(np.sqrt(inside))
    scale = (k - 0.5) ** 2 - k0 * (2.0 * k - k0 - 1.0)
    variance = _rank_sum_variance(k, k0)
    return k0, 2.0 * float(np.sqrt(variance / scale)) if scale > 0 else float("nan")


def _rank_sum(distance: FloatArray) -> float:
    return float(_ranks(distance)[distance > 0].sum())


def _rank_sum_variance(k: int, k0: float) -> float:
    """Give the variance of T when k0 of k + k0 studies miss; Duval and Tweedie (2000)."""
    terms = k * (k + 1) * (2 * k + 1) + 10 * k0**3 + 27 * k0**2 + 17 * k0
    return max(0.0, (terms - 18 * k * k0**2 - 18 * k * k0 + 6 * k**2 * k0) / 24)


MISSING: dict[str, Callable[[FloatArray], tuple[float, float]]] = {
    "L0": missing_l0,
    "R0": missing_r0,
    "Q0": missing_q0,
}
