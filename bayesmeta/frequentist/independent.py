"""Studies whose errors are independent, pooled in one go or in batches: what diagnostics refit."""

from dataclasses import dataclass

import numpy as np

from bayesmeta.effects import Correction, Measure, compute_effects
from bayesmeta.errors import ModelError, NotEstimableError
from bayesmeta.frequentist.intervals.simple import require_level, symmetric_interval, two_sided_p
from bayesmeta.frequentist.inverse_variance import heterogeneity
from bayesmeta.frequentist.least_squares import WeightedFit, weighted_fit
from bayesmeta.frequentist.tau2 import TAU2
from bayesmeta.scales import FloatArray
from bayesmeta.studies import StudyTable
from bayesmeta.studies.refusal import did_you_mean

COMMON = "EE"  # tau2 = 0; every other method is a key of TAU2


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class IndependentEffects:
    """One effect per study, the errors independent of each other.

    Attributes
    ----------
    study : tuple of str
        Labels.
    y, v : (study,)
        Effects on the analysis scale and their sampling variances.
    measure : Measure
        What they measure.
    notes : tuple of str
        What should be known about them.
    """

    study: tuple[str, ...]
    y: FloatArray
    v: FloatArray
    measure: Measure
    notes: tuple[str, ...]


def independent_effects(
    studies: StudyTable, measure: str, *, correction: Correction = "only0"
) -> IndependentEffects:
    """Compute the effects of a table, and refuse those whose errors are correlated.

    Parameters
    ----------
    studies : StudyTable
        One comparison and one outcome.
    measure : str
        A key of `MEASURES`.
    correction : {"only0", "all", "none"}
        Zero-cell rule for counts.

    Returns
    -------
    IndependentEffects

    Raises
    ------
    ModelError
        Unknown measure; or the errors are correlated, as where studies share an arm.

    Examples
    --------
    >>> from bayesmeta.studies import load
    >>> independent_effects(load("bcg"), "OR").v[:2].round(4).tolist()
    [0.3571, 0.2081]
    """
    effects = compute_effects(studies, measure, correction=correction)
    v = effects.S
    if v.ndim == 2:
        if np.count_nonzero(v - np.diag(np.diagonal(v))):
            raise ModelError(
                f"The effects of {studies.source} have correlated errors, as where rows share an "
                "arm: this analysis takes them one by one. Give one row per study."
            )
        v = np.diagonal(v)
    return IndependentEffects(
        study=effects.study, y=effects.y, v=v, measure=effects.measure, notes=effects.notes
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PooledBatch:
    """Pooled effects of one or many sets of studies; batch axes as in what was pooled.

    Attributes
    ----------
    estimate, se, ci_low, ci_high, p_value : (...)
        Pooled effect on the analysis scale, Wald interval and test.
    tau2 : (...)
        Between-study variance; 0 for the common effect, nan for a single study.
    q, q_p : (...)
        Cochran's Q about the common effect, and its p-value.
    q_df : int
        Studies minus 1.
    i2 : (...)
        Percent; from tau2 where it is estimated, else from Q; nan for a single study.
    fit : WeightedFit
        The weighted fit itself.
    """

    estimate: FloatArray
    se: FloatArray
    ci_low: FloatArray
    ci_high: FloatArray
    p_value: FloatArray
    tau2: FloatArray
    q: FloatArray
    q_df: int
    q_p: FloatArray
    i2: FloatArray
    fit: WeightedFit


def pool_batch(y: FloatArray, v: FloatArray, *, method: str, level: float) -> PooledBatch:
    """Pool sets of studies by inverse variance, all at once.

    Parameters
    ----------
    y, v : (..., study)
        Effects and sampling variances; the axes before the last are different sets.
    method : str
        "EE" or a key of `TAU2`.
    level : float
        Coverage of the Wald intervals, in (0.5, 1).

    Returns
    -------
    PooledBatch

    Raises
    ------
    ModelError
        Unknown method, or `level` is not a coverage.
    NotEstimableError
        The search for tau2 did not converge.

    Examples
    --------
    >>> y = np.array([[0.1, 0.5, 0.9], [0.5, 0.5, 0.5]])
    >>> pool_batch(y, np.full((2, 3), 0.04), method="REML", level=0.95).tau2.round(6).tolist()
    [0.12, 0.0]
    """
    require_method(method)
    require_level(level)
    X = np.ones((y.shape[-1], 1))
    single = y.shape[-1] == 1
    tau2 = np.zeros(y.shape[:-1])
    if method != COMMON and not single:
        tau2 = TAU2[method](y, v, X)
    fit = weighted_fit(y, v + tau2[..., None], X)
    estimate, se = fit.beta[..., 0], np.sqrt(fit.cov[..., 0, 0])
    limits = symmetric_interval(estimate, se, level=level)
    if single:
        q, q_p, i2 = np.zeros_like(tau2), np.ones_like(tau2), np.full_like(tau2, np.nan)
    else:
        found = heterogeneity(y, v, X)
        q, q_p, i2 = found.q, found.p, found.i2(None if method == COMMON else tau2)
    return PooledBatch(
        estimate=estimate,
        se=se,
        ci_low=limits.low,
        ci_high=limits.high,
        p_value=two_sided_p(estimate, se),
        tau2=np.full_like(tau2, np.nan) if single and method != COMMON else tau2,
        q=q,
        q_df=y.shape[-1] - 1,
        q_p=q_p,
        i2=i2,
        fit=fit,
    )


def require_method(method: str) -> None:
    """Refuse a method that is neither the common effect nor an estimator of tau2.

    Raises
    ------
    ModelError
        Unknown method; the message suggests the nearest.
    """
    known = (COMMON, *TAU2)
    if method not in known:
        raise ModelError(f"unknown method {method!r}. {did_you_mean(method, known)}")


def require_two(y: FloatArray, what: str) -> None:
    """Refuse a single study.

    Raises
    ------
    NotEstimableError
        One effect only.
    """
    if len(y) < 2:
        raise NotEstimableError(f"{what} needs two studies.")
