"""One-dimensional rules: maps of a support onto the line, ranges, and even nodes on them.

On the line the trapezoid rule converges exponentially for an analytic integrand that has vanished
at both ends of its range (Trefethen and Weideman 2014). The change that doubling the step makes is
therefore a bound of the error that is left, and also the size of the integrand's spectrum at the
nodes' Nyquist frequency, which bounds the error of the sinc interpolant through the nodes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.special import wrightomega

from bayesmeta.errors import AccuracyError
from bayesmeta.inference.bounds import rebound, unbound
from bayesmeta.scales import FloatArray

DROP = 36.0  # log units below its maximum at which an integrand is cut: e^-36 = 2e-16
FIRST_NODES = 65
LAST_NODES = 8193
LOWEST_CHECKED = 0.85  # of the frequencies that `nyquist` looks at, in Nyquist frequencies


@dataclass(frozen=True, slots=True, kw_only=True)
class SupportMap:
    """A map of the whole line onto an interval (low, high), double exponential at finite ends.

    ``low + unit * exp(v - exp(-v))`` where `high` is infinite, else a logistic curve of
    ``2 sinh(v)``. A density that is finite at `low` gives an integrand that falls double
    exponentially there; an infinite end is left to the density.
    """

    low: float
    high: float
    unit: float

    def point(self, v: FloatArray) -> FloatArray:
        """From the line to the interval."""
        if np.isinf(self.high):
            out: FloatArray = self.low + self.unit * np.exp(v - np.exp(-v))
        else:
            out = rebound(np.sinh(v), (self.low, self.high))
        return out

    def log_slope(self, v: FloatArray) -> FloatArray:
        """Logarithm of the derivative of `point`."""
        if np.isinf(self.high):
            out: FloatArray = np.log(self.unit) + v - np.exp(-v) + np.log1p(np.exp(-v))
        else:
            z = 2 * np.sinh(v)
            out = np.log(self.high - self.low) + np.log(2 * np.cosh(v))
            out = out - np.abs(z) - 2 * np.log1p(np.exp(-np.abs(z)))
        return out

    def line(self, x: FloatArray) -> FloatArray:
        """From the interval to the line; the ends go to -inf and inf."""
        x = np.asarray(x, dtype=float)
        with np.errstate(divide="ignore"):
            if np.isinf(self.high):
                z = np.log(np.maximum(x - self.low, 0.0) / self.unit)
                inner = np.where(np.isfinite(z), z, 0.0)
                v = inner + wrightomega(-inner)
                out: FloatArray = np.where(np.isfinite(z), v, z)
            else:
                out = np.arcsinh(unbound(x, (self.low, self.high)))
                out = np.where(x > self.low, np.where(x < self.high, out, np.inf), -np.inf)
        return out

    @property
    def scan(self) -> tuple[float, float, float]:
        """Where to begin to look: first low and high end, and the last high end to try."""
        return (-4.3, 12.0, 690.0) if np.isinf(self.high) else (-4.3, 4.3, 4.3)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SinhMap:
    """``center + scale * bend * sinh(x / bend)``: even near the centre, exponential far out.

    Arrays `center` and `scale` have the leading shape of the points that are mapped.
    """

    center: FloatArray
    scale: FloatArray
    bend: float

    def point(self, x: FloatArray) -> FloatArray:
        """From the line to the parameter; x (..., node)."""
        stretch = self.bend * np.sinh(x / self.bend)
        out: FloatArray = self.center[..., None] + self.scale[..., None] * stretch
        return out

    def log_slope(self, x: FloatArray) -> FloatArray:
        """Logarithm of the derivative of `point`."""
        out: FloatArray = np.log(self.scale)[..., None] + np.log(np.cosh(x / self.bend))
        return out

    def line(self, value: FloatArray) -> FloatArray:
        """From the parameter to the line."""
        z = (value - self.center[..., None]) / (self.scale[..., None] * self.bend)
        out: FloatArray = self.bend * np.arcsinh(z)
        return out


def find_range(
    log_f: Callable[[FloatArray], FloatArray],
    low: FloatArray,
    high: FloatArray,
    *,
    lowest: FloatArray | float = -np.inf,
    highest: FloatArray | float = np.inf,
    points: int = 65,
    drop: float = DROP,
) -> tuple[FloatArray, FloatArray]:
    """Find the ends of the range outside which `log_f` is negligible, for every leading index.

    The range is scanned evenly, widened where the integrand has not fallen by its end, and cut to
    what is above the maximum less `drop`, until that fills a third of the points.

    Parameters
    ----------
    log_f : callable
        Log integrand, (..., point) -> (..., point); or several of them, (..., point, integrand),
        all of which must be covered.
    low, high : (...)
        Where to begin.
    lowest, highest : float or (...)
        How far the range may be widened.
    points : int
        Points of a scan.
    drop : float
        Log units below the maximum at which the integrand is cut.

    Returns
    -------
    low, high : (...)

    Raises
    ------
    AccuracyError
        The integrand has not fallen where the range may go no further, or never settles.
    """
    share = np.linspace(0, 1, points)
    index = np.arange(points)
    for _ in range(60):
        v = low[..., None] + (high - low)[..., None] * share
        f = log_f(v)
        f = f[..., None] if f.ndim == v.ndim else f
        keep = (f > f.max(axis=-2, keepdims=True) - drop).any(axis=-1)
        first = np.where(keep, index, points).min(axis=-1)
        last = np.where(keep, index, -1).max(axis=-1)
        at_low, at_high = (first == 0) & (low > lowest), (last == points - 1) & (high < highest)
        if not np.any(at_low | at_high) and np.all((last - first) * 3 >= points):
            return low, high
        step = (high - low) / (points - 1)
        low, high = (
            np.where(at_low, np.maximum(lowest, 2 * low - high), low + step * (first - 1).clip(0)),
            np.where(
                at_high,
                np.minimum(highest, 2 * high - low),
                low + step * np.minimum(last + 1, points - 1),
            ),
        )
        if np.any((high >= highest) & at_high & np.isinf(highest)):
            break
    raise AccuracyError(
        "The range of an integral could not be found: the posterior's tail is too long. "
        "Use priors with lighter tails"
    )


def cut_off(mass: FloatArray, values: FloatArray, moment: int) -> FloatArray:
    """Share of the sum of mass * values^moment (..., node) that lies beyond the nodes.

    Each tail goes on as the geometric series that its last two nodes begin; three times over, for
    a tail that bends.
    """
    terms = mass * np.abs(values) ** moment
    total = terms.sum(axis=-1)
    beyond = np.zeros_like(total)
    for last, before in ((terms[..., 0], terms[..., 1]), (terms[..., -1], terms[..., -2])):
        ratio = np.clip(last / np.maximum(before, 1e-300), 0.0, 0.999)
        beyond = beyond + last * ratio / (1 - ratio)
    out: FloatArray = 3 * beyond / total
    return out


def nyquist(mass: FloatArray) -> FloatArray:
    """Size of the spectrum of even nodal masses (..., node) near their highest frequency.

    Bounds the change made by doubling the step (the highest frequency itself), and so the error
    of the sinc interpolant through the nodes; the largest of four frequencies, so that a zero of
    the spectrum does not look like convergence.
    """
    waves = mass @ _waves(mass.shape[-1])
    out: FloatArray = np.hypot(waves[..., :4], waves[..., 4:]).max(axis=-1)
    return out


@lru_cache(maxsize=32)
def _waves(nodes: int) -> FloatArray:
    """Cosines and sines of four frequencies at the nodes, (node, 8)."""
    phase = np.pi * np.outer(np.arange(nodes), [1.0, 0.95, 0.9, LOWEST_CHECKED])
    out: FloatArray = np.hstack([np.cos(phase), np.sin(phase)])
    return out
