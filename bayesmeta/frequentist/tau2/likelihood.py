"""Maximum likelihood for the between-study variance tau2, restricted (REML) or not (ML).

Shapes are those of `decorrelate`; an estimate comes with a report of how it was reached, or not
at all.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bayesmeta.frequentist.convergence import not_converged
from bayesmeta.frequentist.least_squares import decorrelate, degrees_of_freedom, weighted_fit
from bayesmeta.frequentist.tau2.log_likelihood import height
from bayesmeta.scales import FloatArray

type BoolArray = NDArray[np.bool_]

_NODES = 64  # of the search for the highest peak, evenly spaced in log(smallest variance + tau2)
_CHUNK = 200_000  # numbers handled at once in that search


def tau2_reml(y: FloatArray, S: FloatArray, X: FloatArray) -> FloatArray:
    """Between-study variance by restricted maximum likelihood; see `fit_reml`.

    Parameters
    ----------
    y : (..., row)
        Effects on the analysis scale (log for ratios).
    S : (..., row) or (..., row, row)
        Sampling variances or covariance of `y`, in squared units of `y`; positive definite.
    X : (..., row, coefficient)
        Design of full column rank; one column of ones is the plain random-effects model.

    Returns
    -------
    (...)
        tau2 in squared units of `y`; exactly 0 where the likelihood falls from the start.

    Raises
    ------
    DesignError
        As many coefficients as rows.
    NotEstimableError
        The iteration did not converge.

    References
    ----------
    Patterson and Thompson (1971), Biometrika 58:545; for meta-analysis, Viechtbauer (2005),
    Journal of Educational and Behavioral Statistics 30:261.

    Examples
    --------
    >>> float(tau2_reml(np.array([0.1, 0.5, 0.9]), np.full(3, 0.04), np.ones((3, 1))).round(6))
    0.12
    """
    return fit_reml(y, S, X).tau2


def tau2_ml(y: FloatArray, S: FloatArray, X: FloatArray) -> FloatArray:
    """Between-study variance by maximum likelihood; see `fit_ml`.

    Parameters
    ----------
    y : (..., row)
        Effects on the analysis scale (log for ratios).
    S : (..., row) or (..., row, row)
        Sampling variances or covariance of `y`, in squared units of `y`; positive definite.
    X : (..., row, coefficient)
        Design of full column rank; one column of ones is the plain random-effects model.

    Returns
    -------
    (...)
        tau2 in squared units of `y`; exactly 0 where the likelihood falls from the start. Too
        small on average: the coefficients' share of the spread is not given back.

    Raises
    ------
    DesignError
        As many coefficients as rows.
    NotEstimableError
        The iteration did not converge.

    References
    ----------
    Hardy and Thompson (1996), Statistics in Medicine 15:619; Viechtbauer (2005), Journal of
    Educational and Behavioral Statistics 30:261.

    Examples
    --------
    >>> float(tau2_ml(np.array([0.1, 0.5, 0.9]), np.full(3, 0.04), np.ones((3, 1))).round(6))
    0.066667
    """
    return fit_ml(y, S, X).tau2


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LikelihoodFit:
    """A maximum of the likelihood, and how it was reached.

    Attributes
    ----------
    tau2 : (...)
        Estimate, in squared units of the effects.
    boundary : (...)
        True where the estimate is 0 because the likelihood falls from there.
    iterations : int
        Steps until the last member of the batch converged.
    last_step : (...)
        Size of the last step, relative to tau2 plus the typical sampling variance.
    """

    tau2: FloatArray
    boundary: BoolArray
    iterations: int
    last_step: FloatArray


def fit_reml(
    y: FloatArray,
    S: FloatArray,
    X: FloatArray,
    *,
    tol: float = 1e-12,
    max_iterations: int = 200,
) -> LikelihoodFit:
    """Maximise the restricted likelihood of tau2 >= 0, and report how.

    The highest of 64 values between 0 and an upper bound that holds for any data brackets the
    maximum, so that a lower local one is not taken for it; then Newton steps on the score (Fisher
    steps where the likelihood is not concave) run inside the bracket, which each score narrows,
    with a bisection whenever a step would leave it or has not halved the one before.

    Parameters
    ----------
    y, S, X : arrays
        As for `tau2_reml`.
    tol : float
        Relative size of the last step, against tau2 plus the typical sampling variance.
    max_iterations : int
        Steps allowed.

    Returns
    -------
    LikelihoodFit

    Raises
    ------
    DesignError
        As many coefficients as rows.
    NotEstimableError
        A step is still larger than `tol` after `max_iterations`; of a batch, the members are named.

    References
    ----------
    Score and information: Harville (1977), JASA 72:320. The bound: with RSS the residual sum of
    squares without weights, y'PPy <= RSS / (v_min + tau2)^2 and tr P >= df / (v_max + tau2).

    Examples
    --------
    >>> fit = fit_reml(np.array([0.1, 0.5, 0.9]), np.full(3, 0.04), np.ones((3, 1)))
    >>> float(fit.tau2.round(6)), bool(fit.boundary), bool(fit.last_step < 1e-12)
    (0.12, False, True)
    """
    return _maximise(y, S, X, restricted=True, tol=tol, max_iterations=max_iterations)


def fit_ml(
    y: FloatArray,
    S: FloatArray,
    X: FloatArray,
    *,
    tol: float = 1e-12,
    max_iterations: int = 200,
) -> LikelihoodFit:
    """Maximise the likelihood of tau2 >= 0, profiled over the coefficients, and report how.

    The search is that of `fit_reml`.

    Parameters
    ----------
    y, S, X : arrays
        As for `tau2_ml`.
    tol : float
        Relative size of the last step, against tau2 plus the typical sampling variance.
    max_iterations : int
        Steps allowed.

    Returns
    -------
    LikelihoodFit

    Raises
    ------
    DesignError
        As many coefficients as rows.
    NotEstimableError
        A step is still larger than `tol` after `max_iterations`; of a batch, the members are named.

    References
    ----------
    Harville (1977), JASA 72:320.

    Examples
    --------
    >>> fit = fit_ml(np.array([0.1, 0.5, 0.9]), np.full(3, 0.04), np.ones((3, 1)))
    >>> float(fit.tau2.round(6)), bool(fit.boundary), bool(fit.last_step < 1e-12)
    (0.066667, False, True)
    """
    return _maximise(y, S, X, restricted=False, tol=tol, max_iterations=max_iterations)


def _maximise(
    y: FloatArray,
    S: FloatArray,
    X: FloatArray,
    *,
    restricted: bool,
    tol: float,
    max_iterations: int,
) -> LikelihoodFit:
    df = degrees_of_freedom(X)
    y, v, X = decorrelate(y, S, X)
    plain = weighted_fit(y, np.ones_like(v), X)
    unit = df / weighted_fit(y, v, X).trace_p
    divisor = df if restricted else X.shape[-2]
    upper = _upper_bound(plain.q / divisor, v)
    t, low, high = _bracket(plain.residual, v, X, upper=upper, restricted=restricted)
    step = np.full_like(t, np.inf)
    for iteration in range(1, max_iterations + 1):
        score, information = _score(y, v, X, t, restricted=restricted)
        low = np.where(score > 0, t, low)
        high = np.where(score > 0, high, t)
        before, step = step, score / information
        step = np.where((t == 0) & (score <= 0), 0.0, step)
        scale = tol * (t + unit)
        done = (np.abs(step) <= scale) | (high - low <= scale)
        if np.all(done):
            return LikelihoodFit(
                tau2=t, boundary=t == 0, iterations=iteration, last_step=np.abs(step) / (t + unit)
            )
        ahead = t + step
        slow = np.abs(step) > np.abs(before) / 2
        bisect = (ahead <= low) | (ahead >= high) | slow
        t = np.where(done, t, np.where(bisect, (low + high) / 2, ahead))
    raise not_converged(
        "REML" if restricted else "ML",
        done,
        np.abs(step) / (t + unit),
        tol=tol,
        steps=max_iterations,
    )


def _upper_bound(s2: FloatArray, v: FloatArray) -> FloatArray:
    """Give a tau2 beyond which the score is negative, whatever the data.

    `s2` is the residual sum of squares without weights over the factor of 1 / (v_max + tau2) that
    bounds the score's trace: the degrees of freedom for REML, the rows for ML.
    """
    smallest, largest = v.min(-1), v.max(-1)
    u = (s2 + np.sqrt(s2**2 + 4.0 * s2 * (largest - smallest))) / 2.0  # smallest + tau2
    return np.maximum(0.0, u - smallest)


def _bracket(
    residual: FloatArray,
    v: FloatArray,
    X: FloatArray,
    *,
    upper: FloatArray,
    restricted: bool,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Give the highest of the nodes (...), and its neighbours below and above."""
    smallest = v.min(-1)
    share = np.linspace(0.0, 1.0, _NODES).reshape(-1, *(1,) * upper.ndim)
    nodes = smallest * np.expm1(share * np.log1p(upper / smallest))  # (node, ...)
    together = max(1, _CHUNK // max(1, nodes[0].size * v.shape[-1]))  # nodes, kept in the cache
    heights = np.concatenate(
        [
            height(nodes[i : i + together], residual, v, X, restricted=restricted)
            for i in range(0, _NODES, together)
        ]
    )
    best = np.expand_dims(heights.argmax(0), 0)

    def at(index: NDArray[np.intp]) -> FloatArray:
        return np.asarray(np.take_along_axis(nodes, index, 0)[0])

    return at(best), at(np.maximum(best - 1, 0)), at(np.minimum(best + 1, _NODES - 1))


def _score(
    y: FloatArray, v: FloatArray, X: FloatArray, t: FloatArray, *, restricted: bool
) -> tuple[FloatArray, FloatArray]:
    """Give twice the score of tau2, and twice its observed information (expected, if not > 0)."""
    fit = weighted_fit(y, v + t[..., None], X)
    Py = fit.weight * fit.residual
    trace = fit.trace_p if restricted else fit.weight.sum(-1)
    expected = fit.trace_pp if restricted else (fit.weight**2).sum(-1)
    observed = 2.0 * fit.quadratic(Py) - expected
    return (Py**2).sum(-1) - trace, np.where(observed > 0, observed, expected)
