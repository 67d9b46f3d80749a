"""Sums where g_i(theta) falls as a power and mu lies far from the study, on the scale of tau.

g_i(theta) N(theta | mu, tau^2) then has two peaks: where g has its own, and next to mu, upon g's
tail. A study's own nodes lie too far apart to show the second, about which g is smooth: the
first is summed over the nodes on the study's side of the valley between them, the second by
Gauss-Hermite.
"""

import numpy as np

from bayesmeta.inference.peaks import RESOLVED
from bayesmeta.inference.sums import CHUNK, TINY, Logs, Rule
from bayesmeta.inference.tables import BoolArray, IndexArray, Tables
from bayesmeta.scales import FloatArray

_DEEP = 0.25  # largest 4 order / s^2, at s = |mu - centre| / tau, for a valley of e^-70 or less


def find_far(tables: Tables, mu: FloatArray, tau: FloatArray) -> BoolArray:
    """Tell which sums (pair, study) have a second peak that every second own node misses."""
    study = np.arange(len(tables.center))
    away = np.abs(mu[:, None] - tables.center)
    out: BoolArray = (away > 8 * tau[:, None]) & (tau[:, None] > TINY * tables.scale)
    pair, i = np.nonzero(out)
    coarse = 2 * tables.spacing_at(mu[pair], study[i]) > RESOLVED * tau[pair]
    order = -tables.slopes(mu[pair], study[i])[0] * (mu[pair] - tables.center[i])
    deep = (order > 0) & (4 * order * tau[pair] ** 2 < _DEEP * away[pair, i] ** 2)
    out[pair, i] = coarse & deep
    return out


def sum_far(
    tables: Tables,
    mu: FloatArray,
    tau: FloatArray,
    study: IndexArray,
    *,
    rule: Rule,
    stride: int,
) -> Logs:
    """Log L_i and leaks, (pair,) and (pair, 2), as the sum about both peaks.

    With local order b of g the peaks lie at shares u of the way from mu to the centre, where
    s^2 u (1 - u) = b; the other root is the valley.
    """
    away = mu - tables.center[study]
    order = -tables.slopes(mu, study)[0] * away
    root = np.sqrt(1 - 4 * order * (tau / away) ** 2)
    near, leak = _sum_near(tables, mu, tau, study, 0.5 * (1 - root) * away, stride)
    peak = mu - 0.5 * (1 - root) * away
    theta = peak[:, None] + tau[:, None] * (np.sqrt(2) * rule[0])
    value, beyond = tables.reach(theta, study[:, None])
    exponent = value - 0.5 * ((theta - mu[:, None]) / tau[:, None]) ** 2 + rule[1]
    top = exponent.max(axis=1)
    terms = np.exp(exponent - top[:, None])
    far = top + np.log(terms.sum(axis=1))
    total = np.logaddexp(near, far)
    lost = np.stack([(terms * (side * beyond > 0)).sum(axis=1) for side in (-1, 1)], axis=1)
    share = np.exp(far - total) / terms.sum(axis=1)
    return total, leak * np.exp(near - total)[:, None] + lost * share[:, None]


def _sum_near(
    tables: Tables,
    mu: FloatArray,
    tau: FloatArray,
    study: IndexArray,
    valley: FloatArray,
    stride: int,
) -> Logs:
    """Sum over own nodes on the study's side of the valley, that far from its centre, (pair,)."""
    theta, log_weight = tables.nodes(stride)
    out, leak = np.empty(len(mu)), np.empty((len(mu), 2))
    chunk = max(1, CHUNK // theta.shape[1])
    for begin in range(0, len(mu), chunk):  # a chunk of pairs, to stay within the cache
        part = slice(begin, begin + chunk)
        i, t = study[part], tau[part, None]
        beyond = (theta[i] - tables.center[i, None]) / valley[part, None] > 1
        exponent = log_weight[i] - 0.5 * ((theta[i] - mu[part, None]) / t) ** 2
        exponent[beyond] = -np.inf
        top = exponent.max(axis=1)
        terms = np.exp(exponent - top[:, None])
        total = terms.sum(axis=1)
        out[part] = top + np.log(total / (t[:, 0] * np.sqrt(2 * np.pi)))
        leak[part] = terms[:, [0, -1]] / total[:, None]
    return out, leak
