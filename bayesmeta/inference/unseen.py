"""Errors that the masses do not show: of quantiles between rows, and beyond lines of mu."""

import numpy as np

from bayesmeta.inference.sinc import SincDensity
from bayesmeta.scales import FloatArray


def error_of_rows(mu: SincDensity, points: FloatArray) -> float:
    """Error of P(mu <= point) from the sum over nodes of tau, the largest of the points.

    P(mu <= point | tau) may move faster with tau than the masses do. The sum over every second node
    is off by the spectrum F at the highest frequency of the nodes, and the sum over all of them by
    F at twice that (see `docs/methods/accuracy.md`), which is continued from F at half of it and
    at the whole: as the fall from half to whole, twice over, of an exponential.
    """
    below = mu.cumulate_components(points)  # (row, point)
    rows = np.arange(len(below))
    half, most, whole = (
        np.abs(np.exp(1j * np.pi * frequency * rows) @ below) for frequency in (0.5, 0.95, 1.0)
    )
    whole = np.maximum(whole, most)
    fall = np.minimum(whole / np.maximum(half, 1e-300), 1.0)
    return 2 * float((whole * fall**2).max())


def beyond_lines(terms: FloatArray) -> float:
    """Share of the sum of terms (tau, mu) that lies beyond the ends of the lines of mu.

    Each end goes on as the geometric series that its last four nodes begin, and is no less than 8
    times the last one.
    """
    beyond = 0.0
    for edge in (terms[:, :4], terms[:, :-5:-1]):
        ratio = np.clip(edge[:, 0] / np.maximum(edge[:, 3], 1e-300), 0.0, 1.0) ** (1 / 3)
        ratio = np.minimum(ratio, 0.998)
        beyond += float((edge[:, 0] * np.maximum(8.0, 2 * ratio / (1 - ratio))).sum())
    return beyond / float(terms.sum())
