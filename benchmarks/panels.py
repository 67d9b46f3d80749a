"""What a run of the reference knows: masses on panels, and all that is asked of them."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.polynomial.legendre import leggauss, legvander
from scipy.optimize import brentq
from scipy.special import ndtr

from bayesmeta.scales import FloatArray

PROBS = (0.025, 0.5, 0.975)
_FAR = 9.0  # tau from which a kernel is 0 or 1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Panels:
    """Masses at the Gauss-Legendre nodes of panels of mu, each of one tau.

    Attributes
    ----------
    tau, begin, end : (panel,)
    mass, coefficients : (panel, node)
        Masses, and Legendre coefficients of the density on (-1, 1).
    at_tau, of_tau : (row,)
        Every tau, and its mass.
    origin : float
        That mu is counted from in `begin`, `end`, `domain` and the functions.
    tau_panels : (line, (panel of tau, 2), (panel of tau, node), (panel of tau, node)) or None
        The line of tau, the panels' ends on it, the masses at their nodes and their coefficients;
        None where tau is known.
    """

    tau: FloatArray
    begin: FloatArray
    end: FloatArray
    mass: FloatArray
    coefficients: FloatArray
    at_tau: FloatArray
    of_tau: FloatArray
    tau_panels: tuple[Any, FloatArray, FloatArray, FloatArray] | None
    log_evidence: float
    origin: float
    domain: tuple[float, float]

    def summary(self, *, moments: bool) -> dict[str, float]:
        """Every number that is compared, by name; nan for a moment that does not exist."""
        out = {"evidence": self.log_evidence, "mu < 0": self.cdf_mu(-self.origin)}
        cdfs: dict[str, Callable[[float], float]] = {"mu": self.cdf_mu}
        if self.tau_panels is not None:
            cdfs |= {"tau": self.cdf_tau, "theta_new": self.cdf_new}
            out["theta_new < 0"] = self.cdf_new(-self.origin)
        first, last = float(self.begin.min()), float(self.end.max())
        middle = float(brentq(lambda x: self.cdf_mu(x) - 0.5, first, last, xtol=1e-300))
        for name, cdf in cdfs.items():
            for p in PROBS:
                moved = 0.0 if name == "tau" else self.origin
                out[f"{name} {100 * p:g}%"] = moved + self._quantile(name, cdf, p, middle)
        wanted = self.moments()
        if not moments:
            wanted = dict.fromkeys(wanted, math.nan)
        if self.tau_panels is None:
            wanted = {name: value for name, value in wanted.items() if name.startswith("mu")}
        return out | wanted

    def moments(self) -> dict[str, float]:
        """Means and SDs of mu and tau, and the SD of theta_new."""
        x, _ = leggauss(self.mass.shape[1])
        half = 0.5 * (self.end - self.begin)
        mu = 0.5 * (self.begin + self.end)[:, None] + half[:, None] * x
        mean, mean_tau = float((self.mass * mu).sum()), float(self.of_tau @ self.at_tau)
        variance = float((self.mass * (mu - mean) ** 2).sum())
        new = math.sqrt(variance + float(self.of_tau @ self.at_tau**2))
        if math.isfinite(self.domain[0]):
            new = self._cut_sd(mu)
        return {
            "mu mean": self.origin + mean,
            "mu sd": math.sqrt(variance),
            "tau mean": mean_tau,
            "tau sd": math.sqrt(float(self.of_tau @ (self.at_tau - mean_tau) ** 2)),
            "theta_new sd": new,
        }

    def _cut_sd(self, mu: FloatArray) -> float:
        """SD of theta_new where it is cut: its moments by Gauss and Legendre over the kernel."""
        x, w = leggauss(60)
        low, high = self.domain
        tau = np.maximum(self.tau, 1e-300)[:, None]
        a, b = np.maximum(low, mu - 12 * tau), np.minimum(high, mu + 12 * tau)
        theta = 0.5 * (a + b)[..., None] + 0.5 * (b - a)[..., None] * x
        kernel = np.exp(-0.5 * ((theta - mu[..., None]) / tau[..., None]) ** 2) * w
        kernel /= kernel.sum(axis=-1, keepdims=True)
        mean = float((self.mass * (kernel * theta).sum(axis=-1)).sum())
        second = (kernel * (theta - mean) ** 2).sum(axis=-1)
        return math.sqrt(float((self.mass * second).sum()))

    def cdf_mu(self, x: float) -> float:
        """P(mu <= x)."""
        return float(self._below(np.full(len(self.tau), x)).sum())

    def cdf_tau(self, x: float) -> float:
        """P(tau <= x)."""
        assert self.tau_panels is not None
        line, ends, mass, series = self.tau_panels
        at = float(line.line(np.array(x)))
        parts = _partial(mass, series, ends[:, 0], ends[:, 1], np.full(len(ends), at))
        return float(parts.sum())

    def cdf_new(self, x: float) -> float:
        """P(theta_new <= x): kernels at the nodes, or on pieces of panels where these are wider."""
        nodes, w = leggauss(self.mass.shape[1])
        low, high = self.domain
        half = 0.5 * (self.end - self.begin)
        wide = half < 0.5 * self.tau
        mu = 0.5 * (self.begin + self.end)[:, None] + half[:, None] * nodes
        total = float((self.mass[wide] * self._kernel(x, mu[wide], self.tau[wide, None])).sum())
        left = ~wide & (self.end < x - _FAR * self.tau) & math.isinf(low)
        total += float(self.mass[left].sum())
        rest = ~wide & ~left & (self.begin < x + _FAR * self.tau)
        tau, a, b = self.tau[rest], self.begin[rest], self.end[rest]
        steps = 3.0 * np.arange(-3, 4)
        marks = [x + tau[:, None] * steps]
        if math.isfinite(low):
            marks += [low + tau[:, None] * steps[3:], high - tau[:, None] * steps[3:]]
        edges = np.concatenate([a[:, None], b[:, None], *marks], axis=1)
        edges = np.sort(np.clip(edges, a[:, None], b[:, None]), axis=1)
        size = edges.shape[1] - 1
        c = self.coefficients[rest]
        for j in range(size):
            begin, end = edges[:, j], edges[:, j + 1]
            i = np.flatnonzero((end > begin) & (begin < x + _FAR * tau))
            piece = 0.5 * (end - begin)[i, None]
            at = 0.5 * (begin + end)[i, None] + piece * nodes
            on_panel = (2 * at - (a + b)[i, None]) / (b - a)[i, None]
            values = (legvander(on_panel, c.shape[1] - 1) * c[i, None, :]).sum(axis=-1)
            share = 2 * piece / (b - a)[i, None]  # the coefficients are of mass on (-1, 1)
            kernel = self._kernel(x, at, tau[i, None])
            total += float((values * kernel * w * share).sum())
        return total

    def _kernel(self, x: float, mu: FloatArray, tau: FloatArray) -> FloatArray:
        """P(theta_new <= x) given mu and tau."""
        with np.errstate(divide="ignore", invalid="ignore"):
            below = np.where(tau > 0, ndtr((x - mu) / tau), 1.0 * (mu <= x))
            low, high = self.domain
            if math.isfinite(low):
                first, last = ndtr((low - mu) / tau), ndtr((high - mu) / tau)
                below = np.clip((below - first) / (last - first), 0.0, 1.0)
        return below

    def _below(self, x: FloatArray) -> FloatArray:
        """Mass of each panel below x (panel,)."""
        return _partial(self.mass, self.coefficients, self.begin, self.end, x)

    def _quantile(self, name: str, cdf: Callable[[float], float], p: float, middle: float) -> float:
        if name == "tau":
            low, high = float(self.at_tau.min()) * 0.5, float(self.at_tau.max()) * 2

            def off(log_tau: float) -> float:
                return cdf(math.exp(log_tau)) - p

            return math.exp(brentq(off, math.log(low), math.log(high), xtol=1e-12, rtol=1e-12))
        spread = float(self.at_tau.max()) if name == "theta_new" else 0.0
        first, last = float(self.begin.min()), float(self.end.max())
        if math.isfinite(self.domain[0]):
            low, high = self.domain
        else:
            low, high = first - 9 * spread, last + 9 * spread
        # on the line of arsinh about the median: the ends may be far away
        unit = max(self._spread(), 1e-300)

        def at(z: float) -> float:
            return middle + unit * math.sinh(z)

        a, b = (math.asinh((end - middle) / unit) for end in (low, high))
        return at(float(brentq(lambda z: cdf(at(z)) - p, a, b, xtol=1e-12, rtol=1e-12)))

    def _spread(self) -> float:
        heavy = self.mass.sum(axis=1)
        at = np.average(0.5 * (self.begin + self.end), weights=heavy)
        away = np.abs(0.5 * (self.begin + self.end) - at) + 0.5 * (self.end - self.begin)
        order = np.argsort(away)
        return float(away[order][np.searchsorted(np.cumsum(heavy[order]), 0.7)])


def to_series(mass: FloatArray) -> FloatArray:
    """Legendre coefficients of the density on (-1, 1), (panel, degree), from masses at nodes."""
    nodes = mass.shape[1]
    x, _ = leggauss(nodes)
    out: FloatArray = mass @ legvander(x, nodes - 1) * (2 * np.arange(nodes) + 1) / 2
    return out


def _partial(
    mass: FloatArray, series: FloatArray, begin: FloatArray, end: FloatArray, at: FloatArray
) -> FloatArray:
    """Mass of each panel below `at` (panel,): the integral of its Legendre series."""
    out = np.where(at >= end, mass.sum(axis=1), 0.0)
    i = np.flatnonzero((at > begin) & (at < end))
    if len(i):
        c = series[i]
        x = (2 * at[i] - begin[i] - end[i]) / (end - begin)[i]
        degree = c.shape[1] - 1
        p = legvander(x, degree + 1)
        integral = (p[:, 2:] - p[:, :-2]) / (2 * np.arange(1, degree + 1) + 1)
        out[i] = c[:, 0] * (x + 1) + (c[:, 1:] * integral).sum(axis=1)
    return out
