"""Densities known by their masses at even nodes of a mapped line."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import sici

from bayesmeta.inference.quantiles import (
    CLOSE,
    IntervalKind,
    as_points,
    find_interval,
    solve_about_normal,
    solve_quantile,
    spread,
)
from bayesmeta.inference.rough import MuMap
from bayesmeta.inference.shown import Shown
from bayesmeta.scales import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class SincDensity(Shown):
    """A density known by its masses at even nodes of a mapped line, exact between them.

    Between nodes the density is the sinc interpolant, whose integral is the sine integral: it
    converges as the trapezoid rule through the same nodes does (Stenger 1993).

    Attributes
    ----------
    start, step : (..., component)
        First node and spacing on the line.
    masses : (..., component, node)
        Sum to 1 over components and nodes, or to this part's share of a `Mixture`.
    coordinate : SupportMap, SinhMap or CrowdedMap
        The map from the line to the parameter; a SinhMap has arrays (..., component), and a
        CrowdedMap (..., component, 1).
    shift : (..., component)
        Added to the parameter (components that are copies of one density, moved).
    has_mean, has_sd : bool or (...)
        Whether these exist.
    """

    start: FloatArray
    step: FloatArray
    masses: FloatArray
    coordinate: MuMap
    shift: FloatArray | None = None
    has_mean: bool | NDArray[np.bool_] = True
    has_sd: bool | NDArray[np.bool_] = True

    def _values(self) -> FloatArray:
        nodes = np.arange(self.masses.shape[-1])
        points = self.coordinate.point(self.start[..., None] + self.step[..., None] * nodes)
        return points if self.shift is None else points + self.shift[..., None]

    @property
    def mean(self) -> FloatArray:
        """Posterior mean; nan where it does not exist."""
        out: FloatArray = (self.masses * self._values()).sum(axis=(-2, -1))
        return np.where(self.has_mean, out, np.nan)[()]

    @property
    def sd(self) -> FloatArray:
        """Posterior standard deviation; nan where it does not exist."""
        values = self._values()
        center = (self.masses * values).sum(axis=(-2, -1))[..., None, None]
        out: FloatArray = np.sqrt((self.masses * (values - center) ** 2).sum(axis=(-2, -1)))
        return np.where(self.has_sd, out, np.nan)[()]

    def _line(self, x: FloatArray) -> FloatArray:
        """Positions in steps from the first node, (..., component, point)."""
        moved = x[..., None, :] if self.shift is None else x[..., None, :] - self.shift[..., None]
        return (self.coordinate.line(moved) - self.start[..., None]) / self.step[..., None]

    def _cdf_at(self, steps: FloatArray) -> FloatArray:
        """Cumulative mass of each component at positions (..., component, point)."""
        away = steps[..., None] - np.arange(self.masses.shape[-1])
        share = sici(np.pi * away)[0] / np.pi
        share += 0.5
        out: FloatArray = np.vecdot(share, self.masses[..., None, :])
        return out

    def _density_at(self, steps: FloatArray) -> FloatArray:
        """Density of each component per step, at positions (..., component, point).

        sin(pi (s - j)) is one sine for all nodes j, whose signs alternate.
        """
        inside = np.isfinite(steps)
        steps = np.where(inside, steps, 0.0)
        index = np.arange(self.masses.shape[-1])
        away = steps[..., None] - index
        near = np.rint(steps)
        sign = 1 - 2 * (near % 2)
        wave = np.sin(np.pi * (steps - near)) * sign / np.pi
        at_node = away == 0
        away[at_node] = 1.0
        sinc = np.where(at_node, sign[..., None], wave[..., None] / away)
        out = np.vecdot(sinc, (self.masses * (1 - 2 * (index % 2)))[..., None, :])
        return np.where(inside, out, 0.0)

    def cdf(self, x: ArrayLike) -> FloatArray:
        """P(X <= x) for x (point,), giving (..., point); for a number, (...)."""
        return as_points(lambda x: self._clip(self._cdf_at(self._line(x)).sum(axis=-2)), x)

    def cumulate_components(self, x: FloatArray) -> FloatArray:
        """Mass of each component below x (point,), giving (..., component, point)."""
        return self._cdf_at(self._line(x))

    def _clip(self, probability: FloatArray) -> FloatArray:
        """Cut the rounding of a sum of masses, some 1e-16, off the ends of its range."""
        return np.clip(probability, 0.0, self.masses.sum(axis=(-2, -1))[..., None])

    def sf(self, x: ArrayLike) -> FloatArray:
        """P(X > x), to the accuracy of the nodes in absolute terms."""
        total = self.masses.sum(axis=(-2, -1))
        return as_points(lambda x: self._clip(total[..., None] - self.cdf(x)), x)

    def pdf(self, x: ArrayLike) -> FloatArray:
        """Density at x."""

        def density(x: FloatArray) -> FloatArray:
            per_step = self._density_at(self._line(x)) * self._steps_per_unit(x)
            return np.maximum(per_step.sum(axis=-2), 0.0)

        return as_points(density, x)

    def _steps_per_unit(self, x: FloatArray) -> FloatArray:
        moved = x[..., None, :] if self.shift is None else x[..., None, :] - self.shift[..., None]
        line = self.coordinate.line(moved)
        inside = np.isfinite(line)
        slope = self.coordinate.log_slope(np.where(inside, line, 0.0))
        out: FloatArray = np.where(inside, np.exp(-slope), 0.0) / self.step[..., None]
        return out

    def quantile(self, p: ArrayLike, *, close: float = CLOSE) -> FloatArray:
        """Value with probability p below it; `close` as for `solve_quantile`."""
        if self.masses.shape[-2] == 1:  # one component: solve on the line, where it is smooth
            return as_points(lambda p: self._quantile_on_line(p, close), p)
        low, high = self.reach

        def cdf_and_pdf(x: FloatArray) -> tuple[FloatArray, FloatArray]:
            steps = self._line(x)
            density = self._density_at(steps) * self._steps_per_unit(x)
            return self._cdf_at(steps).sum(axis=-2), density.sum(axis=-2)

        return solve_about_normal(self, cdf_and_pdf, low, high, p, ends=self._support, close=close)

    @property
    def reach(self) -> tuple[FloatArray, FloatArray]:
        """First and last node."""
        values = self._values()
        return values.min(axis=(-2, -1)), values.max(axis=(-2, -1))

    @property
    def _support(self) -> tuple[FloatArray, FloatArray]:
        """Where the ends of the line are."""
        line = np.broadcast_to([-np.inf, np.inf], (*self.start.shape, 2))
        ends = self.coordinate.point(line)
        ends = ends if self.shift is None else ends + self.shift[..., None]
        return ends[..., 0].min(axis=-1), ends[..., 1].max(axis=-1)

    def _quantile_on_line(self, p: FloatArray, close: float) -> FloatArray:
        def cdf_and_pdf(steps: FloatArray) -> tuple[FloatArray, FloatArray]:
            inner = steps[..., None, :]
            return self._cdf_at(inner)[..., 0, :], self._density_at(inner)[..., 0, :]

        p = spread(p, self.start[..., 0]) if p.ndim == 1 else p
        index, guess = self._guess_steps(p)
        below, above = np.maximum(index - 2, 0), np.minimum(index + 1, self.masses.shape[-1] - 1)
        steps = solve_quantile(cdf_and_pdf, p, below, above, start=guess, close=close)
        line = (self.start + self.step * steps)[..., None, :]  # (..., component, point)
        points = self.coordinate.point(line)[..., 0, :]
        return points if self.shift is None else points + self.shift

    def _guess_steps(self, p: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Node above each quantile, and where about the quantile is, by the cubic between nodes."""
        mass = self.masses[..., 0, :]
        nodes = mass.shape[-1]
        cdf = _node_cdf(mass)
        index = (p[..., None] > cdf[..., None, :]).sum(axis=-1)
        upper = np.clip(index, 1, nodes - 1)
        f0, f1, m0, m1 = (
            np.take_along_axis(values, at, axis=-1)
            for values in (cdf, mass)
            for at in (upper - 1, upper)
        )
        rise = np.maximum(f1 - f0, 1e-300)
        u = np.clip((p - f0) / rise, 0.0, 1.0)
        for _ in range(4):
            bend, twist = 3 * rise - 2 * m0 - m1, m0 + m1 - 2 * rise
            value = f0 + u * (m0 + u * (bend + u * twist))
            slope = np.maximum(m0 + u * (2 * bend + 3 * u * twist), 0.1 * rise)
            u = np.clip(u - (value - p) / slope, 0.0, 1.0)
        return index.astype(float), upper - 1 + u

    def interval(self, level: float = 0.95, kind: IntervalKind = "eti") -> FloatArray:
        """Equal-tailed or shortest interval, (..., 2)."""
        return find_interval(self, level, kind)


def _node_cdf(mass: FloatArray) -> FloatArray:
    """Cumulative mass at the nodes themselves, (..., node): a convolution, exact to rounding."""
    nodes = mass.shape[-1]
    width = 1 << (2 * nodes - 1).bit_length()
    out: FloatArray = np.fft.irfft(np.fft.rfft(mass, width) * _step_spectrum(nodes, width), width)
    return out[..., :nodes]


@lru_cache(maxsize=32)
def _step_spectrum(nodes: int, width: int) -> "np.ndarray[tuple[int], np.dtype[np.complex128]]":
    """Discrete spectrum of the share of a node's mass that lies below a later or earlier node."""
    share = np.zeros(width)
    away = np.arange(1 - nodes, nodes)
    share[away] = 0.5 + sici(np.pi * away)[0] / np.pi
    return np.fft.rfft(share)
