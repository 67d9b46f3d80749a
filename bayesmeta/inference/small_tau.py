"""Rows of nodes of mu at values of tau that are small against every study's standard error.

log L_i is a smooth function of tau^2 there, whose series begins with log g_i. Rows that share their
nodes of mu are therefore summed at the Chebyshev points of tau^2 only, and interpolated if the last
coefficients show that this is exact.
"""

import numpy as np

from bayesmeta.inference.integrate import StudyIntegral, Sums
from bayesmeta.inference.spread import Mixed
from bayesmeta.inference.tables import BoolArray
from bayesmeta.scales import FloatArray

_SMALL = 0.2  # of the smallest standard error
_POINTS = 8  # Chebyshev points of tau^2, at which sums are taken
_LAST = 1e-10  # accepted of the last two coefficients; what they leave out is a hundredth of that
_COUNTS = 35.0  # log units below the top of a row from which a node does not count

_DEGREE = np.arange(_POINTS)
_ANGLE = np.pi * (_DEGREE + 0.5) / _POINTS
_TO_COEFFICIENTS = (
    np.cos(_DEGREE[:, None] * _ANGLE) * np.where(_DEGREE > 0, 2, 1)[:, None] / _POINTS
)


def is_small(tau: FloatArray, scale: FloatArray) -> BoolArray:
    """Whether tau (...) is small against all standard errors `scale` (study,)."""
    out: BoolArray = tau <= _SMALL * scale.min()
    return out


def like_first(mu: FloatArray) -> BoolArray:
    """Whether rows of mu (row, node) have the nodes of the first, (row,)."""
    out: BoolArray = (mu == mu[:1]).all(axis=1)
    return out


def sum_rows(integral: StudyIntegral | Mixed, mu: FloatArray, tau: FloatArray) -> Sums:
    """Log L_i at all nodes of mu (row, node), with tau (row,): pairs in the order of the rows.

    Those of small tau that have the nodes of the first row are interpolated, but for likelihoods
    that may bend sharply, and where the nodes of the sums have been halved.
    """
    near = _find_near(integral, mu, tau)
    if near.sum() <= _POINTS:
        return _sum(integral, mu, tau)
    top = tau[near].max()
    summed = _sum(
        integral,
        np.concatenate([np.repeat(mu[:1], _POINTS, axis=0), mu[~near]]),
        np.concatenate([top * np.sin(_ANGLE / 2), tau[~near]]),
    )
    shape = (-1, mu.shape[1], summed.log_likelihood.shape[1])
    log_l, leak = summed.log_likelihood.reshape(shape), summed.leak.reshape(*shape, 2)
    if not _is_smooth(summed.total.reshape(shape[:2])[:_POINTS]):
        return _sum(integral, mu, tau)
    angle = 2 * np.arcsin(tau[near] / top)
    weight = np.cos(angle[:, None] * _DEGREE) @ _TO_COEFFICIENTS  # (near, point)
    all_l, all_leak = np.empty((*mu.shape, shape[2])), np.empty((*mu.shape, shape[2], 2))
    all_l[~near], all_leak[~near] = log_l[_POINTS:], leak[_POINTS:]
    all_l[near] = np.tensordot(weight, log_l[:_POINTS], 1)
    all_leak[near] = leak[:_POINTS].max(axis=0)
    return Sums(
        log_likelihood=all_l.reshape(mu.size, -1),
        leak=all_leak.reshape(mu.size, -1, 2),
        total=all_l.sum(axis=2).reshape(-1),
    )


def _is_smooth(total: FloatArray) -> bool:
    """Whether log-likelihoods (point, node) at the Chebyshev points say what lies between them."""
    if not np.isfinite(total).all():
        return False
    counts = (total > total.max(axis=1, keepdims=True) - _COUNTS).any(axis=0)
    last = _TO_COEFFICIENTS[-2:] @ total[:, counts]
    return bool(np.abs(last).max() < _LAST)


def _sum(integral: StudyIntegral | Mixed, mu: FloatArray, tau: FloatArray) -> Sums:
    return integral.sum(mu.reshape(-1), np.repeat(tau, mu.shape[1]))


def _find_near(integral: StudyIntegral | Mixed, mu: FloatArray, tau: FloatArray) -> BoolArray:
    """Rows that may be interpolated, (row,)."""
    if isinstance(integral, Mixed) or not integral.bends_slowly or integral.tables.halved:
        return np.zeros(len(tau), dtype=bool)
    tables = integral.tables
    width = np.minimum(tables.scale, 1 / np.sqrt(np.maximum(tables.sharpest(), 1e-300)))
    return is_small(tau, width) & like_first(mu)
