"""Between a parameter within bounds and the whole line, to the last digits at its middle and ends.

Where the bounds are -1 and 1, effects next to 0 may be many orders smaller than they.
"""

import numpy as np
from scipy.special import expit

from bayesmeta.scales import FloatArray

type Domain = tuple[float, float]

_MIDDLE = 0.5  # of the line: closer to 0 the distance to the middle has its own digits


def unbound(theta: FloatArray, domain: Domain | None) -> FloatArray:
    """From theta to the whole line: artanh of its place between bounds, if there are any."""
    if domain is None:
        return theta
    below, above = find_room(theta, domain)
    ratio = (2 * theta - (domain[0] + domain[1])) / above  # below / above, less 1
    out: FloatArray = np.where(
        np.abs(ratio) < _MIDDLE,
        0.5 * np.log1p(np.clip(ratio, -_MIDDLE, _MIDDLE)),
        0.5 * (np.log(below) - np.log(above)),
    )
    return out


def rebound(u: FloatArray, domain: Domain | None) -> FloatArray:
    """Undo `unbound`."""
    if domain is None:
        return u
    low, high = domain
    out: FloatArray = np.where(
        np.abs(u) < _MIDDLE,
        0.5 * (low + high) + 0.5 * (high - low) * np.tanh(u),
        np.minimum(low + (high - low) * expit(2 * u), high),
    )
    return out


def find_room(theta: FloatArray, domain: Domain) -> tuple[FloatArray, FloatArray]:
    """Distances of theta from the bounds, never less than rounding leaves of them."""
    low, high = domain
    least_below, least_above = (max(abs(bound) * 1e-16, 1e-100) for bound in domain)
    return np.maximum(theta - low, least_below), np.maximum(high - theta, least_above)
