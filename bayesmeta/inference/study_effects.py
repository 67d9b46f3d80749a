"""True study effects of a grid fit: p(theta_i | data) for every study, exactly.

p(theta_i | data) is g_i(theta_i) times the density that the other studies predict for theta_i:
the posterior mass of each node over L_i there, spread by N(mu, tau^2). Where tau is small against
the spacing of mu, that density is interpolated in mu and spread by Gauss-Hermite instead.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from bayesmeta.errors import AccuracyError, NotExactError
from bayesmeta.inference.crowded import CrowdedMap
from bayesmeta.inference.kernels import study_kernels
from bayesmeta.inference.marginals import NormalMixture
from bayesmeta.inference.peaks import find_peak
from bayesmeta.inference.predictive import ROWS, Predictive
from bayesmeta.inference.propriety import find_tail_order
from bayesmeta.inference.quadrature import SinhMap, SupportMap, find_range, nyquist
from bayesmeta.inference.quantiles import IntervalKind
from bayesmeta.inference.rough import NEAR_EFFECT, MuMap, crowd_at_break
from bayesmeta.inference.sinc import SincDensity
from bayesmeta.inference.spread import Mixed
from bayesmeta.inference.surface import Surface
from bayesmeta.inference.tables import BoolArray
from bayesmeta.inference.threads import on_one_blas_thread
from bayesmeta.model import BoundModel
from bayesmeta.random_effects import TruncatedRandomEffects
from bayesmeta.scales import FloatArray

_BEND = 3.0
_MOST = 8400  # nodes of one density
_MOST_ALONE = 2100  # the same, where all tau share a line
_BAND = 8.0  # times by which the widths of effects given tau differ that share a line


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class StudyEffects:
    """Marginals of the true study effects, shape (study,); computed when first asked for.

    Every answer rests on densities whose integrals are checked to be 1 within `tol`: the density
    and the evidence are computed on different nodes.
    """

    surface: Surface
    tol: float
    _found: list[SincDensity | NormalMixture] = field(default_factory=list)

    def __repr__(self) -> str:
        return f"<StudyEffects: {self.surface.log_likelihood.shape[-1]} studies>"

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
    everything: BoolArray = np.ones(surface.plane.n_tau, dtype=bool)
    for bands, most in (([everything], _MOST_ALONE), (_split_tau(surface), _MOST)):
        # a small tau makes a narrow peak within a wide density
        lines = _find_on_lines(surface, bands, tol, most)
        if lines is not None:
            return _put_together(surface, lines, tol)
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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Line:
    """Masses (study, node) at even nodes of the studies' lines; `start` and `step` are (study,)."""

    start: FloatArray
    step: FloatArray
    mass: FloatArray
    coordinate: MuMap


def _split_tau(surface: Surface) -> list[BoolArray]:
    """Nodes of tau (tau,) in bands, within which mu and the true effects are about as wide."""
    mass, mu = surface.mass, surface.plane.mu
    of_tau = mass.sum(axis=1)
    weight = mass / np.maximum(of_tau, 1e-300)[:, None]
    spread = (weight * (mu - (weight * mu).sum(axis=1, keepdims=True)) ** 2).sum(axis=1)
    width = np.sqrt(surface.plane.tau**2 + spread)
    matters = of_tau > ROWS
    band = np.floor(np.log(width / width[matters].min()) / np.log(_BAND))
    return [matters & (band == b) for b in np.unique(band[matters])]


def _find_on_lines(
    surface: Surface, bands: list[BoolArray], tol: float, most: int
) -> list[_Line] | None:
    """Find what each band of nodes of tau (tau,) adds to the densities; None if one is unsettled.

    All lines have as many nodes as the one that needs most.
    """
    lines = []
    for within in bands:
        line = _find_on_line(surface, within, tol / len(bands), most)
        if line is None:
            return None
        lines.append(line)
    nodes = max(line.mass.shape[1] for line in lines)
    for i, within in enumerate(bands):
        if lines[i].mass.shape[1] < nodes:
            line = _find_on_line(surface, within, np.inf, most, nodes=nodes)
            assert line is not None  # it has settled with fewer
            lines[i] = line
    return lines


def _find_on_line(
    surface: Surface, within: BoolArray, tol: float, most: int, *, nodes: int = 65
) -> _Line | None:
    """Find the same of the nodes of tau `within` (tau,), with that many nodes or more."""
    predictives = [Predictive.of(surface, kernel, within) for kernel in study_kernels(surface)]
    center, scale = _about(surface, within)
    coordinate = _line_of(surface, center, scale)

    def log_f(x: FloatArray) -> FloatArray:
        theta = coordinate.point(x)
        value, beyond = surface.tables.log_g_at(theta)
        with np.errstate(divide="ignore"):
            inside = np.log(sum(predict.density(theta, value) for predict in predictives))
        inside = np.where(beyond, -1e300, np.maximum(inside, -1e300))
        return np.maximum(inside + coordinate.log_slope(x), -1e300)

    edge = _BEND * np.sinh(5.5 / _BEND) * scale
    low, high = (coordinate.line((center + side * edge)[:, None])[:, 0] for side in (-1, 1))
    lowest: FloatArray | float = -np.inf
    highest: FloatArray | float = np.inf
    points = 33
    if not isinstance(coordinate, SinhMap):
        lowest, highest, _ = coordinate.scan
        low, high, points = np.maximum(low, lowest), np.minimum(high, highest), 65
    low, high = find_range(
        log_f, low, high, lowest=lowest, highest=highest, points=points, drop=27.0
    )
    last, stalled = np.inf, 0
    while True:
        step = (high - low) / (nodes - 1)
        x = low[:, None] + step[:, None] * np.arange(nodes)
        mass = np.exp(log_f(x)) * step[:, None]
        rough = float(nyquist(mass).max())
        if rough < tol:
            return _Line(start=low, step=step, mass=mass, coordinate=coordinate)
        stalled, last = stalled + 1 if rough > 0.4 * last else 0, rough
        hopeless = nodes > 100 and np.log(last) * (most / nodes) > np.log(tol)
        if 2 * nodes - 1 > most or hopeless or (stalled > 1 and 4 * nodes > most):
            return None  # as the error falls, the most nodes are not enough
        nodes = 2 * nodes - 1


def _put_together(surface: Surface, lines: list[_Line], tol: float) -> SincDensity:
    """Densities of the studies with a component for each line."""
    has_mean, has_sd = (_has_moment(surface.integral.bound, m) for m in (1, 2))
    masses = np.stack([line.mass for line in lines], axis=1)
    total = masses.sum(axis=(1, 2))
    _require_whole(total, tol)
    return SincDensity(
        start=np.stack([line.start for line in lines], axis=1),
        step=np.stack([line.step for line in lines], axis=1),
        masses=masses / total[:, None, None],
        coordinate=_join([line.coordinate for line in lines]),
        has_mean=has_mean,
        has_sd=has_sd,
    )


def _has_moment(bound: BoundModel, m: int) -> BoolArray:
    """Tell whether the true effects have a moment of order `m`, (study,).

    That of a study whose likelihood ends flat falls as a new study's effect does; others have
    their likelihood's own fall besides, but one factor 1 / tau of the posterior is their own.
    """
    vanishing = bound.model.likelihood.vanishes(bound.data).all(axis=1)
    if isinstance(bound.model.random_effects, TruncatedRandomEffects):
        return np.ones_like(vanishing)
    tails = find_tail_order(bound)
    of_new = min(tails.of_tau, tails.of_mu, tails.of_new)
    orders = getattr(bound.model.likelihood, "tail_orders", None)
    own = np.full(len(vanishing), np.inf) if orders is None else orders(bound.data)
    return np.where(vanishing, own + max(of_new - 1, 0.0), of_new) > m + 1


def _line_of(surface: Surface, center: FloatArray, scale: FloatArray) -> MuMap:
    """Lines of the studies' effects about their centres (study,)."""
    bound, form = surface.integral.bound, surface.integral.bound.model.random_effects
    plain: SinhMap | SupportMap = SinhMap(center=center, scale=scale, bend=_BEND)
    if isinstance(form, TruncatedRandomEffects):
        plain = SupportMap(low=form.low, high=form.high, unit=bound.unit)
    # other studies' breaks pass on, too
    return crowd_at_break(bound.data, plain, NEAR_EFFECT * scale, scale) or plain


def _join[M: MuMap](maps: Sequence[M]) -> M:
    """Give the map of components (study, component) from those of (study,)."""
    first = maps[0]
    if isinstance(first, SinhMap):
        center, scale = (
            np.stack([getattr(one, name) for one in maps], axis=1) for name in ("center", "scale")
        )
        return replace(first, center=center, scale=scale)
    if isinstance(first, CrowdedMap):
        near, weight = (
            np.stack([getattr(one, name) for one in maps], axis=1) for name in ("near", "weight")
        )
        bases: list[Any] = [one.base for one in maps if isinstance(one, CrowdedMap)]
        return replace(first, base=_join(bases), near=near, weight=weight)
    return first


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
    matters = surface.mass[:, 0] > ROWS
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


def _about(surface: Surface, within: BoolArray) -> tuple[FloatArray, FloatArray]:
    """Roughly where each theta_i lies, and how wide, by the normal approximation.

    Given that tau is one of the nodes `within` (tau,).
    """
    plane = surface.plane
    y, se, tau, mu = (
        surface.tables.center,
        surface.tables.scale,
        plane.tau[within],
        plane.mu[within],
    )
    mass = surface.mass[within] / surface.mass[within].sum()
    mean = (mass * mu).sum()
    share = se**2 / (se**2 + tau[:, None] ** 2)  # (tau, study)
    mean_mu, weight = (mass * mu).sum(axis=1), mass.sum(axis=1)
    center = (share * mean_mu[:, None] + (weight[:, None] * (1 - share)) * y).sum(axis=0)
    spread = (mass * (mu - mean) ** 2).sum(axis=1)
    within_study = weight[:, None] * (1 - share) * se**2 + share**2 * spread[:, None]
    return center, np.sqrt(within_study.sum(axis=0))
