"""True study effects of a grid fit: p(theta_i | data) for every study, exactly.

p(theta_i | data) is g_i(theta_i) times the density that the other studies predict for theta_i:
the posterior mass of each node over L_i there, spread by N(mu, tau^2). Where tau is small against
the spacing of mu, that density is interpolated in mu and spread by Gauss-Hermite instead.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike

from bayesmeta.errors import AccuracyError, NotExactError
from bayesmeta.inference.kernels import Kernel, Rule, spacing, study_kernels
from bayesmeta.inference.marginals import NormalMixture
from bayesmeta.inference.peaks import find_peak
from bayesmeta.inference.plane import Surface
from bayesmeta.inference.quadrature import SinhMap, SupportMap, find_range, nyquist
from bayesmeta.inference.quantiles import IntervalKind
from bayesmeta.inference.rough import NEAR_EFFECT, MuMap, crowd_at_break, take_rows
from bayesmeta.inference.sinc import SincDensity
from bayesmeta.inference.spread import Mixed
from bayesmeta.inference.tables import BoolArray
from bayesmeta.inference.threads import on_one_blas_thread
from bayesmeta.random_effects import TruncatedRandomEffects
from bayesmeta.scales import FloatArray

_BEND = 3.0
_MOST = 8400  # nodes of one density
_SPIKE = 1e-9  # posterior mass from which a node of tau may make a narrow peak
_ROWS = 1e-13  # nodes of tau with less posterior mass are left out
_CHUNK = 1 << 20
_LEGENDRE = np.polynomial.legendre.leggauss(48)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StudyEffects:
    """Marginals of the true study effects, shape (study,); computed when first asked for.

    Every answer rests on densities whose integrals are checked to be 1 within `tol`: the density
    and the evidence are computed on different nodes.
    """

    surface: Surface
    tol: float
    _found: list[SincDensity | NormalMixture] = field(default_factory=list)

    @property
    def density(self) -> SincDensity | NormalMixture:
        """The marginals, one component for each study."""
        if not self._found:
            self._found.append(find_study_densities(self.surface, self.tol))
        return self._found[0]

    @property
    def mean(self) -> FloatArray:
        """Posterior means, (study,)."""
        return self.density.mean

    @property
    def sd(self) -> FloatArray:
        """Posterior standard deviations, (study,)."""
        return self.density.sd

    def cdf(self, x: ArrayLike) -> FloatArray:
        """P(theta_i <= x)."""
        return self.density.cdf(x)

    def sf(self, x: ArrayLike) -> FloatArray:
        """P(theta_i > x)."""
        return self.density.sf(x)

    def pdf(self, x: ArrayLike) -> FloatArray:
        """Density at x."""
        return self.density.pdf(x)

    def quantile(self, p: ArrayLike) -> FloatArray:
        """Value with probability p below it."""
        return self.density.quantile(p)

    def interval(self, level: float = 0.95, kind: IntervalKind = "eti") -> FloatArray:
        """Equal-tailed or shortest interval, (study, 2)."""
        return self.density.interval(level, kind)


@on_one_blas_thread
def find_study_densities(surface: Surface, tol: float) -> SincDensity | NormalMixture:
    """Density of each true effect on nodes of its own line.

    Raises
    ------
    NotExactError
        mu is known under another form of random effects than the normal one.
    AccuracyError
        A density does not integrate to 1 within the tolerance.
    """
    if surface.plane.of_mu is None:
        return _find_at_known_mean(surface, tol)
    if surface.plane.of_tau is None and surface.plane.known_tau == 0:
        return _as_mean(surface)
    predictives = [_Predictive.of(surface, kernel) for kernel in study_kernels(surface)]

    def log_density(theta: FloatArray) -> FloatArray:
        value, beyond = surface.tables.log_g_at(theta)
        with np.errstate(divide="ignore"):
            inside = np.log(sum(predict.density(theta, value) for predict in predictives))
        return np.where(beyond, -1e300, np.maximum(inside, -1e300))

    maps = [_about(surface)]
    for center, scale in maps:
        found, settled = _find_on_line(surface, log_density, center, scale, tol)
        if found is not None:
            return found
        if len(maps) == 1:  # a small tau makes a narrow peak within a wide density
            peak, width = _about(surface, least=_SPIKE)
            maps.append((np.where(settled, center, peak), np.where(settled, scale, width)))
    raise AccuracyError(
        f"The density of a study effect did not settle with up to {_MOST} nodes: it has a narrow "
        "peak apart from its bulk, or a jump"
    )


def _as_mean(surface: Surface) -> SincDensity:
    """Density of mu for every study: under a common effect all true effects are mu."""
    plane, studies = surface.plane, surface.log_likelihood.shape[1]
    assert plane.of_mu is not None
    return SincDensity(
        start=np.repeat(plane.x_low[None], studies, axis=0),
        step=np.repeat(plane.x_step[None], studies, axis=0),
        masses=np.repeat(surface.mass[None], studies, axis=0),
        coordinate=plane.of_mu,
    )


def _find_on_line(
    surface: Surface,
    log_density: Callable[[FloatArray], FloatArray],
    center: FloatArray,
    scale: FloatArray,
    tol: float,
) -> tuple[SincDensity | None, BoolArray]:
    """Densities (study,) on lines about a centre, if all settle; and which do."""
    coordinate, of_one = _lines(surface, center, scale)

    def log_f(x: FloatArray) -> FloatArray:
        return np.maximum(log_density(of_one.point(x)) + of_one.log_slope(x), -1e300)

    edge = _BEND * np.sinh(5.5 / _BEND) * scale
    low, high = (of_one.line((center + side * edge)[:, None])[:, 0] for side in (-1, 1))
    lowest: FloatArray | float = -np.inf
    highest: FloatArray | float = np.inf
    points = 33
    if not isinstance(of_one, SinhMap):
        lowest, highest, _ = of_one.scan
        low, high, points = np.maximum(low, lowest), np.minimum(high, highest), 65
    low, high = find_range(
        log_f, low, high, lowest=lowest, highest=highest, points=points, drop=27.0
    )
    nodes, last, stalled = 65, np.inf, 0
    while True:
        step = (high - low) / (nodes - 1)
        x = low[:, None] + step[:, None] * np.arange(nodes)
        mass = np.exp(log_f(x)) * step[:, None]
        rough = nyquist(mass)
        if rough.max() < tol:
            total = mass.sum(axis=1)
            _require_whole(total, tol)
            density = SincDensity(
                start=low[:, None],
                step=step[:, None],
                masses=(mass / total[:, None])[:, None],
                coordinate=coordinate,
            )
            return density, rough < tol
        stalled, last = stalled + 1 if rough.max() > 0.4 * last else 0, float(rough.max())
        hopeless = nodes > 100 and np.log(last) * (_MOST / nodes) > np.log(tol)
        if 2 * nodes - 1 > _MOST or hopeless or stalled == 2:
            return None, rough < tol  # as the error falls, the most nodes are not enough
        nodes = 2 * nodes - 1


def _lines(surface: Surface, center: FloatArray, scale: FloatArray) -> tuple[MuMap, MuMap]:
    """Lines of the studies' effects, for one component each (study, 1, node), and (study, node)."""
    bound, near = surface.integral.bound, NEAR_EFFECT * scale
    form = bound.model.random_effects
    plain: SinhMap | SupportMap = SinhMap(center=center, scale=scale, bend=_BEND)
    of_part: SinhMap | SupportMap = SinhMap(
        center=center[:, None], scale=scale[:, None], bend=_BEND
    )
    if isinstance(form, TruncatedRandomEffects):
        plain = of_part = SupportMap(low=form.low, high=form.high, unit=bound.unit)
    crowded = crowd_at_break(bound.data, plain, near, scale)  # other studies' breaks pass on, too
    if crowded is None:
        return of_part, plain
    return replace(
        crowded, base=of_part, near=crowded.near[..., None], weight=crowded.weight[..., None]
    ), crowded


def _find_at_known_mean(surface: Surface, tol: float) -> SincDensity | NormalMixture:
    """Density of each true effect where mu is known: a mixture over the nodes of tau.

    The density has a singularity at mu where tau may be 0, but at each node of tau it is smooth: a
    component on its own line, about the peak of g_i(theta) N(theta | mu, tau^2).
    """
    plane, tables = surface.plane, surface.tables
    if isinstance(surface.integral, Mixed):
        raise NotExactError(
            f"The study effects of {surface.integral.form} effects are not offered where mu is "
            'known. Use engine="nuts", or a prior of mu'
        )
    matters = surface.mass[:, 0] > _ROWS
    tau, of_tau = plane.tau[matters], surface.mass[matters, 0]
    studies = len(tables.center)
    if not tau.any():
        known = np.full((studies, 1), plane.known_mu)
        return NormalMixture(means=known, sds=np.zeros_like(known), weights=np.ones(1))
    shape = (studies, len(tau))
    study = np.repeat(np.arange(studies), len(tau))
    all_tau = np.tile(tau, studies)
    peak, width = find_peak(tables, np.full(len(study), plane.known_mu), all_tau, study)
    line = SinhMap(center=peak.reshape(shape), scale=width.reshape(shape), bend=_BEND)

    def log_f(x: FloatArray) -> FloatArray:
        theta = line.point(x)  # (study, tau, node)
        value = tables.value(theta, np.arange(studies)[:, None, None])
        z = (theta - plane.known_mu) / tau[:, None]
        log_normal = -0.5 * z**2 - np.log(tau[:, None] * np.sqrt(2 * np.pi))
        out: FloatArray = value + log_normal + line.log_slope(x)
        return out

    edge = np.full(shape, 5.0)
    low, high = find_range(log_f, -edge, edge, points=33, drop=30.0)
    log_l = surface.log_likelihood.reshape(plane.n_tau, studies)[matters].T
    nodes = 33
    while nodes <= _MOST:
        step = (high - low) / (nodes - 1)
        f = log_f(low[..., None] + step[..., None] * np.arange(nodes)) - log_l[..., None]
        mass = np.exp(f) * step[..., None] * of_tau[:, None]
        if nyquist(mass).max() < tol:
            total = mass.sum(axis=(1, 2))
            _require_whole(total, tol)
            masses = mass / total[:, None, None]
            return SincDensity(start=low, step=step, masses=masses, coordinate=line)
        nodes = 2 * nodes - 1
    raise AccuracyError(f"The density of a study effect did not settle with {nodes} nodes")


def _require_whole(total: FloatArray, tol: float) -> None:
    wrong = float(np.abs(total - 1).max())
    if wrong > 10 * tol:
        raise AccuracyError(
            f"The density of a study effect integrates to 1 only within {wrong:.0e} "
            f"(tol {10 * tol:.0e})"
        )


def _about(surface: Surface, *, least: float | None = None) -> tuple[FloatArray, FloatArray]:
    """Roughly where each theta_i lies, and how wide: by the normal approximation.

    Over all tau, or at the lowest node of tau whose posterior mass is above `least`.
    """
    plane, mass = surface.plane, surface.mass
    y, se, tau = surface.tables.center, surface.tables.scale, plane.tau
    mu = plane.mu
    if least is not None:
        row = int(np.argmax(mass.sum(axis=1) > least))
        mass = mass[row : row + 1] / mass[row].sum()
        mu, tau = mu[row : row + 1], tau[row : row + 1]
    mean = (mass * mu).sum()
    share = se**2 / (se**2 + tau[:, None] ** 2)  # (tau, study)
    mean_mu, weight = (mass * mu).sum(axis=1), mass.sum(axis=1)
    center = (share * mean_mu[:, None] + (weight[:, None] * (1 - share)) * y).sum(axis=0)
    spread = (mass * (mu - mean) ** 2).sum(axis=1)
    within = weight[:, None] * (1 - share) * se**2 + share**2 * spread[:, None]
    return center, np.sqrt(within.sum(axis=0))


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
class _Predictive:
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
    def of(cls, surface: Surface, kernel: Kernel) -> "_Predictive":
        from scipy.interpolate import make_interp_spline

        plane, mass = surface.plane, surface.mass
        assert plane.of_mu is not None
        matters = mass.sum(axis=1) > _ROWS
        resolved = kernel.wide(plane, mass)
        log_weight = surface.log_mass[..., None] + kernel.log_share
        heavy = (matters & resolved)[:, None] & (mass > _ROWS * mass.max())
        scale = np.broadcast_to(kernel.scale[:, None], plane.mu.shape)
        about = [_Sum(kernel=kernel, mu=plane.mu[heavy], scale=scale[heavy],
                      log_weight=log_weight[heavy])]  # fmt: skip
        rows = np.flatnonzero(matters & ~resolved)
        gap = spacing(plane, mass)
        split = [kernel.split(kernel.scale[t], gap[t]) for t in rows]
        for t, ((sds, shares), _) in zip(rows, split, strict=True):
            part, m = np.nonzero(shares[:, None] * mass[t] > 1e-5 * _ROWS * mass.max())
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
