"""Ticks for an axis of ratios: numbers that a reader would choose."""

import numpy as np

_PER_DECADE = ((1.0,), (1.0, 3.0), (1.0, 2.0, 5.0), (1.0, 1.5, 2.0, 3.0, 5.0, 7.0))
_APART = 0.07  # least distance of two ticks, in lengths of the axis
_STEPS = (5.0, 2.5, 2.0, 1.0)  # times a power of ten


def ratio_ticks(low: float, high: float) -> list[float]:
    """Choose five to nine ticks between two ratios.

    Parameters
    ----------
    low, high : float
        Ends of the axis, as ratios; 0 < low < high.

    Returns
    -------
    list of float
        Powers of ten, then 1-3, then 1-2-5 and so on, then even steps, whichever is the first to
        give five.

    Examples
    --------
    >>> ratio_ticks(0.04, 6.0)
    [0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0]
    >>> ratio_ticks(0.7, 1.3)
    [0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3]
    """
    decades = 10.0 ** np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
    scales = [np.outer(decades, digits).ravel() for digits in _PER_DECADE]
    largest = np.floor(np.log10(high - low))
    steps = np.outer(10.0 ** (largest - np.arange(2)), _STEPS).ravel()
    scales += [step * np.arange(np.floor(low / step), np.ceil(high / step) + 1) for step in steps]
    for scale in scales:
        rounded = np.array([float(f"{tick:.6g}") for tick in scale])
        ticks = rounded[(rounded >= low * (1 - 1e-9)) & (rounded <= high * (1 + 1e-9))]
        if len(ticks) >= 5:
            return _thin([float(tick) for tick in ticks], _APART * np.log(high / low))
    return [float(f"{tick:.6g}") for tick in np.geomspace(low, high, 5)]


def _thin(ticks: list[float], apart: float) -> list[float]:
    """Take every second tick, or third and so on, so that none are near: 1 stays if it is there."""
    step = -(-len(ticks) // 9)
    while True:
        start = ticks.index(1.0) % step if 1.0 in ticks else 0
        kept = ticks[start::step]
        if len(kept) < 3 or np.diff(np.log(kept)).min() >= apart:
            return kept
        step += 1
