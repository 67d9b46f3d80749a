"""Sums where a bound of the measure cuts N(theta | mu, tau^2): mu within a few tau of it.

Gauss-Hermite nodes would lie beyond the bound, and a study's own nodes may lie too far apart
there. The sum is over even nodes w of ``distance to the bound = far * exp(w - exp(-w))``, over a
constant: double exponential at the bound, where g may tend to a constant.
"""

import numpy as np

from bayesmeta.inference.peaks import find_peak
from bayesmeta.inference.sums import Logs
from bayesmeta.inference.tables import BoolArray, IndexArray, Tables
from bayesmeta.scales import FloatArray

_LOOK, _CUT = 20.0, 8.0  # tau from mu, and widths from the integrand's peak, to a bound
_CLOSE = 0.25  # step of the logarithm of the distance to a bound with which nodes serve
_REACH = 9.0  # widths of the integrand beyond its peak
_FIRST, _LAST, _STEP = -3.6, 3.0, 0.08  # of w
_STRAIGHT = 1e-12  # of the range: closer to a bound log g goes straight on, on a line of log odds
_CHUNK = 2048  # pairs summed at once


def find_cut(
    tables: Tables, mu: FloatArray, tau: FloatArray, narrow: BoolArray, done: BoolArray
) -> tuple[IndexArray, IndexArray]:
    """Pairs mu, tau (pair,) and studies whose integrands g N a bound cuts; none without bounds.

    Of those that are not `done` (pair, study): the `narrow` ones, and where nodes lie too far apart
    at a distance of tau from the bound.
    """
    none = np.zeros(0, dtype=np.intp)
    domain = tables.lines.plain.domain
    if domain is None:
        return none, none
    low, high = domain
    near = (tau > 0) & (np.minimum(mu - low, high - mu) < _LOOK * tau)
    pair, study = np.nonzero(near[:, None] & ~done)
    m, t = mu[pair], tau[pair]
    at = np.where(high - m < m - low, np.maximum(high - t, low), np.minimum(low + t, high))
    coarse = 2 * tables.spacing_at(at, study) > _CLOSE * t
    look = coarse | narrow[pair, study]
    pair, study, m, t = pair[look], study[look], m[look], t[look]
    peak, width = find_peak(tables, m, t, study)
    nearer, other = np.minimum(peak - low, high - peak), np.maximum(peak - low, high - peak)
    cut = (nearer < _CUT * width) & (other > _REACH * width)
    return pair[cut], study[cut]


def sum_cut(
    tables: Tables, mu: FloatArray, tau: FloatArray, study: IndexArray, *, fine: int
) -> Logs:
    """Log L_i and leaks, (pair,) and (pair, 2); the step halved `fine` times."""
    assert tables.lines.plain.domain is not None
    low, high = tables.lines.plain.domain
    step = _STEP / 2**fine
    w = np.arange(_FIRST, _LAST + step / 2, step)
    v = w - np.exp(-w)
    v -= v[-1]
    log_slope = v + np.log1p(np.exp(-w)) + np.log(step)
    out, leak = np.empty(len(mu)), np.empty((len(mu), 2))
    for begin in range(0, len(mu), _CHUNK):  # a chunk of pairs, to bound the memory
        part = slice(begin, begin + _CHUNK)
        m, t, i = mu[part], tau[part], study[part]
        peak, width = find_peak(tables, m, t, i)
        upper = high - peak < peak - low  # mu may be nearer to the other bound
        bound = np.where(upper, high, low)
        far = np.abs(peak - bound) + _REACH * width
        away = far[:, None] * np.exp(v)
        theta = bound[:, None] + np.where(upper, -1.0, 1.0)[:, None] * away
        value, beyond = tables.reach(theta, i[:, None])
        exponent = value - 0.5 * ((away - np.abs(m - bound)[:, None]) / t[:, None]) ** 2 + log_slope
        top = exponent.max(axis=1)
        terms = np.exp(exponent - top[:, None])
        total = terms.sum(axis=1)
        out[part] = top + np.log(total * far / (t * np.sqrt(2 * np.pi)))
        counts = away > _STRAIGHT * (high - low)
        lost = [(terms * counts * (side * beyond > 0)).sum(axis=1) / total for side in (-1, 1)]
        leak[part] = np.stack(lost, axis=1)
    return out, leak
