"""Integrals over one nuisance parameter, many at once, each about its own peak."""

from collections.abc import Callable

import numpy as np

from bayesmeta.errors import AccuracyError
from bayesmeta.scales import FloatArray

_DROP = 40.0  # log units below the peak at which the integrand is cut: e^-40 = 4e-18
_BEND = 4.0  # widths after which the nodes begin to spread exponentially
_HALVING = 1e-7  # accepted change of the log integral when the step is doubled; see below


def integrate_peak(
    log_f: Callable[[FloatArray], FloatArray], start: FloatArray, width: FloatArray
) -> FloatArray:
    """Logarithm of the integral of exp(log_f) over the line, for every leading index.

    The trapezoid rule in x, a = peak + width * bend * sinh(x / bend): even steps where the
    integrand is normal, exponentially growing ones where it has long tails (an arm without
    events). For analytic integrands the rule's error falls as exp(-c / step), so the error after
    halving the step is the square of the change that the halving made; the change must stay below
    1e-7, or the nodes are doubled.

    Parameters
    ----------
    log_f : callable
        Unimodal log integrand, (..., node) -> (..., node).
    start, width : (..., 1)
        Where to look for the peak, and how wide it is about.

    Returns
    -------
    (...)

    Raises
    ------
    AccuracyError
        4096 nodes do not meet the tolerance.
    """
    peak, scale = _find_peak(log_f, start, width)
    top = log_f(peak)
    left, right = (_BEND * np.arcsinh(_extent(log_f, peak, top, side * scale) / _BEND)
                   for side in (-1, 1))  # fmt: skip
    nodes = 48
    while nodes <= 4096:
        x = -left + (left + right) * (np.arange(nodes + 1) / nodes)
        a = peak + scale * _BEND * np.sinh(x / _BEND)
        f = np.exp(log_f(a) - top) * np.cosh(x / _BEND)
        fine = f.sum(axis=-1)
        if float(np.max(np.abs(np.log(2 * f[..., ::2].sum(axis=-1) / fine)), initial=0)) < _HALVING:
            step = ((left + right) * scale)[..., 0] / nodes
            out: FloatArray = top[..., 0] + np.log(fine * step)
            return out
        nodes *= 2
    raise AccuracyError(
        f"An integral over a study's baseline did not settle with {nodes // 2} nodes. "
        "Is the baseline prior far narrower than the data, or far from them?"
    )


def _find_peak(
    log_f: Callable[[FloatArray], FloatArray], start: FloatArray, width: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Find the peak, about, and the width there: Newton steps kept inside a bracket.

    Slopes are differences over a quarter of `width` to each side, which fall monotonically where
    `log_f` is concave.
    """
    peak, unit = np.broadcast_arrays(start, 0.25 * width)
    low, high = np.full(peak.shape, -np.inf), np.full(peak.shape, np.inf)
    reach = 16.0 * unit
    offsets = np.array([-1.0, 0.0, 1.0])
    for _ in range(100):
        below, here, above = np.moveaxis(log_f(peak + unit * offsets), -1, 0)[..., None]
        slope, bend = (above - below) / 2, 2 * here - below - above  # per unit, minus per unit^2
        low, high = np.where(slope > 0, peak, low), np.where(slope > 0, high, peak)
        scale = unit / np.sqrt(np.maximum(bend, 1e-8))
        newton = unit * slope / np.maximum(bend, 1e-12)
        settled = (np.abs(newton) < 0.3 * scale) | (high - low < 0.01 * unit)
        step = np.clip(newton, -reach, reach)
        if settled.all():
            break
        move = peak + np.where(settled, 0.0, step)
        inside = (move >= low) & (move <= high)
        bracketed = np.isfinite(low) & np.isfinite(high)
        middle = np.where(bracketed, low, peak) / 2 + np.where(bracketed, high, peak) / 2
        peak, reach = np.where(inside, move, middle), np.where(bracketed, reach, 2 * reach)
    return peak, scale


def _extent(
    log_f: Callable[[FloatArray], FloatArray], peak: FloatArray, top: FloatArray, step: FloatArray
) -> FloatArray:
    """How many steps from the peak the integrand has fallen by the cut, and not much further."""
    distance = np.full(peak.shape, 9.0)
    short, long = np.zeros(peak.shape), np.full(peak.shape, np.inf)  # too near, too far
    for _ in range(80):
        drop = np.maximum(top - log_f(peak + step * distance), 1e-3)
        near, far = drop < _DROP, drop > 2.5 * _DROP
        if not np.any(near | far):
            return distance
        short, long = np.where(near, distance, short), np.where(far, distance, long)
        guess = distance * np.clip(np.sqrt(1.5 * _DROP / drop), 0.1, 8.0)
        between = (short > 0) & np.isfinite(long)
        middle = np.sqrt(np.where(between, short, 1.0) * np.where(between, long, 1.0))
        distance = np.where(near | far, np.where(between, middle, guess), distance)
    raise AccuracyError("A study's baseline has no end: its likelihood and prior stay flat")
