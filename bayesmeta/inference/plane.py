"""The plane of (mu, tau) nodes of a grid fit, where it lies, and the posterior on it."""

from dataclasses import dataclass, replace

import numpy as np

from bayesmeta.errors import AccuracyError
from bayesmeta.inference.integrate import StudyIntegral
from bayesmeta.inference.propriety import TailOrder
from bayesmeta.inference.quadrature import SinhMap, SupportMap, find_range
from bayesmeta.inference.spread import Mixed, build_integral
from bayesmeta.model import BoundModel, has_known_tau
from bayesmeta.priors import Fixed
from bayesmeta.random_effects import TruncatedRandomEffects
from bayesmeta.scales import FloatArray

BEND = 3.0  # conditional SDs of mu after which its nodes begin to spread exponentially
_FIRST_MU = 45
_TAU_STEP = 0.08  # first spacing on the line of tau
DROP = 27.0  # log units below its maximum at which the plane is cut: e^-27 = 2e-12
_EDGE = 23.0  # log units below its maximum that it must have fallen at the ends of mu
_LINE_DROP, _LINE_EDGE = 31.0, 29.0  # the same for the line of tau, whose tails are longer
_LEAK = 1e-11  # posterior mass that the ends of the tables may cost


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plane:
    """Where the nodes lie: a line of tau, and for each of its nodes a line of mu.

    Attributes
    ----------
    v_low, v_high, n_tau
        The line of tau; one node where tau is known.
    of_tau : SupportMap or None
        Its map; None where tau is known.
    x_low, x_high : (tau,)
        The lines of mu; n_mu nodes each.
    of_mu : SinhMap, SupportMap or None
        Their map; None where mu is known.
    """

    v_low: float
    v_high: float
    n_tau: int
    of_tau: SupportMap | None
    known_tau: float
    x_low: FloatArray
    x_high: FloatArray
    n_mu: int
    of_mu: SinhMap | SupportMap | None
    known_mu: float

    @property
    def v(self) -> FloatArray:
        """Nodes of the line of tau, (tau,)."""
        return np.linspace(self.v_low, self.v_high, self.n_tau)

    @property
    def v_step(self) -> float:
        """Spacing of the line of tau; 1 where tau is known."""
        return (self.v_high - self.v_low) / (self.n_tau - 1) if self.of_tau else 1.0

    @property
    def tau(self) -> FloatArray:
        """Nodes of tau, (tau,)."""
        return self.of_tau.point(self.v) if self.of_tau else np.array([self.known_tau])

    @property
    def x_step(self) -> FloatArray:
        """Spacing of the lines of mu, (tau,); 1 where mu is known."""
        if self.of_mu is None:
            return np.ones(self.n_tau)
        return (self.x_high - self.x_low) / (self.n_mu - 1)

    @property
    def x(self) -> FloatArray:
        """Nodes of the lines of mu, (tau, mu)."""
        return self.x_low[:, None] + self.x_step[:, None] * np.arange(self.n_mu)

    @property
    def mu(self) -> FloatArray:
        """Nodes of mu, (tau, mu)."""
        if self.of_mu is None:
            return np.full((self.n_tau, 1), self.known_mu)
        return self.of_mu.point(self.x)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Surface:
    """The posterior on a plane.

    Attributes
    ----------
    plane : Plane
    integral : StudyIntegral or Mixed
        What gave log L_i.
    log_likelihood : (tau * mu, study)
        log L_i at the nodes.
    total : (tau * mu,)
        The log-likelihood of all studies.
    log_mass : (tau, mu)
        Log posterior mass of each node, normalised.
    log_evidence : float
        Log marginal likelihood.
    leak : float
        Posterior mass that the tables' ends may have cost.
    """

    plane: Plane
    integral: StudyIntegral | Mixed
    log_likelihood: FloatArray
    total: FloatArray
    log_mass: FloatArray
    log_evidence: float
    leak: float

    @property
    def tables(self) -> StudyIntegral:
        """The tables of log g_i that were used."""
        return self.integral.tables if isinstance(self.integral, Mixed) else self.integral

    @property
    def pairs(self) -> tuple[FloatArray, FloatArray]:
        """Mu and tau of the nodes, (tau * mu,) each."""
        mu = self.plane.mu
        return mu.reshape(-1), np.repeat(self.plane.tau, mu.shape[1])

    @property
    def mass(self) -> FloatArray:
        """Posterior mass of each node, (tau, mu)."""
        out: FloatArray = np.exp(self.log_mass)
        return out


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Rough:
    """A normal approximation of everything: where to look first, never an answer."""

    y: FloatArray
    se: FloatArray
    prior_mean: float
    prior_precision: float

    @classmethod
    def of(cls, bound: BoundModel) -> "_Rough":
        effect = bound.model.effect
        if isinstance(effect, Fixed):
            mean, precision = effect.value, 1e12
        elif effect.proper:
            lower, mean, upper = (float(q) for q in effect.quantile(np.array([0.25, 0.5, 0.75])))
            precision = (1.349 / (upper - lower)) ** 2
        else:
            mean, precision = 0.0, 0.0
        return cls(y=bound.data.y, se=bound.data.se, prior_mean=mean, prior_precision=precision)

    def given(self, tau: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Mean and sd of mu given tau, and log p(data | tau), all (...)."""
        variance = self.se**2 + tau[..., None] ** 2
        precision = (1 / variance).sum(axis=-1) + self.prior_precision
        pull = (self.y / variance).sum(axis=-1) + self.prior_precision * self.prior_mean
        mean = pull / precision
        misfit = ((self.y - mean[..., None]) ** 2 / variance + np.log(variance)).sum(axis=-1)
        misfit = misfit + self.prior_precision * (mean - self.prior_mean) ** 2 + np.log(precision)
        return mean, 1 / np.sqrt(precision), -0.5 * misfit


def first_plane(bound: BoundModel) -> Plane:
    """Lay the first plane by the normal approximation; `move_ranges` corrects it."""
    rough, prior = _Rough.of(bound), bound.model.heterogeneity
    of_tau, v_low, v_high, n_tau = None, 0.0, 0.0, 1
    tau = np.array([prior.support[0]])
    gap = np.zeros(1)
    if not has_known_tau(bound.model):
        low, high = prior.support
        of_tau = coordinate = SupportMap(low=max(low, 0.0), high=high, unit=bound.unit)

        def log_f(v: FloatArray) -> FloatArray:
            tau = coordinate.point(v)
            return rough.given(tau)[2] + prior.logpdf(tau) + coordinate.log_slope(v)

        begin, end, limit = coordinate.scan
        ends = find_range(log_f, np.array(begin), np.array(end), lowest=begin, highest=limit)
        v_low, v_high = map(float, ends)
        n_tau = 2 * int(np.clip((v_high - v_low) / _TAU_STEP / 2, 26, 96)) + 1
        v = np.linspace(v_low, v_high, n_tau)
        tau, density = coordinate.point(v), log_f(v)
        gap = density.max() - density
    center, scale, _ = rough.given(tau)
    reach = 1.3 * np.sqrt(2 * np.maximum(DROP - gap, 4.0))
    low, high = bound.model.effect.support
    known = isinstance(bound.model.effect, Fixed)
    of_mu: SinhMap | SupportMap | None
    if known:
        of_mu, x_low, x_high = None, np.zeros(n_tau), np.zeros(n_tau)
    elif np.isinf(low):
        of_mu = SinhMap(center=center, scale=scale, bend=BEND)
        x_high = BEND * np.arcsinh(reach / BEND)
        x_low = -x_high
    else:
        of_mu = SupportMap(low=low, high=high, unit=bound.unit)
        begin, end, _ = of_mu.scan
        edges = [np.clip(c, low + 1e-12 * bound.unit, high) for c in
                 (center - reach * scale, center + reach * scale)]  # fmt: skip
        x_low, x_high = (np.clip(of_mu.line(edge), begin, end) for edge in edges)
        x_high = np.maximum(x_high, x_low + 0.5)
    return Plane(
        v_low=v_low, v_high=v_high, n_tau=n_tau, of_tau=of_tau, known_tau=float(tau[0]),
        x_low=x_low, x_high=x_high, n_mu=1 if known else _FIRST_MU, of_mu=of_mu, known_mu=low,
    )  # fmt: skip


def evaluate_plane(
    bound: BoundModel, plane: Plane, integral: StudyIntegral | Mixed | None = None
) -> Surface:
    """Evaluate the posterior at the nodes of a plane, with tables that are long enough for it.

    Those of an earlier plane, `integral`, are taken again; they grow where they must.
    """
    mu, tau = plane.mu, plane.tau
    flat = mu.reshape(-1), np.broadcast_to(tau[:, None], mu.shape).reshape(-1)
    log_prior = np.log(plane.x_step)[:, None] + np.zeros_like(mu)
    if plane.of_mu is not None:
        log_prior = log_prior + bound.model.effect.logpdf(mu) + plane.of_mu.log_slope(plane.x)
    if plane.of_tau is not None:
        of_tau = bound.model.heterogeneity.logpdf(tau) + plane.of_tau.log_slope(plane.v)
        log_prior = log_prior + (of_tau + np.log(plane.v_step))[:, None]
    form = bound.model.random_effects
    if isinstance(form, TruncatedRandomEffects):  # every study's normal is normalised
        log_prior = log_prior - len(bound.studies) * form.log_inside(mu, tau[:, None])
    integral = integral or build_integral(bound, *flat)
    for _ in range(20):
        sums = integral.sum(*flat)
        log_mass = log_prior + sums.total.reshape(mu.shape)
        top = log_mass.max()
        evidence = float(top + np.log(np.exp(log_mass - top).sum()))
        leak = np.einsum("p,pse->se", np.exp(log_mass - evidence).reshape(-1), sums.leak)
        if leak.sum() < _LEAK:
            return Surface(
                plane=plane,
                integral=integral,
                log_likelihood=sums.log_likelihood,
                total=sums.total,
                log_mass=log_mass - evidence,
                log_evidence=evidence,
                leak=float(leak.sum()),
            )
        integral = integral.extend(leak > _LEAK / leak.size)
    raise AccuracyError("The tables of the study likelihoods do not reach far enough")


def move_ranges(surface: Surface, tails: TailOrder) -> Plane | None:
    """Give a plane whose ranges fit the posterior better; None where they already fit."""
    plane, log_mass = surface.plane, surface.log_mass
    tilt = tails.highest_moment * np.log(np.maximum(plane.tau, 1e-300))[:, None]
    height = log_mass - log_mass.max()
    if plane.of_tau is not None:
        tilted = log_mass + tilt
        height = np.maximum(height, tilted - tilted.max())
    x_low, x_high = plane.x_low, plane.x_high
    if plane.of_mu is not None:
        begin, end, _ = (
            plane.of_mu.scan if isinstance(plane.of_mu, SupportMap) else (-700.0, 700.0, 0)
        )
        x_low, x_high = fit_range(height, x_low, x_high, begin, end, drop=DROP, edge=_EDGE)
    v_low, v_high = np.array([plane.v_low]), np.array([plane.v_high])
    if plane.of_tau is not None:
        begin, _, end = plane.of_tau.scan
        v_low, v_high = fit_range(
            height.max(axis=1)[None], v_low, v_high, begin, end, drop=_LINE_DROP, edge=_LINE_EDGE
        )
    same_v = v_low[0] == plane.v_low and v_high[0] == plane.v_high
    if same_v and np.array_equal(x_low, plane.x_low) and np.array_equal(x_high, plane.x_high):
        return None
    moved = replace(plane, x_low=x_low, x_high=x_high)
    return moved if same_v else _move_line(moved, float(v_low[0]), float(v_high[0]), plane.n_tau)


def fit_range(
    height: FloatArray,
    low: FloatArray,
    high: FloatArray,
    lowest: float,
    highest: float,
    *,
    drop: float,
    edge: float,
) -> tuple[FloatArray, FloatArray]:
    """Widen ranges (row,) that end too high (row, node); cut those that are mostly empty."""
    points = height.shape[1]
    keep = height > -drop
    first = keep.argmax(axis=1)
    last = points - 1 - keep[:, ::-1].argmax(axis=1)
    width, step = high - low, (high - low) / (points - 1)
    matters = height.max(axis=1) > -15  # rows of less mass need no good resolution
    few = matters & ((last - first + 1) < 0.45 * points)
    at_low = (height[:, 0] > -edge) & (low > lowest)
    at_high = (height[:, -1] > -edge) & (high < highest)
    new_low = np.where(few & ~at_low, low + step * np.maximum(first - 2, 0), low)
    new_high = np.where(few & ~at_high, low + step * np.minimum(last + 2, points - 1), high)
    new_low = np.where(at_low, np.maximum(low - 0.4 * width, lowest), new_low)
    new_high = np.where(at_high, np.minimum(high + 0.4 * width, highest), new_high)
    return new_low, new_high


def _move_line(plane: Plane, v_low: float, v_high: float, n_tau: int) -> Plane:
    """Lay the same plane on another line of tau; its lines of mu are interpolated."""
    v = np.linspace(v_low, v_high, n_tau)
    x_low, x_high = (np.interp(v, plane.v, edge) for edge in (plane.x_low, plane.x_high))
    of_mu = plane.of_mu
    if isinstance(of_mu, SinhMap):
        scale = np.exp(np.interp(v, plane.v, np.log(of_mu.scale)))
        of_mu = replace(of_mu, center=np.interp(v, plane.v, of_mu.center), scale=scale)
    return replace(
        plane, v_low=v_low, v_high=v_high, n_tau=n_tau, x_low=x_low, x_high=x_high, of_mu=of_mu
    )


def refine(plane: Plane, more_tau: bool, more_mu: bool) -> Plane:
    """Narrow the spacing of tau, of mu, or of both by about a third."""
    if more_mu and plane.of_mu is not None:
        plane = replace(plane, n_mu=plane.n_mu + 2 * (plane.n_mu // 4))
    if more_tau and plane.of_tau is not None:
        plane = _move_line(plane, plane.v_low, plane.v_high, plane.n_tau + 2 * (plane.n_tau // 4))
    return plane
