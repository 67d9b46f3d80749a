"""What the posterior of (mu, tau) and the other studies say of a study's true effect."""

import math
from dataclasses import dataclass, replace

import numpy as np

from bayesmeta.inference.kernels import Kernel, Rule, spacing
from bayesmeta.inference.rough import take_rows
from bayesmeta.inference.surface import Surface
from bayesmeta.inference.tables import BoolArray
from bayesmeta.random_effects import TruncatedRandomEffects
from bayesmeta.scales import FloatArray

ROWS = 1e-13  # nodes of tau with less posterior mass are left out
_CHUNK = 1 << 20
_LEGENDRE = np.polynomial.legendre.leggauss(48)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Sum:
    """Kernels about nodes: `mu`, `scale` (node,), and `log_weight` (node, study).

    The weight is the posterior mass of the node, times the kernel's share over L_i.
    """

    kernel: Kernel
    mu: FloatArray
    scale: FloatArray
    log_weight: FloatArray

    def density(self, theta: FloatArray, log_g: FloatArray) -> FloatArray:
        """Density of theta_i at theta (study, node), given log g_i there."""
        out = np.empty_like(theta)
        chunk = max(1, _CHUNK // (theta.shape[1] * len(self.mu)))
        for begin in range(0, len(theta), chunk):  # a chunk of studies, to bound the memory
            i = slice(begin, begin + chunk)
            exponent = self.kernel.log_density((theta[i, :, None] - self.mu) / self.scale)
            exponent += self.log_weight.T[i, None, :] + log_g[i, :, None]
            out[i] = np.exp(exponent) @ (1 / self.scale)
        return out


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Predictive:
    """What the other studies say of theta_i: kernels about nodes, and smooth rows.

    Attributes
    ----------
    about : list of _Sum
        Kernels that are summed over nodes.
    rows : (row,)
        Nodes of tau at which the kernel is too narrow for that.
    rules : list of (shift, weight)
        What stands for it there.
    taylor : (row, study, interval, 8)
        Log density of mu over L_i in those rows, interpolated on the row's line.
    """

    surface: Surface
    about: "list[_Sum]"
    rows: "np.ndarray[tuple[int], np.dtype[np.intp]]"
    rules: list[Rule]
    taylor: FloatArray

    @classmethod
    def of(cls, surface: Surface, kernel: Kernel, within: BoolArray | None = None) -> "Predictive":
        """Take the posterior at the nodes, or only at those of tau that are `within` (tau,)."""
        from scipy.interpolate import make_interp_spline

        plane, mass = surface.plane, surface.mass
        assert plane.of_mu is not None
        matters = mass.sum(axis=1) > ROWS
        if within is not None:
            matters = matters & within
        resolved = kernel.wide(plane, mass)
        log_weight = surface.log_mass[..., None] + kernel.log_share
        heavy = (matters & resolved)[:, None] & (mass > ROWS * mass.max())
        scale = np.broadcast_to(kernel.scale[:, None], plane.mu.shape)
        about = [_Sum(kernel=kernel, mu=plane.mu[heavy], scale=scale[heavy],
                      log_weight=log_weight[heavy])]  # fmt: skip
        rows = np.flatnonzero(matters & ~resolved)
        gap = spacing(plane, mass)
        split = [kernel.split(kernel.scale[t], gap[t]) for t in rows]
        for t, ((sds, shares), _) in zip(rows, split, strict=True):
            part, m = np.nonzero(shares[:, None] * mass[t] > 1e-5 * ROWS * mass.max())
            parts = log_weight[t, m] + np.log(shares[part])[:, None]
            normal = replace(kernel, df=np.inf)
            about.append(_Sum(kernel=normal, mu=plane.mu[t, m], scale=sds[part], log_weight=parts))
        slope = plane.of_mu.log_slope(plane.x) + np.log(plane.x_step)[:, None]
        log_density = (log_weight - slope[..., None])[rows]  # (row, mu, study)
        if len(rows):  # what is far below counts for nothing, and would upset the spline
            top = log_density.max(axis=1, keepdims=True)
            log_density = np.maximum(log_density, top - 300)
        index = np.arange(plane.n_mu, dtype=float)
        spline = make_interp_spline(index, np.moveaxis(log_density, 1, 0), k=7)
        taylor = np.stack(
            [spline(index[:-1] + 0.5, nu=m) / math.factorial(m) for m in range(8)], axis=-1
        )
        return cls(
            surface=surface,
            about=[part for part in about if len(part.mu)],
            rows=rows,
            rules=[rule for _, rule in split],
            taylor=np.ascontiguousarray(np.moveaxis(taylor, 0, 2)),
        )

    def density(self, theta: FloatArray, log_g: FloatArray) -> FloatArray:
        """Density of theta_i at theta (study, node), given log g_i there."""
        out = np.zeros_like(theta)
        for part in self.about:
            out += part.density(theta, log_g)
        for row, (shift, weight) in enumerate(self.rules):  # few: kernels below the spacing of mu
            mu, at = self._about(row, theta, shift, weight)
            out += (self._smooth_row(row, mu, log_g) * at).sum(axis=-1)
        return out

    def _about(
        self, row: int, theta: FloatArray, shift: FloatArray, weight: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Nodes of mu about theta, (study, node, shift), and their weights.

        Where mu has bounds: of a normal kernel between them.
        """
        form = self.surface.integral.bound.model.random_effects
        tau = self.surface.plane.tau[self.rows[row]]
        if not isinstance(form, TruncatedRandomEffects) or tau == 0:
            return theta[..., None] - shift, weight
        low, high = (np.clip(theta + side * 8.5 * tau, form.low, form.high) for side in (-1, 1))
        z, w = _LEGENDRE
        half = (high - low)[..., None] / 2
        mu = low[..., None] + half * (1 + z)
        kernel = np.exp(-0.5 * ((theta[..., None] - mu) / tau) ** 2) / (tau * np.sqrt(2 * np.pi))
        return mu, half * w * kernel

    def _smooth_row(self, row: int, mu: FloatArray, log_g: FloatArray) -> FloatArray:
        """One node of tau: the density of mu over L_i, times g_i, (study, node, shift)."""
        plane = self.surface.plane
        t = self.rows[row]
        of_mu = plane.of_mu
        assert of_mu is not None
        of_mu = take_rows(of_mu, t)
        steps = (of_mu.line(mu.reshape(-1)).reshape(mu.shape) - plane.x_low[t]) / plane.x_step[t]
        inside = (steps >= 0) & (steps <= plane.n_mu - 1)
        interval = np.clip(steps, 0, plane.n_mu - 2).astype(np.intp)
        u = steps - interval - 0.5
        c = self.taylor[row][np.arange(len(mu))[:, None, None], interval]
        f = c[..., 7]
        for power in range(6, -1, -1):
            f = f * u + c[..., power]
        return np.where(inside, np.exp(np.where(inside, f, 0.0) + log_g[..., None]), 0.0)
