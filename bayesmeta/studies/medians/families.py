"""Distributions fitted to quantiles by least squares, many samples at once.

All but the beta distribution are of the form A b(p; s) with a scale A, for which least squares has
a closed form, and a shape s, which is searched for.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, gamma, gammaincinv, ndtri

from bayesmeta.scales import FloatArray

type BoolArray = NDArray[np.bool_]

_GOLDEN = (np.sqrt(5) - 1) / 2
_GRID = 160
_STEPS = 60


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FamilyFit:
    """Least-squares fits (row,): mean, standard deviation, and the squares left over."""

    mean: FloatArray
    sd: FloatArray
    squares: FloatArray


@dataclass(frozen=True, slots=True)
class Family:
    """A distribution: its name, and how it is fitted to (values, probabilities, known)."""

    name: str
    fit: Callable[[FloatArray, FloatArray, BoolArray], FamilyFit]


def fit_normal(values: FloatArray, p: FloatArray, known: BoolArray) -> FamilyFit:
    """Fit mean + sd z by linear least squares; all arrays (row, quantile)."""
    z = np.where(known, ndtri(p), 0.0)
    count = known.sum(axis=-1)
    z_mean, mean = z.sum(axis=-1) / count, values.sum(axis=-1) / count
    centred = np.where(known, z - z_mean[:, None], 0.0)
    sd = (centred * values).sum(axis=-1) / (centred**2).sum(axis=-1)
    mean = mean - sd * z_mean
    left = np.where(known, values - mean[:, None] - sd[:, None] * z, 0.0)
    return FamilyFit(mean=mean, sd=sd, squares=(left**2).sum(axis=-1))


def _log_normal(p: FloatArray, s: FloatArray) -> FloatArray:
    return np.exp(s * ndtri(p))


def _gamma(p: FloatArray, s: FloatArray) -> FloatArray:
    out: FloatArray = gammaincinv(s**-2, p) * s**2
    return out


def _weibull(p: FloatArray, s: FloatArray) -> FloatArray:
    return np.exp(s * np.log(-np.log1p(-p)))


def _moments_log_normal(s: FloatArray) -> tuple[FloatArray, FloatArray]:
    mean = np.exp(s**2 / 2)
    return mean, mean * np.sqrt(np.expm1(s**2))


def _moments_gamma(s: FloatArray) -> tuple[FloatArray, FloatArray]:
    return np.ones_like(s), s


def _moments_weibull(s: FloatArray) -> tuple[FloatArray, FloatArray]:
    mean = gamma(1 + s)
    return mean, np.sqrt(gamma(1 + 2 * s) - mean**2)


def _scale_family(
    basis: Callable[[FloatArray, FloatArray], FloatArray],
    moments: Callable[[FloatArray], tuple[FloatArray, FloatArray]],
    shapes: tuple[float, float],
) -> Callable[[FloatArray, FloatArray, BoolArray], FamilyFit]:
    """Make the fit of A b(p; s): best scale in closed form, shape by a grid and golden sections."""

    def fit(values: FloatArray, p: FloatArray, known: BoolArray) -> FamilyFit:
        def scale_and_squares(log_s: FloatArray) -> tuple[FloatArray, FloatArray]:
            """For (row, candidate): the best scale, and the squares that it leaves."""
            b = np.where(known[:, None], basis(p[:, None], np.exp(log_s)[..., None]), 0.0)
            x = values[:, None]
            scale = (b * x).sum(axis=-1) / (b**2).sum(axis=-1)
            left = np.where(known[:, None], x - scale[..., None] * b, 0.0)
            return scale, (left**2).sum(axis=-1)

        grid = np.linspace(np.log(shapes[0]), np.log(shapes[1]), _GRID)
        step = grid[1] - grid[0]
        _, squares = scale_and_squares(np.broadcast_to(grid, (len(values), _GRID)))
        centre = grid[squares.argmin(axis=-1)]
        low, high = centre - step, centre + step
        for _ in range(_STEPS):
            inner = np.stack([high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)], axis=-1)
            _, squares = scale_and_squares(inner)
            left_better = squares[:, 0] < squares[:, 1]
            low = np.where(left_better, low, inner[:, 0])
            high = np.where(left_better, inner[:, 1], high)
        log_s = (low + high) / 2
        scale, squares = scale_and_squares(log_s[:, None])
        mean, sd = moments(np.exp(log_s))
        positive = (values >= 0).all(axis=-1)
        return FamilyFit(
            mean=scale[:, 0] * mean,
            sd=scale[:, 0] * sd,
            squares=np.where(positive, squares[:, 0], np.inf),
        )

    return fit


def fit_beta(values: FloatArray, p: FloatArray, known: BoolArray) -> FamilyFit:
    """Fit a beta distribution where all numbers are within (0, 1), by Levenberg and Marquardt."""
    inside = (~known | ((values > 0) & (values < 1))).all(axis=-1)
    out = FamilyFit(mean=np.zeros(len(p)), sd=np.ones(len(p)), squares=np.full(len(p), np.inf))
    if not inside.any():
        return out
    x, p, known = values[inside], p[inside], known[inside]

    def left(log_ab: FloatArray) -> FloatArray:
        a, b = np.exp(log_ab).T
        return np.where(known, betaincinv(a[:, None], b[:, None], p) - x, 0.0)

    normal = fit_normal(x, p, known)
    mean = np.clip(normal.mean, 0.01, 0.99)
    size = np.clip(mean * (1 - mean) / normal.sd**2 - 1, 0.1, 1e6)
    log_ab = np.log(np.stack([mean * size, (1 - mean) * size], axis=-1))
    damping = np.full(len(x), 1e-3)
    r = left(log_ab)
    for _ in range(_STEPS):
        J = np.stack([(left(log_ab + h) - left(log_ab - h)) / 2e-6 for h in 1e-6 * np.eye(2)], -1)
        JJ, Jr = np.einsum("rqi,rqj->rij", J, J), np.einsum("rqi,rq->ri", J, r)
        diagonal = np.einsum("rii->ri", JJ)
        A = JJ + (damping[:, None] * diagonal + 1e-300)[:, None] * np.eye(2)
        trial = log_ab - np.clip(np.linalg.solve(A, Jr[..., None])[..., 0], -2, 2)
        r_trial = left(trial)
        better = (r_trial**2).sum(axis=-1) < (r**2).sum(axis=-1)
        log_ab = np.where(better[:, None], trial, log_ab)
        r = np.where(better[:, None], r_trial, r)
        damping = np.clip(np.where(better, damping / 5, damping * 5), 1e-12, 1e12)
    a, b = np.exp(log_ab).T
    out.mean[inside] = a / (a + b)
    out.sd[inside] = np.sqrt(a * b / (a + b + 1)) / (a + b)
    out.squares[inside] = (r**2).sum(axis=-1)
    return out


FAMILIES = (
    Family("normal", fit_normal),
    Family("log-normal", _scale_family(_log_normal, _moments_log_normal, (1e-4, 5.0))),
    Family("gamma", _scale_family(_gamma, _moments_gamma, (1e-4, 10.0))),
    Family("Weibull", _scale_family(_weibull, _moments_weibull, (1e-3, 10.0))),
    Family("beta", fit_beta),
)
