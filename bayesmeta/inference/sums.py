"""Sums over theta that give log L_i(mu, tau), each for the pairs (mu, tau) that it suits.

All give the logarithm and the leak: the share of the integrand at, or beyond, either end of the
table. Terms are positive, so that sums keep relative accuracy unless they underflow.
"""

import numpy as np
from scipy.special import roots_hermite

from bayesmeta.inference.peaks import find_peak
from bayesmeta.inference.tables import BoolArray, IndexArray, Tables
from bayesmeta.scales import FloatArray

UNDERFLOW = 1e-200  # sums below it are taken again relative to their largest term
_PARABOLIC, _SLIGHT = 3e-4, 3e-3  # see `sum_quadratic`
TINY = 0.05  # of a standard error: a tau below it takes the sums about mu where nodes are too few
CHUNK = 1 << 15  # products (pair, study, node) held at once: 256 kB, within the cache

type Rule = tuple[FloatArray, FloatArray]
type Logs = tuple[FloatArray, FloatArray]


def _hermite_rule(n: int) -> Rule:
    """Nodes z, and logarithms of the weights of the integral of exp(-z^2) f, times exp(z^2)."""
    z, weights = roots_hermite(n)
    return z, np.log(weights) + z**2 - 0.5 * np.log(np.pi)


_TINY_RULE, SMALL_RULE, RULE, FINE_RULE = (_hermite_rule(n) for n in (3, 8, 20, 36))
FINEST_RULE = _hermite_rule(64)


def sum_nodes(tables: Tables, mu: FloatArray, tau: FloatArray, *, stride: int) -> Logs:
    """Sum every `stride`-th node for all pairs and studies; not finite where it underflows."""
    theta, log_weight = tables.nodes(stride)
    top = log_weight.max(axis=1)
    log_weight = log_weight - top[:, None]
    pairs, studies = len(mu), len(tables.center)
    log_l, leak = np.empty((pairs, studies)), np.zeros((pairs, studies, 2))
    rate = np.sqrt(0.5) / np.maximum(tau, 1e-300)
    chunk = max(1, CHUNK // theta.size)
    work = np.empty((chunk, *theta.shape))
    for begin in range(0, pairs, chunk):  # a chunk of pairs, to stay within the cache
        part = slice(begin, min(begin + chunk, pairs))
        mass = work[: part.stop - begin]
        with np.errstate(over="ignore"):
            np.subtract(theta, mu[part, None, None], out=mass)
            mass *= rate[part, None, None]
            np.square(mass, out=mass)
        np.subtract(log_weight, mass, out=mass)
        np.exp(mass, out=mass)
        total = mass.sum(axis=-1)
        total[total < UNDERFLOW] = 0.0
        with np.errstate(divide="ignore", invalid="ignore"):
            log_l[part] = np.log(total) + (top + np.log(rate[part, None] / np.sqrt(np.pi)))
            leak[part] = mass[..., [0, -1]] / total[..., None]
    return log_l, leak


def sum_all_nodes(tables: Tables, mu: FloatArray, tau: FloatArray, study: IndexArray) -> Logs:
    """Sum every node relative to the largest term, (pair,); leak (pair, 2)."""
    theta, log_weight = tables.nodes(1)
    out, leak = np.empty(len(mu)), np.empty((len(mu), 2))
    chunk = max(1, CHUNK // theta.shape[1])
    for begin in range(0, len(mu), chunk):  # a chunk of pairs, to stay within the cache
        part = slice(begin, begin + chunk)
        i, t = study[part], tau[part, None]
        exponent = log_weight[i] - 0.5 * ((theta[i] - mu[part, None]) / t) ** 2
        top = exponent.max(axis=1)
        terms = np.exp(exponent - top[:, None])
        total = terms.sum(axis=1)
        out[part] = top + np.log(total / (t[:, 0] * np.sqrt(2 * np.pi)))
        leak[part] = terms[:, [0, -1]] / total[:, None]
    return out, leak


def sum_about_peak(
    tables: Tables, mu: FloatArray, tau: FloatArray, study: IndexArray, *, rule: Rule
) -> Logs:
    """Gauss-Hermite sum about the peak of g N, right down to tau = 0.

    Gives the logarithm (pair,) and the shares below and above the table (pair, 2).
    """
    out, leak = np.empty(len(mu)), np.empty((len(mu), 2))
    for begin in range(0, len(mu), 2048):  # a chunk of pairs, to stay within the cache
        part = slice(begin, begin + 2048)
        m, t, i = mu[part], tau[part], study[part]
        peak, width = find_peak(tables, m, t, i)
        safe = np.where(t > 0, t, 1.0)
        ratio = np.where(t > 0, width / safe, 1.0)
        shift = np.where(t > 0, (peak - m) / safe, 0.0)
        out[part], leak[part] = _sum_hermite(tables, m, t, i, shift, ratio, rule)
    return out, leak


def sum_quadratic(
    tables: Tables,
    mu: FloatArray,
    tau: FloatArray,
    log_l: FloatArray,
    leak: FloatArray,
    done: BoolArray,
) -> None:
    """Fill in log L_i (pair, study), leaks and `done` where log g is a parabola within tau.

    That is so for a tau below 3e-4 standard errors where g changes by less than 0.3 % within tau:
    what the third and fourth derivatives add is then below 1e-13.
    """
    if tables.lines.crowd is not None or tables.lines.plain.domain is not None:
        return  # sharp bends
    pair, study = np.nonzero(~done & (tau[:, None] < _PARABOLIC * tables.scale))
    if len(pair):
        value, slope, bend, beyond = tables.expand(mu[pair], study)
        rise, narrow = tau[pair] * slope, 1 - tau[pair] ** 2 * bend
        log_l[pair, study] = value + 0.5 * (rise**2 / narrow - np.log(narrow))
        leak[pair, study] = np.stack([beyond < 0, beyond > 0], axis=-1)
        done[pair, study] = np.abs(rise) < _SLIGHT


def sum_about_mu(
    tables: Tables, mu: FloatArray, tau: FloatArray, study: IndexArray, *, rule: Rule
) -> Logs:
    """Gauss-Hermite sum about mu, for a tau so small that g hardly bends the integrand.

    As `sum_about_peak`, which it leaves the pairs to at which g moves the peak by half a tau.
    """
    slope, _ = tables.slopes(mu, study)
    moved = np.abs(tau * slope)
    tiny = (moved < 0.01) & (tau < 0.004 * tables.scale[study])
    steep = moved > 0.5
    out, leak = np.empty(len(mu)), np.empty((len(mu), 2))
    if steep.any():
        there = mu[steep], tau[steep], study[steep]
        out[steep], leak[steep] = sum_about_peak(tables, *there, rule=rule)
    for where, own in ((tiny, _TINY_RULE), (~(tiny | steep), rule)):
        some = np.flatnonzero(where)
        for begin in range(0, len(some), 4096):
            part = some[begin : begin + 4096]
            none, one = np.zeros(len(part)), np.ones(len(part))
            out[part], leak[part] = _sum_hermite(
                tables, mu[part], tau[part], study[part], none, one, own
            )
    return out, leak


def _sum_hermite(
    tables: Tables,
    mu: FloatArray,
    tau: FloatArray,
    study: IndexArray,
    shift: FloatArray,
    ratio: FloatArray,
    rule: Rule,
) -> Logs:
    """Gauss-Hermite sum about mu + tau * shift, in widths of tau * ratio; all (pair,)."""
    z = shift[:, None] + ratio[:, None] * (np.sqrt(2) * rule[0])
    value, beyond = tables.reach(mu[:, None] + tau[:, None] * z, study[:, None])
    exponent = value - 0.5 * z**2 + rule[1]
    top = exponent.max(axis=-1)
    terms = np.exp(exponent - top[:, None])
    total = terms.sum(axis=-1)
    leak = np.stack([(terms * (side * beyond > 0)).sum(axis=-1) for side in (-1, 1)], axis=-1)
    return top + np.log(total * ratio), leak / total[:, None]
