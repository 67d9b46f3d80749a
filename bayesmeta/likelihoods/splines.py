"""Splines of degree 7 through tables, in pieces between break points."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from bayesmeta.scales import FloatArray

DEGREE = 7
FEWEST = DEGREE + 1  # nodes of a piece


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Spline:
    """A spline, straight on beyond its ends.

    Attributes
    ----------
    nodes : (node,)
        Increasing.
    taylor : (interval, 8)
        Coefficients about the middle of each interval between nodes, in half widths.
    error : float
        Bound of the error between the nodes: how far a spline through every second node misses
        the others, over 1 plus how far a value is below the largest.
    """

    nodes: FloatArray
    taylor: FloatArray
    error: float

    def __call__(self, x: FloatArray) -> FloatArray:
        """Value at x, of any shape."""
        last = len(self.nodes) - 2
        i = np.clip(np.searchsorted(self.nodes, x, side="right") - 1, 0, last)
        middle, half = self.middles
        u = (x - middle[i]) / half[i]
        inside = np.clip(u, -1.0, 1.0)
        c = self.taylor[i]
        value, slope = c[..., DEGREE], np.zeros_like(inside)
        for power in range(DEGREE - 1, -1, -1):
            slope = slope * inside + value
            value = value * inside + c[..., power]
        out: FloatArray = value + (u - inside) * slope
        return out

    def __eq__(self, other: object) -> bool:
        """Whether both go through the same points."""
        if not isinstance(other, Spline):
            return NotImplemented
        return np.array_equal(self.nodes, other.nodes) and np.array_equal(self.taylor, other.taylor)

    @property
    def middles(self) -> tuple[FloatArray, FloatArray]:
        """Middles and half widths of the intervals, (interval,) each."""
        return (self.nodes[1:] + self.nodes[:-1]) / 2, np.diff(self.nodes) / 2


def fit_spline(x: FloatArray, f: FloatArray, breaks: Sequence[float] = ()) -> Spline:
    """Lay a spline through nodes, by itself in each piece between the break points.

    Parameters
    ----------
    x, f : (node,)
        Increasing nodes, and the values there.
    breaks : sequence of float
        Nodes at which the values may bend; at least 8 nodes in each piece, both ends counted.

    Examples
    --------
    >>> x = np.linspace(-4, 4, 17)
    >>> float(fit_spline(x, np.abs(x), [0.0])(np.array(0.1)).round(12))
    0.1
    """
    from scipy.interpolate import make_interp_spline

    cuts = [0, *np.searchsorted(x, sorted(breaks)).tolist(), len(x) - 1]
    parts, error = [], 0.0
    for first, last in pairwise(cuts):
        nodes, values = x[first : last + 1], f[first : last + 1]
        middle, half = (nodes[1:] + nodes[:-1]) / 2, np.diff(nodes) / 2
        spline = make_interp_spline(nodes, values, k=DEGREE)
        powers = range(DEGREE + 1)
        taylor = [spline(middle, nu=m) * half**m / math.factorial(m) for m in powers]
        parts.append(np.stack(taylor, axis=-1))
        rest = make_interp_spline(nodes[::2], values[::2], k=_odd(len(nodes[::2]) - 1))
        off = np.abs(rest(nodes) - values) / (1 + np.abs(f.max() - values))
        error = max(error, float(off.max()))
    return Spline(nodes=x, taylor=np.concatenate(parts), error=error)


def _odd(most: int) -> int:
    """Largest odd degree that so many nodes less 1 allow."""
    return min(DEGREE, most - (most + 1) % 2)
