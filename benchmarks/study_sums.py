"""The reference's integrals over theta: plain loops, compiled.

Even steps out from the peak of g(theta) N(theta | mu, tau^2), where every second step gives the
same; else panels about the peak, the estimate and mu, those halved where Gauss and Kronrod rules
disagree; a Gauss-Hermite rule where tau is so small that log g hardly moves.
"""

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from scipy.special import roots_hermitenorm

from bayesmeta.scales import FloatArray
from benchmarks.study_tables import IntArray

MOST = 300  # panels of an integral over theta
_ANY = -9  # no panel of the table
_NEAR = 1e-6  # widths of the peak from a bound, from which one panel goes to it
_DROP = 35.0  # log units below the peak at which panels end
_HALF_NODES = [0.991455371120812639206854697526329, 0.949107912342758524526189684047851,
    0.864864423359769072789712788640926, 0.741531185599394439863864773280788,
    0.586087235467691130294144691693013, 0.405845151377397166906606412076961,
    0.207784955007898467600689403773245]  # fmt: skip
_HALF_KRONROD = [0.022935322010529224963732008058970, 0.063092092629978553290700663189204,
    0.104790010322250183839876322541518, 0.140653259715525918745189590510238,
    0.169004726639267902826583426598550, 0.190350578064785409913256402421014,
    0.204432940075298892414161999234649]  # fmt: skip
_HALF_GAUSS = [0.0, 0.129484966168869693270611432679082, 0.0, 0.279705391489276667901467771423780,
    0.0, 0.381830050505118944950369775488975, 0.0]  # fmt: skip
_NODES = np.array([*(-x for x in _HALF_NODES), 0.0, *_HALF_NODES[::-1]])
_OF_KRONROD = np.array([*_HALF_KRONROD, 0.209482141084727828012999174891714, *_HALF_KRONROD[::-1]])
_HERMITE, _OF_HERMITE = roots_hermitenorm(14)
_OF_HERMITE = _OF_HERMITE / np.sqrt(2 * np.pi)
_OF_GAUSS = np.array([*_HALF_GAUSS, 0.417959183673469387755102040816327, *_HALF_GAUSS[::-1]])


class Posterior(NamedTuple):
    """All that the sums need: tables, the prior of mu, and bounds of the effects.

    Effects are counted from a point near the posterior, so that no digits are lost to it.
    """

    first: IntArray
    edges: FloatArray
    coefficients: FloatArray
    flat: "np.ndarray[tuple[int, int], np.dtype[np.bool_]]"
    center: FloatArray
    scale: FloatArray
    prior: tuple[float, float, float]  # mean, precision, log density at the mean
    domain: tuple[float, float]
    inner: float  # accepted difference of the rules
    candidates: IntArray
    noise: float  # of the log density
    normal: bool  # L_i in closed form
    powers: bool  # log g falls as a logarithm, and integrands may have two peaks
    rough: bool  # log g has no further derivatives at theta = 0
    zero: float  # where that is


@njit
def _find(theta, edges):
    """Panel that theta lies in; -1 below the first edge, the number of panels above the last."""
    low, high = 0, len(edges) - 1
    if theta < edges[low]:
        return -1
    if theta > edges[high]:
        return high
    while high - low > 1:
        middle = (low + high) // 2
        if edges[middle] <= theta:
            low = middle
        else:
            high = middle
    return low


@njit
def _log_g(theta, edges, c, flat_low, flat_high):
    """Log g less its largest value, by the tables of one study."""
    j = _find(theta, edges)
    if j < 0:
        if not flat_low:
            return -np.inf
        theta, j = edges[0], 0
    elif j == len(edges) - 1:
        if not flat_high:
            return -np.inf
        theta, j = edges[j], j - 1
    a, b = edges[j], edges[j + 1]
    x = (2 * theta - a - b) / (b - a)
    square, odd, even = x * x, 0.0, 0.0
    for m in range(c.shape[1] - 1, 0, -2):
        odd = odd * square + c[j, m]
        even = even * square + c[j, m - 1]
    return even + x * odd


@njit
def _height(theta, mu, tau, edges, c, flat_low, flat_high):
    z = (theta - mu) / tau
    return _log_g(theta, edges, c, flat_low, flat_high) - 0.5 * z * z


@njit(fastmath={"contract", "reassoc", "nsz", "arcp"})
def _rules(a, b, mu, tau, top, j, edges, c):
    """Kronrod's and Gauss' rule for exp(height - top) on [a, b], which lies in panel j.

    Panel -1 and the one after the last are the flat ends; `_ANY` means that [a, b] may lie in more
    than one.
    """
    middle, half = 0.5 * (a + b), 0.5 * (b - a)
    if j == _ANY:
        kronrod, gauss = 0.0, 0.0
        for k in range(15):
            height = _height(middle + half * _NODES[k], mu, tau, edges, c, False, False)
            f = math.exp(min(height - top, 600.0))
            kronrod += _OF_KRONROD[k] * f
            gauss += _OF_GAUSS[k] * f
        return half * kronrod, half * gauss
    flat = j < 0 or j >= len(edges) - 1
    row = min(max(j, 0), len(edges) - 2)
    center, unit = 0.5 * (edges[row] + edges[row + 1]), 0.5 * (edges[row + 1] - edges[row])
    values = np.empty(15)
    for k in range(15):
        theta = middle + half * _NODES[k]
        x = (theta - center) / unit
        if flat:
            x = -1.0 if j < 0 else 1.0
        square, odd, even = x * x, 0.0, 0.0
        for m in range(c.shape[1] - 1, 0, -2):
            odd = odd * square + c[row, m]
            even = even * square + c[row, m - 1]
        z = (theta - mu) / tau
        values[k] = even + x * odd - 0.5 * z * z - top
    kronrod, gauss = 0.0, 0.0
    for k in range(15):
        f = math.exp(min(values[k], 600.0))
        kronrod += _OF_KRONROD[k] * f
        gauss += _OF_GAUSS[k] * f
    return half * kronrod, half * gauss


@njit
def _peak(mu, tau, s, y, edges, c, flat_low, flat_high, domain):
    """Peak of g(theta) N(theta | mu, tau^2), about, and its width: Newton steps."""
    width = s * tau / math.hypot(s, tau)
    at = mu + (y - mu) * tau * tau / (s * s + tau * tau)
    low, high = min(mu, y - 4 * s), max(mu, y + 4 * s)
    if flat_low:
        low = min(mu, y) - 40 * tau
    if flat_high:
        high = max(mu, y) + 40 * tau
    low, high = max(low, domain[0]), min(high, domain[1])
    if not low < at < high:
        at = 0.5 * (max(low, mu - tau) + min(high, mu + tau))
    for _ in range(60):
        step = 0.05 * width
        here = _height(at, mu, tau, edges, c, flat_low, flat_high)
        left = _height(at - step, mu, tau, edges, c, flat_low, flat_high)
        right = _height(at + step, mu, tau, edges, c, flat_low, flat_high)
        bend = (2 * here - left - right) / (step * step)
        slope = (right - left) / (2 * step)
        if not (math.isfinite(bend) and math.isfinite(slope)):
            break
        if bend > 0.2 / (tau * tau):
            width = min(max(1 / math.sqrt(bend), width / 4), width * 4)
        if slope > 0:
            low = at
        else:
            high = at
        to = at + slope * width * width
        if not low < to < high:
            to = 0.5 * (low + high)
        moved, at = abs(to - at), to
        if moved < 0.5 * width:
            break
    return at, width


@njit
def _even_sums(at, width, mu, tau, edges, c, flat_low, flat_high, domain, accepted, powers):
    """Log integral by even steps out from the peak, until the integrand has vanished; nan: unfit.

    Where log g falls as a logarithm the steps are even in x, theta = at + 3 width sinh(x / 3).
    Every second step must give the same to the accepted difference, and the integrand must vanish
    within the domain.
    """
    top = _height(at, mu, tau, edges, c, flat_low, flat_high)
    total, even = 1.0, 1.0
    for side in (-1, 1):
        for j in range(1, 121):
            away, slope = 0.5 * j, 1.0
            if powers:
                away, slope = 3 * math.sinh(away / 3), math.cosh(away / 3)
            theta = at + side * away * width
            if not domain[0] < theta < domain[1]:
                return np.nan
            f = _height(theta, mu, tau, edges, c, flat_low, flat_high) - top
            if f > 40 or (j > 60 and not powers) or j == 120:
                return np.nan
            term = math.exp(f) * slope
            if term < 1e-15 * total:
                break
            total += term
            if j % 2 == 0:
                even += term
    if abs(2 * even / total - 1) > accepted:
        return np.nan
    return top + math.log(0.5 * width * total / (tau * math.sqrt(2 * math.pi)))


@njit
def log_likelihood(i, mu, tau, p):
    """Log of the integral of g_i(theta) N(theta | mu, tau^2), less the table's top."""
    edges = p.edges[p.first[i] : p.first[i + 1]]
    c = p.coefficients[p.first[i] - i : p.first[i + 1] - i - 1]
    flat_low, flat_high = p.flat[i, 0], p.flat[i, 1]
    s, y, mu = p.scale[i], 0.0, mu - p.center[i]  # all relative to the study's center
    if p.normal:
        variance = s * s + tau * tau
        return -0.5 * (mu**2 / variance + math.log(2 * math.pi * variance))
    here = _log_g(mu, edges, c, flat_low, flat_high)
    if tau == 0.0:
        return here
    moved = abs(_log_g(mu - 6 * tau, edges, c, flat_low, flat_high) - here)
    moved += abs(_log_g(mu + 6 * tau, edges, c, flat_low, flat_high) - here)
    accepted = p.inner if p.domain[1] == np.inf else 1e-3 * p.inner  # less smooth at a bound
    domain = (p.domain[0] - p.center[i], p.domain[1] - p.center[i])
    small = tau < 0.1 * min(s, 1.0)  # where g ends flat its bends are less wide than s
    small = small and min(mu - domain[0], domain[1] - mu) > 9 * tau
    if small and moved < 1 and (not p.rough or abs(mu + p.center[i] - p.zero) > 8 * tau):
        total = 0.0
        for k in range(len(_HERMITE)):
            at = _log_g(mu + tau * _HERMITE[k], edges, c, flat_low, flat_high)
            total += _OF_HERMITE[k] * math.exp(at - here)
        return here + math.log(total)
    at, width = _peak(mu, tau, s, y, edges, c, flat_low, flat_high, domain)
    top = _height(at, mu, tau, edges, c, flat_low, flat_high)
    alone = True  # no second peak
    for center in (y, mu):
        if p.powers and abs(center - at) > 6 * width:
            f = _height(center, mu, tau, edges, c, flat_low, flat_high)
            alone = alone and f < top - _DROP - 5
    if alone and not p.rough:
        out = _even_sums(
            at, width, mu, tau, edges, c, flat_low, flat_high, domain, accepted, p.powers
        )
        if not math.isnan(out):
            return out
    marks = np.empty(12)
    n = 0
    for j in range(-2, 3):
        marks[n] = at + 4 * j * width
        n += 1
    for center, spread in ((y, s), (mu, tau)):
        if abs(center - at) > 4 * width:
            for j in range(-1, 2):
                marks[n] = center + 9 * j * spread
                n += 1
    marks = np.sort(marks[:n])
    top = -np.inf
    for mark in marks:
        top = max(top, _height(mark, mu, tau, edges, c, flat_low, flat_high))
    low, high = edges[0], edges[-1]
    if flat_low and p.domain[0] == -np.inf:
        low = -np.inf
    if flat_high and p.domain[1] == np.inf:
        high = np.inf
    begins, ends, panels = np.empty(MOST), np.empty(MOST), np.empty(MOST, dtype=np.int64)
    values, errors = np.empty(MOST), np.empty(MOST)
    count, total = 0, 0.0
    for side in (-1, 1):
        a, j = min(max(at, low), high), _find(at, edges)
        m = np.searchsorted(marks, a, side="right") if side > 0 else np.searchsorted(marks, a) - 1
        while count < MOST // 2:
            beyond = m >= n or m < 0
            if beyond and _height(a, mu, tau, edges, c, flat_low, flat_high) < top - _DROP:
                break
            b = a + side * 8 * max(tau, width) if beyond else marks[m]
            if side > 0:
                b = min(b, high)
                if j < len(edges) - 1:
                    b = min(b, edges[j + 1])
            else:
                b = max(b, low)
                if j >= 0:
                    b = max(b, edges[min(j, len(edges) - 1)])
            if beyond and b == a:
                break
            if abs(domain[(side + 1) // 2] - a) < _NEAR * width:
                b, j = high if side > 0 else low, _ANY
            if b != a:
                kronrod, gauss = _rules(min(a, b), max(a, b), mu, tau, top, j, edges, c)
                begins[count], ends[count], panels[count] = min(a, b), max(a, b), j
                values[count], errors[count] = kronrod, abs(kronrod - gauss)
                total += kronrod
                count += 1
            a = b
            if (side > 0 and a >= high) or (side < 0 and a <= low):
                break
            while not beyond and 0 <= m < n and side * marks[m] <= side * a:
                m += side
            if side > 0 and j < len(edges) - 1 and a >= edges[j + 1]:
                j += 1
            elif side < 0 and j >= 0 and a <= edges[j]:
                j -= 1
    for _ in range(60):
        before = count
        for j in range(before):
            if errors[j] <= accepted * total or count >= MOST:
                continue
            a, b = begins[j], ends[j]
            middle = 0.5 * (a + b)
            total -= values[j]
            for where, d, e in ((j, a, middle), (count, middle, b)):
                kronrod, gauss = _rules(d, e, mu, tau, top, panels[j], edges, c)
                begins[where], ends[where], panels[where] = d, e, panels[j]
                values[where], errors[where] = kronrod, abs(kronrod - gauss)
                total += kronrod
            count += 1
        if count == before:
            break
    total = values[:count].sum()
    if not total > 0:
        return -np.inf
    return top + math.log(total / (tau * math.sqrt(2 * math.pi)))
