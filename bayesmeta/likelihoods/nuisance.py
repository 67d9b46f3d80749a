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
    """Climb to the peak by damped Newton steps on finite differences; the peak and its width."""
    peak, scale = np.broadcast_arrays(start, width)
    offsets = np.array([-0.5, 0.0, 0.5])
    for _ in range(60):
        low, mid, high = np.moveaxis(log_f(peak + scale * offsets)[..., None], -2, 0)
        slope, bend = high - low, 4 * (high - 2 * mid + low)  # per scale, per scale^2
        curved = bend < -1e-12
        newton = np.where(curved, slope / np.where(curved, -bend, 1.0), np.sign(slope) * 4)
        move = np.clip(newton, -4, 4)
        peak = peak + scale * move
        near = curved & (np.abs(move) < 2)
        scale = np.where(near, scale / np.sqrt(np.clip(-bend, 0.05, 20)), scale * 1.5)
        if np.all(near & (np.abs(move) < 0.5)):
            break
    return peak, scale


def _extent(
    log_f: Callable[[FloatArray], FloatArray], peak: FloatArray, top: FloatArray, step: FloatArray
) -> FloatArray:
    """How many steps from the peak the integrand has fallen by the cut, and not much further."""
    distance = np.full(peak.shape, 9.0)
    for _ in range(40):
        drop = np.maximum(top - log_f(peak + step * distance), 1e-3)
        short, long = drop < _DROP, drop > 2.5 * _DROP
        if not np.any(short | long):
            break
        grow = np.minimum(1.1 * _DROP / drop, 8.0)
        distance = distance * np.where(short, grow, np.where(long, np.sqrt(1.1 * _DROP / drop), 1.0))
    if np.any(short):
        raise AccuracyError("A study's baseline has no end: its likelihood and prior stay flat")
    return distance
