"""Independent joint draws from a grid fit, by rejection from interpolants of its nodes."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bayesmeta.inference.crowded import CrowdedMap
from bayesmeta.inference.peaks import RESOLVED, find_coarseness, find_peak
from bayesmeta.inference.plane import Plane
from bayesmeta.inference.posterior import Draws
from bayesmeta.inference.quadrature import SinhMap
from bayesmeta.inference.rough import move_rows
from bayesmeta.inference.spread import Mixed
from bayesmeta.inference.sums import CHUNK
from bayesmeta.inference.surface import Surface
from bayesmeta.inference.tables import IndexArray, Tables
from bayesmeta.model import BoundModel
from bayesmeta.random_effects import TruncatedRandomEffects
from bayesmeta.scales import FloatArray

_BOUND = 1.25  # how far the target may exceed the interpolant it is drawn from
_T_SCALE = 1.1  # proposals about a peak: t with 4 df, this much wider than the peak


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GridJoint:
    """Joint posterior of a grid fit."""

    bound: BoundModel
    surface: Surface

    def draw(self, draws: int, rng: np.random.Generator) -> Draws:
        """Give independent draws in 4 chains; `draws` is rounded up to a multiple of 4."""
        n = 4 * -(-draws // 4)
        mu, tau = np.empty(0), np.empty(0)
        while len(mu) < n:
            m, t, keep = self._propose(int(1.4 * (n - len(mu))) + 64, rng)
            mu, tau = np.append(mu, m[keep]), np.append(tau, t[keep])
        mu, tau = mu[:n], tau[:n]
        theta, kept = self._draw_effects(mu, tau, rng)
        new = self.bound.model.random_effects.draw_new(mu, tau, rng, **kept)
        return Draws(
            mu=mu.reshape(4, -1),
            tau=tau.reshape(4, -1),
            theta_new=new.reshape(4, -1),
            theta=theta.reshape(4, n // 4, -1),
        )

    def _draw_effects(
        self, mu: FloatArray, tau: FloatArray, rng: np.random.Generator
    ) -> tuple[FloatArray, dict[str, FloatArray]]:
        """Draws of theta (draw, study), and of what else a new study's effect depends on."""
        integral = self.surface.integral
        kept: dict[str, FloatArray] = {}
        if not isinstance(integral, Mixed):
            return draw_effects(integral.tables, mu, tau, rng), kept
        part, share = integral.draw_parts(mu, tau, rng)
        own = np.take_along_axis(integral.part_sds(tau), part, axis=1)
        if share is not None:
            kept["share"] = share
        return draw_effects(self.surface.tables, mu, own, rng), kept

    def _propose(
        self, n: int, rng: np.random.Generator
    ) -> tuple[FloatArray, FloatArray, "np.ndarray[tuple[int], np.dtype[np.bool_]]"]:
        """Draw from the bilinear interpolant of the nodal masses; which draws to keep."""
        plane, mass = self.surface.plane, self.surface.mass
        node = rng.choice(mass.size, size=n, p=mass.reshape(-1) / mass.sum())
        t, m = (axis.astype(float) for axis in np.unravel_index(node, mass.shape))
        if plane.of_tau is not None:
            t = t + _triangular(n, rng)
        if plane.of_mu is not None:
            m = m + _triangular(n, rng)
        last = np.array(mass.shape) - 1
        inside = (t >= 0) & (t <= last[0]) & (m >= 0) & (m <= last[1])
        t, m = np.clip(t, 0, last[0]), np.clip(m, 0, last[1])
        proposal = _bilinear(mass, t, m)
        mu, tau, log_slope = _place(plane, t, m)
        target = self.surface.integral.log_total(mu, tau) + log_slope
        target = target - len(self.bound.studies) * self._log_inside(mu, tau)
        if plane.of_mu is not None:
            target = target + self.bound.model.effect.logpdf(mu)
        if plane.of_tau is not None:
            target = target + self.bound.model.heterogeneity.logpdf(tau)
        ratio = np.exp(target - self.surface.log_evidence) / np.where(inside, proposal, 1.0)
        return mu, tau, inside & (rng.random(n) * _BOUND < ratio)

    def log_likelihood(self, mu: FloatArray, tau: FloatArray) -> FloatArray:
        """Log L_i(mu, tau), theta_i and nuisance integrated out: (...) -> (..., study)."""
        log_l = self.surface.integral.log_likelihood(mu, tau)
        out: FloatArray = log_l - self._log_inside(mu, tau)[..., None]
        return out

    def _log_inside(self, mu: FloatArray, tau: FloatArray) -> FloatArray:
        """Log of what the bounds of a measure leave of the random effects."""
        form = self.bound.model.random_effects
        if isinstance(form, TruncatedRandomEffects):
            return form.log_inside(mu, tau)
        return np.zeros(np.broadcast(mu, tau).shape)

    def sample_stats(self) -> None:
        """None: there is no sampler."""
        return


def _triangular(n: int, rng: np.random.Generator) -> FloatArray:
    """Draws of the hat function on (-1, 1)."""
    out: FloatArray = rng.random(n) - rng.random(n)
    return out


def _bilinear(mass: FloatArray, t: FloatArray, m: FloatArray) -> FloatArray:
    """Bilinear interpolant of mass (tau, mu) at index coordinates."""
    t0 = np.minimum(t.astype(np.intp), max(mass.shape[0] - 2, 0))
    m0 = np.minimum(m.astype(np.intp), max(mass.shape[1] - 2, 0))
    t1, m1 = np.minimum(t0 + 1, mass.shape[0] - 1), np.minimum(m0 + 1, mass.shape[1] - 1)
    a, b = t - t0, m - m0
    low = (1 - b) * mass[t0, m0] + b * mass[t0, m1]
    high = (1 - b) * mass[t1, m0] + b * mass[t1, m1]
    out: FloatArray = (1 - a) * low + a * high
    return out


def _place(plane: Plane, t: FloatArray, m: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Mu and tau at index coordinates, and the log Jacobian; lines of mu are interpolated."""
    rows = np.arange(plane.n_tau, dtype=float)
    log_slope = np.zeros_like(t)
    if plane.of_tau is None:
        tau = np.full_like(t, plane.known_tau)
    else:
        v = plane.v_low + plane.v_step * t
        tau = plane.of_tau.point(v)
        log_slope = log_slope + plane.of_tau.log_slope(v) + np.log(plane.v_step)
    if plane.of_mu is None:
        return np.full_like(t, plane.known_mu), tau, log_slope
    step = np.interp(t, rows, plane.x_step)
    x = np.interp(t, rows, plane.x_low) + step * m
    if isinstance(plane.of_mu, SinhMap | CrowdedMap):
        of_mu = move_rows(plane.of_mu, rows, t)
        mu, slope = of_mu.point(x[:, None])[:, 0], of_mu.log_slope(x[:, None])[:, 0]
    else:
        mu, slope = plane.of_mu.point(x), plane.of_mu.log_slope(x)
    return mu, tau, log_slope + slope + np.log(step)


def draw_effects(
    tables: Tables, mu: FloatArray, tau: FloatArray, rng: np.random.Generator
) -> FloatArray:
    """Draws of theta_i given (mu, tau), (draw, study): density g_i(theta) N(theta | mu, tau^2).

    mu (draw,); tau (draw,), or (draw, study) where the studies have their own.
    """
    narrow = find_coarseness(tables, mu, tau) > RESOLVED
    own = np.broadcast_to(tau[:, None] if tau.ndim == 1 else tau, narrow.shape)
    theta = np.empty(narrow.shape)
    for where, propose in (
        (~narrow, _propose_from_table(tables)),
        (narrow, _propose_about_peak(tables)),
    ):
        pair, study = np.nonzero(where)
        theta[pair, study] = _reject(propose, mu[pair], own[pair, study], study, rng)
    return theta


type Propose = Callable[
    [FloatArray, FloatArray, IndexArray, np.random.Generator], tuple[FloatArray, FloatArray]
]


def _reject(
    propose: Propose, mu: FloatArray, tau: FloatArray, study: IndexArray, rng: np.random.Generator
) -> FloatArray:
    """Repeat proposals until each is accepted; `propose` gives draws and target over proposal."""
    out = np.empty(len(mu))
    todo = np.arange(len(mu))
    while len(todo):
        draw, ratio = propose(mu[todo], tau[todo], study[todo], rng)
        keep = rng.random(len(todo)) * _BOUND < ratio
        out[todo[keep]] = draw[keep]
        todo = todo[~keep]
    return out


def _propose_from_table(tables: Tables) -> Propose:
    """Proposals from the piecewise linear interpolant of g N at the nodes of the table."""
    nodes, log_weight = tables.nodes(1)
    last = nodes.shape[1] - 1
    chunk = max(1, 4 * CHUNK // nodes.shape[1])

    def propose_few(
        mu: FloatArray, tau: FloatArray, study: IndexArray, rng: np.random.Generator
    ) -> tuple[FloatArray, FloatArray]:
        exponent = log_weight[study] - 0.5 * ((nodes[study] - mu[:, None]) / tau[:, None]) ** 2
        top = exponent.max(axis=1)
        mass = np.exp(exponent - top[:, None])
        total = np.cumsum(mass, axis=1)
        u = rng.random(len(mu)) * total[:, -1]
        node = np.minimum((total < u[:, None]).sum(axis=1), last)
        steps = node + rng.random(len(mu)) - rng.random(len(mu))
        inside = (steps >= 0) & (steps <= last)
        steps = np.clip(steps, 0, last)
        below = np.minimum(steps.astype(np.intp), last - 1)
        row, share = np.arange(len(mu)), steps - below
        line = (1 - share) * mass[row, below] + share * mass[row, below + 1]
        theta, exact = tables.between(steps, study)
        exact = exact - 0.5 * ((theta - mu) / tau) ** 2 - top
        return theta, np.where(inside, np.exp(exact) / line, 0.0)

    def propose(
        mu: FloatArray, tau: FloatArray, study: IndexArray, rng: np.random.Generator
    ) -> tuple[FloatArray, FloatArray]:
        draw, ratio = np.empty(len(mu)), np.empty(len(mu))
        for begin in range(0, len(mu), chunk):  # a chunk of pairs, to stay within the cache
            part = slice(begin, begin + chunk)
            draw[part], ratio[part] = propose_few(mu[part], tau[part], study[part], rng)
        return draw, ratio

    return propose


def _propose_about_peak(tables: Tables) -> Propose:
    """Proposals about the peak of g N: t with 4 df, heavier than any log-concave tail."""

    def propose(
        mu: FloatArray, tau: FloatArray, study: IndexArray, rng: np.random.Generator
    ) -> tuple[FloatArray, FloatArray]:
        peak, width = find_peak(tables, mu, tau, study)
        z = rng.standard_t(4, len(mu))
        theta = peak + _T_SCALE * width * z
        safe = np.where(tau > 0, tau, 1.0)

        def log_target(at: FloatArray) -> FloatArray:
            return tables.value(at, study) - 0.5 * np.where(tau > 0, (at - mu) / safe, 0.0) ** 2

        log_ratio = log_target(theta) - log_target(peak) + 2.5 * np.log1p(z**2 / 4)
        return theta, np.exp(log_ratio)

    return propose
