"""Integrals over one nuisance parameter, many at once, each about its own peak."""

from collections.abc import Callable

import numpy as np

from bayesmeta.errors import AccuracyError
from bayesmeta.priors import Prior
from bayesmeta.scales import FloatArray

type IndexArray = np.ndarray[tuple[int], np.dtype[np.intp]]
type BoolArray = np.ndarray[tuple[int, ...], np.dtype[np.bool_]]
type LogIntegrand = Callable[[FloatArray, IndexArray], FloatArray]

_DROP = 38.0  # log units below the peak at which the integrand is cut: e^-38 = 3e-17
_BEND = 4.0  # widths after which the nodes begin to spread exponentially
_FIRST, _LAST = 20, 5120  # steps of the first rule, and of the last
_HALVING = 3e-8  # accepted change of the log integral when the step is halved; see below
_CHUNK = 768  # integrands summed at once: 126 kB for the first rule, within the cache
_SEARCH = 8192  # integrands whose peaks are looked for at once, about
_SPARSE = 4  # neighbours of which one is looked for, where they are alike
_RUN = 50  # share of a run of alike integrands in which all must have settled: a fiftieth
_NEAR, _FALLEN = 3.0, 33.0  # log units that those between may change nearby, must fall at the ends


def integrate_peak(
    log_f: LogIntegrand,
    start: FloatArray,
    width: FloatArray,
    *,
    landmarks: FloatArray | None = None,
    least: FloatArray | None = None,
    alike: int = 1,
) -> FloatArray:
    """Logarithm of the integral of exp(log_f) over the line, for many integrands (pair,).

    The trapezoid rule in x, a = peak + width * bend * sinh(x / bend): even steps where the
    integrand is normal, exponentially growing ones where it has long tails (an arm without
    events). For analytic integrands the rule's error falls as exp(-c / step), so the error after
    halving the step is about the square of the change that the halving made; the change must stay
    below 3e-8, or the step of that integrand is halved again.

    Parameters
    ----------
    log_f : callable
        ``log_f(a, pair)``: log integrands of the pairs with index `pair` (pair,) at a (pair, node);
        unimodal but for what `landmarks` mark.
    start, width : (pair,)
        Where to look for the peak, and how wide it is about.
    landmarks : (point,) or (pair, point), optional
        Points that the range is made to cover where the integrand counts there: those of a prior
        that may lie in a second mode.
    least : (pair,), optional
        Steps that it takes at least: a small mode that falls between the nodes of two rules looks
        settled.
    alike : int
        The pairs are runs of so many, within which integrands change little from one to the next:
        the peaks and ranges of some are looked for, and those between them interpolated if the
        integrand has fallen at the ends of its range.

    Returns
    -------
    (pair,)

    Raises
    ------
    AccuracyError
        5120 steps do not meet the tolerance.
    """
    out = np.empty(len(start))
    chunk = max(_SEARCH // alike, 1) * alike
    for begin in range(0, len(start), chunk):
        pairs = np.arange(begin, min(begin + chunk, len(start)))

        def of_chunk(a: FloatArray, pair: IndexArray, pairs: IndexArray = pairs) -> FloatArray:
            return log_f(a, pairs[pair])

        marks = landmarks[pairs] if landmarks is not None and landmarks.ndim == 2 else landmarks
        fewest = np.zeros(len(pairs)) if least is None else least[pairs]
        out[pairs] = _integrate(of_chunk, start[pairs], width[pairs], marks, fewest, alike)
    return out


def _integrate(
    log_f: LogIntegrand,
    start: FloatArray,
    width: FloatArray,
    landmarks: FloatArray | None,
    least: FloatArray,
    alike: int,
) -> FloatArray:
    everything = np.arange(len(start))

    def place(which: IndexArray) -> FloatArray:
        marks = landmarks
        if landmarks is not None:
            marks = np.broadcast_to(landmarks, (len(start), landmarks.shape[-1]))[which]
        return _place(lambda a, i: log_f(a, which[i]), start[which], width[which], marks)

    sparse = np.unique(np.append(np.arange(0, alike, _SPARSE), alike - 1))
    runs = np.arange(0, len(start), alike)[:, None]
    placed = place((runs + sparse).reshape(-1))
    if alike > 1:
        placed = _between(placed, sparse, alike)
        lost = everything[~_is_placed(lambda a: log_f(a, everything), placed)]
        if len(lost):
            placed[:, lost] = place(lost)
    peak, scale, left, right = placed
    top = log_f(peak[:, None], everything)[:, 0]
    left, right = (_BEND * np.arcsinh(distance / _BEND) for distance in (left, right))

    def sum_nodes(which: IndexArray, steps: int, nodes: FloatArray) -> FloatArray:
        x = ((left + right)[which] / steps)[:, None] * nodes
        x -= left[which, None]
        x /= _BEND
        grown = np.exp(x, out=x)
        shrunk = 1 / grown
        a = grown - shrunk
        a *= (scale[which] * (0.5 * _BEND))[:, None]
        a += peak[which, None]
        f = log_f(a, which)
        f -= top[which, None]
        np.exp(f, out=f)
        grown += shrunk
        out: FloatArray = 0.5 * np.vecdot(f, grown)
        return out

    total, within = np.empty(len(start)), 1 + alike // _RUN
    for begin in range(0, len(start), _CHUNK):
        todo, steps = everything[begin : begin + _CHUNK], _FIRST
        total[todo] = sum_nodes(todo, steps, np.arange(_FIRST + 1.0))
        while len(todo):
            if steps >= _LAST:
                raise AccuracyError(
                    f"An integral over a study's baseline did not settle with {steps} nodes. "
                    "Is the baseline prior far narrower than the data, or far from them?"
                )
            more = sum_nodes(todo, 2 * steps, np.arange(1.0, 2 * steps, 2))
            moved = np.abs(total[todo] - more) / (total[todo] + more)
            total[todo] += more
            steps *= 2
            settled = (moved < _HALVING) & (steps >= least[todo])
            settled &= _is_settled_around(settled, within)
            total[todo[settled]] *= ((left + right) / steps)[todo[settled]]
            todo = todo[~settled]
    out: FloatArray = top + np.log(total * scale)
    return out


def _is_settled_around(settled: BoolArray, within: int) -> BoolArray:
    """Whether the neighbours (pair,) have settled too: a change may pass through 0 by chance."""
    unsettled = np.concatenate([[0], np.cumsum(~settled)])
    index = np.arange(len(settled))
    first, last = np.maximum(index - within, 0), np.minimum(index + within + 1, len(settled))
    out: BoolArray = unsettled[first] == unsettled[last]
    return out


def _place(
    log_f: LogIntegrand, start: FloatArray, width: FloatArray, landmarks: FloatArray | None
) -> FloatArray:
    """Peaks, widths there, and how many of these the ranges reach to each side, (4, pair)."""
    everything = np.arange(len(start))
    peak, scale = _find_peak(log_f, start, width)
    top = log_f(peak[:, None], everything)[:, 0]
    reach = [_extent(log_f, peak, top, side * scale) for side in (-1, 1)]
    if landmarks is not None:
        counts = log_f(landmarks, everything) > top[:, None] - _DROP
        away = (landmarks - peak[:, None]) / scale[:, None]
        reach = [
            np.maximum(so_far, np.where(counts, side * away, 0.0).max(axis=1) * 1.5)
            for side, so_far in zip((-1, 1), reach, strict=True)
        ]
    return np.stack([peak, scale, *reach])


def _between(placed: FloatArray, sparse: IndexArray, alike: int) -> FloatArray:
    """Interpolate what is known at the positions `sparse` of runs of `alike`: (4, pair) each.

    Ranges are those of the neighbour that reaches further.
    """
    known = placed.reshape(len(placed), -1, len(sparse))
    index = np.arange(alike)
    upper = np.clip(np.searchsorted(sparse, index), 1, len(sparse) - 1)
    share = (index - sparse[upper - 1]) / (sparse[upper] - sparse[upper - 1])
    before, after = known[..., upper - 1], known[..., upper]
    out: FloatArray = before * (1 - share) + after * share
    out[2:] = np.maximum(before, after)[2:]
    return out.reshape(len(placed), -1)


def _is_placed(log_f: Callable[[FloatArray], FloatArray], placed: FloatArray) -> BoolArray:
    """Whether peaks and widths (4, pair) are about right, and integrands have fallen at the ends.

    At a peak's width from it an integrand has fallen by 1/2, or somewhat more or less.
    """
    peak, scale, left, right = placed
    one = np.ones_like(left)
    points = np.stack([-left, -one, 0 * one, one, right], axis=1)
    below, before, top, after, above = log_f(peak[:, None] + scale[:, None] * points).T
    near = np.maximum(np.abs(before - top), np.abs(after - top)) < _NEAR
    out: BoolArray = near & (np.maximum(below, above) < top - _FALLEN)
    return out


def prior_landmarks(prior: Prior) -> FloatArray:
    """Points at which a proper prior may hold a second mode of an integrand."""
    share = np.array([1e-12, 1e-8, 1e-5, 1e-3, 0.05, 0.25, 0.5])
    return prior.quantile(np.concatenate([share, 1 - share[:-1]]))


def _find_peak(
    log_f: LogIntegrand, start: FloatArray, width: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Find the peaks, about, and the widths there: Newton steps kept inside a bracket.

    Slopes are differences over a quarter of `width` to each side, which fall monotonically where
    `log_f` is concave.
    """
    peak, scale, unit = start.copy(), width.copy(), 0.25 * width
    low, high = np.full(peak.shape, -np.inf), np.full(peak.shape, np.inf)
    todo = np.arange(len(start))
    reach = 16.0
    for _ in range(100):
        p, u = peak[todo], unit[todo]
        below, here, above = log_f(p[:, None] + u[:, None] * [-1.0, 0.0, 1.0], todo).T
        slope, bend = (above - below) / 2, 2 * here - below - above  # per unit, minus per unit^2
        low[todo] = np.where(slope > 0, p, low[todo])
        high[todo] = np.where(slope > 0, high[todo], p)
        scale[todo] = u / np.sqrt(np.maximum(bend, 1e-8))
        newton = u * slope / np.maximum(bend, 1e-12)
        left = ~((np.abs(newton) < 0.3 * scale[todo]) | (high[todo] - low[todo] < 0.01 * u))
        todo, p, u, newton = todo[left], p[left], u[left], newton[left]
        if not len(todo):
            break
        move = p + np.clip(newton, -reach * u, reach * u)
        lo, hi = low[todo], high[todo]
        bracketed = np.isfinite(lo) & np.isfinite(hi)
        middle = np.where(bracketed, lo, p) / 2 + np.where(bracketed, hi, p) / 2
        peak[todo] = np.where((move >= lo) & (move <= hi), move, middle)
        reach *= 1.5
    return peak, scale


def _extent(log_f: LogIntegrand, peak: FloatArray, top: FloatArray, step: FloatArray) -> FloatArray:
    """How many steps from the peak the integrand has fallen by the cut, and not much further."""
    distance = np.full(peak.shape, 9.0)
    short, long = np.zeros(peak.shape), np.full(peak.shape, np.inf)  # too near, too far
    todo = np.arange(len(peak))
    for _ in range(80):
        d = distance[todo]
        at = (peak[todo] + step[todo] * d)[:, None]
        drop = np.maximum(top[todo] - log_f(at, todo)[:, 0], 1e-3)
        near, far = drop < _DROP, drop > 2.5 * _DROP
        short[todo] = np.where(near, d, short[todo])
        long[todo] = np.where(far, d, long[todo])
        left = near | far
        todo, d, drop = todo[left], d[left], drop[left]
        if not len(todo):
            return distance
        guess = d * np.clip(np.sqrt(1.5 * _DROP / drop), 0.1, 8.0)
        between = (short[todo] > 0) & np.isfinite(long[todo])
        lo, hi = np.where(between, short[todo], 1.0), np.where(between, long[todo], 1.0)
        distance[todo] = np.where(between, np.sqrt(lo * hi), guess)
    raise AccuracyError("A study's baseline has no end: its likelihood and prior stay flat")
