"""The plane of (mu, tau) nodes of a grid fit, where it lies, and the posterior on it."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from bayesmeta.errors import AccuracyError
from bayesmeta.inference.integrate import StudyIntegral
from bayesmeta.inference.propriety import TailOrder
from bayesmeta.inference.quadrature import LOWEST_CHECKED, SinhMap, SupportMap, find_range
from bayesmeta.inference.rough import CROWDED_MU, MuMap, crowd_at_break, near_of_mu
from bayesmeta.inference.small_tau import is_small, sum_rows
from bayesmeta.inference.spread import Mixed, build_integral
from bayesmeta.inference.tables import BoolArray, IndexArray, Tables
from bayesmeta.model import BoundModel, has_known_tau
from bayesmeta.once import Taken, once
from bayesmeta.priors import Fixed
from bayesmeta.random_effects import StudentRandomEffects, TruncatedRandomEffects
from bayesmeta.scales import FloatArray

BEND = 5.0  # conditional SDs of mu after which its nodes begin to spread exponentially
_FIRST_MU, _FIRST_OF_T = 37, 47  # first nodes of mu; of t random effects with few degrees
_FEW = 8.0  # degrees of freedom below which mu has tails too long for the former
_REACH = 1.15  # times as far as a normal density of mu falls by DROP
LEAST_TAU, _MOST_TAU = 33, 193  # nodes of the first line of tau
_UNIT = 1 / 3  # of the line of tau, in harmonic means of the SEs: about what needs fewest nodes
_SCAN = 513  # points at which a normal approximation shows where tau lies, and how smooth it is
_SMOOTH = 1e-10  # accepted spectrum of that approximation at the nodes' highest frequencies
DROP = 27.0  # log units below its maximum at which the plane is cut: e^-27 = 2e-12
LINE_DROP = 31.0  # the same for the line of tau, whose tails are longer
_LEAK = 1e-11  # posterior mass that the ends of the tables may cost
_REACHED = 1e-15  # share of a row's mass lost there that leaves the row as it is for longer tables
_ROUNDED = 1e-13  # of a step or range: by how much nodes of rows that are the same may differ


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
    of_mu : SinhMap, SupportMap, CrowdedMap or None
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
    of_mu: MuMap | None
    known_mu: float
    _taken: Taken = field(default_factory=Taken, init=False, repr=False)

    @property
    @once
    def v(self) -> FloatArray:
        """Nodes of the line of tau, (tau,)."""
        return np.linspace(self.v_low, self.v_high, self.n_tau)

    @property
    def v_step(self) -> float:
        """Spacing of the line of tau; 1 where tau is known."""
        return (self.v_high - self.v_low) / (self.n_tau - 1) if self.of_tau else 1.0

    @property
    @once
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
    @once
    def x(self) -> FloatArray:
        """Nodes of the lines of mu, (tau, mu)."""
        return self.x_low[:, None] + self.x_step[:, None] * np.arange(self.n_mu)

    @property
    @once
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
    lost : (tau, study, 2)
        Share of the mass of each row, a node of tau, that the tables' ends may have cost.
    leak : float
        Posterior mass that they may have cost in all.
    """

    plane: Plane
    integral: StudyIntegral | Mixed
    log_likelihood: FloatArray
    total: FloatArray
    log_mass: FloatArray
    log_evidence: float
    lost: FloatArray
    leak: float
    _taken: Taken = field(default_factory=Taken, init=False, repr=False)

    @property
    def tables(self) -> Tables:
        """The tables of log g_i that were used."""
        inner = self.integral.integral if isinstance(self.integral, Mixed) else self.integral
        return inner.tables

    @property
    @once
    def pairs(self) -> tuple[FloatArray, FloatArray]:
        """Mu and tau of the nodes, (tau * mu,) each."""
        mu = self.plane.mu
        return mu.reshape(-1), np.repeat(self.plane.tau, mu.shape[1])

    @property
    @once
    def mass(self) -> FloatArray:
        """Posterior mass of each node, (tau, mu); rounding of the evidence divided out."""
        mass = np.exp(self.log_mass)
        out: FloatArray = mass / mass.sum()
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


def first_plane(bound: BoundModel, tails: TailOrder) -> Plane:
    """Lay the first plane by the normal approximation; `move_ranges` and `refine` correct it."""
    rough, prior = _Rough.of(bound), bound.model.heterogeneity
    of_tau, v_low, v_high, n_tau = None, 0.0, 0.0, 1
    tau = np.array([prior.support[0]])
    gap = np.zeros(1)
    if not has_known_tau(bound.model):
        low, high = prior.support
        unit = _UNIT / float((1 / bound.data.se).mean())
        of_tau = coordinate = SupportMap(low=max(low, 0.0), high=high, unit=unit)

        def log_f(v: FloatArray) -> FloatArray:
            tau = coordinate.point(v)
            return rough.given(tau)[2] + prior.logpdf(tau) + coordinate.log_slope(v)

        def tilted(v: FloatArray) -> FloatArray:
            tilt = tails.highest_moment * np.log(np.maximum(coordinate.point(v), 1e-300))
            out: FloatArray = log_f(v)[..., None] + np.stack([np.zeros_like(v), tilt], axis=-1)
            return out

        v_low, v_high, n_tau = _lay_line(tilted, coordinate)
        v = np.linspace(v_low, v_high, n_tau)
        tau, heights = coordinate.point(v), tilted(v)
        gap = (heights.max(axis=0) - heights).min(axis=1)
    small = is_small(tau, bound.data.se)  # these rows share their nodes of mu: see `sum_rows`
    gap[small] = gap[small].min(initial=np.inf)
    center, scale, _ = rough.given(np.maximum(tau, tau[small].max(initial=0.0)))
    low, high = bound.model.effect.support
    of_mu: MuMap | None = None
    x_low, x_high, n_mu = np.zeros(n_tau), np.zeros(n_tau), 1
    if not isinstance(bound.model.effect, Fixed):
        plain = (
            SinhMap(center=center, scale=scale, bend=BEND)
            if np.isinf(low)
            else SupportMap(low=low, high=high, unit=bound.unit)
        )
        crowded = crowd_at_break(bound.data, plain, near_of_mu(tau, scale), scale)
        form = bound.model.random_effects
        of_t = isinstance(form, StudentRandomEffects) and form.df < _FEW
        first = _FIRST_OF_T if of_t else _FIRST_MU
        of_mu, n_mu = (plain, first) if crowded is None else (crowded, CROWDED_MU)
        reach = _REACH * np.sqrt(2 * np.maximum(DROP - gap, 4.0)) * scale
        x_low, x_high = (of_mu.line(end[:, None])[:, 0] for end in (center - reach, center + reach))
        if isinstance(plain, SupportMap):
            begin, end, _ = of_mu.scan if not isinstance(of_mu, SinhMap) else plain.scan
            x_low, x_high = np.clip(x_low, begin, end), np.clip(x_high, begin, end)
            if crowded is None:  # what a bound leaves of a row may be next to nothing
                cut = (center - reach < low) | (center + reach > high)
                x_high = np.where(cut, np.maximum(x_high, x_low + 0.5), x_high)
    return Plane(
        v_low=v_low, v_high=v_high, n_tau=n_tau, of_tau=of_tau, known_tau=float(tau[0]),
        x_low=x_low, x_high=x_high, n_mu=n_mu, of_mu=of_mu, known_mu=low,
    )  # fmt: skip


def _lay_line(
    log_f: Callable[[FloatArray], FloatArray], coordinate: SupportMap
) -> tuple[float, float, int]:
    """Give ends of the line of tau, and nodes enough for `log_f` (point, integrand) if it is all.

    The nodes' highest frequencies must lie where the spectrum of the first integrand is negligible.
    """
    begin, end, limit = coordinate.scan
    ends = find_range(log_f, np.array(begin), np.array(end), lowest=begin, highest=limit)
    v = np.linspace(float(ends[0]), float(ends[1]), _SCAN)
    height = log_f(v)
    height = height - height.max(axis=0)
    kept = np.flatnonzero((height > -LINE_DROP - 2).any(axis=1))
    low, high = max(kept[0] - 1, 0), min(kept[-1] + 1, _SCAN - 1)
    mass = np.exp(height[:, 0])
    spectrum = np.abs(np.fft.rfft(mass, 4 * _SCAN)) / mass.sum()
    highest = np.flatnonzero(spectrum > _SMOOTH)[-1] / (4 * _SCAN)  # cycles per point
    nodes = (high - low) * highest * 2 / LOWEST_CHECKED + 1
    n_tau = 2 * int(np.clip(nodes, LEAST_TAU, _MOST_TAU) / 2) + 1
    return float(v[low]), float(v[high]), n_tau


def evaluate_plane(
    bound: BoundModel,
    plane: Plane,
    tails: TailOrder,
    integral: StudyIntegral | Mixed | None = None,
    last: Surface | None = None,
) -> Surface:
    """Evaluate the posterior at the nodes of a plane, with tables that are long enough for it.

    Those of an earlier plane, `integral`, are taken again; they grow where they must. Rows (nodes
    of tau) that the surface `last`, of these tables, has too are not summed again.
    """
    mu, tau, log_prior = plane.mu, plane.tau, _log_prior(bound, plane)
    if integral is None:  # the ends of the rows say how far the tables must reach
        cut = isinstance(bound.model.random_effects, TruncatedRandomEffects)
        ends = mu if cut else mu[:, [0, -1]]
        integral = build_integral(bound, ends.reshape(-1), np.repeat(tau, ends.shape[1]))
    log_l = np.empty((*mu.shape, len(bound.studies)))
    total, lost = np.empty(mu.shape), np.empty((len(tau), log_l.shape[2], 2))
    stale: BoolArray = np.ones(len(tau), dtype=bool)
    if last is not None and last.plane.n_mu == plane.n_mu:
        row, same = _match_rows(plane, last.plane)
        shape = (last.plane.n_tau, plane.n_mu)
        log_l[same] = last.log_likelihood.reshape(*shape, -1)[row[same]]
        total[same], lost[same] = last.total.reshape(shape)[row[same]], last.lost[row[same]]
        stale = ~same
    for _ in range(20):
        rows = np.flatnonzero(stale)
        if len(rows):
            sums = sum_rows(integral, mu[rows], tau[rows])
            log_l[rows] = sums.log_likelihood.reshape(-1, *log_l.shape[1:])
            total[rows] = sums.total.reshape(-1, mu.shape[1])
            leaks = sums.leak.reshape(len(rows), mu.shape[1], -1)
            share = _share_out(log_prior[rows] + total[rows])
            lost[rows] = (share[:, None] @ leaks).reshape(len(rows), -1, 2)
        log_mass = log_prior + total
        top = log_mass.max()
        evidence = float(top + np.log(np.exp(log_mass - top).sum()))
        leak = np.tensordot(_share_of_rows(np.exp(log_mass - evidence), plane, tails), lost, 1)
        if leak.sum() < _LEAK:
            return Surface(
                plane=plane,
                integral=integral,
                log_likelihood=log_l.reshape(mu.size, -1),
                total=total.reshape(-1),
                log_mass=log_mass - evidence,
                log_evidence=evidence,
                lost=lost,
                leak=float(leak.sum()),
            )
        short = leak > _LEAK / leak.size
        _require_longer(integral, short)
        integral = integral.extend(short)
        stale = lost.sum(axis=(1, 2)) > _REACHED
    raise AccuracyError("The tables of the study likelihoods do not reach far enough")


def _share_of_rows(mass: FloatArray, plane: Plane, tails: TailOrder) -> FloatArray:
    """Share of the mass, or of a second moment that exists, if that is more, in each row (tau,)."""
    terms = [mass]
    if tails.has_moment(2, of_mu=True):
        terms.append(mass * (plane.mu - (mass * plane.mu).sum()) ** 2)
    if tails.highest_moment:
        terms.append(mass * plane.tau[:, None] ** tails.highest_moment)
    rows = np.array([term.sum(axis=1) for term in terms])
    out: FloatArray = (rows / np.maximum(rows.sum(axis=1, keepdims=True), 1e-300)).max(axis=0)
    return out


def _log_prior(bound: BoundModel, plane: Plane) -> FloatArray:
    """Log prior mass of the nodes of a plane, (tau, mu)."""
    mu, tau = plane.mu, plane.tau
    out = np.log(plane.x_step)[:, None] + np.zeros_like(mu)
    if plane.of_mu is not None:
        out = out + bound.model.effect.logpdf(mu) + plane.of_mu.log_slope(plane.x)
    if plane.of_tau is not None:
        of_tau = bound.model.heterogeneity.logpdf(tau) + plane.of_tau.log_slope(plane.v)
        out = out + (of_tau + np.log(plane.v_step))[:, None]
    form = bound.model.random_effects
    if isinstance(form, TruncatedRandomEffects):  # every study's normal is normalised
        out = out - len(bound.studies) * form.log_inside(mu, tau[:, None])
    return out


def _share_out(log_mass: FloatArray) -> FloatArray:
    """Shares of each row's mass at its nodes, (tau, mu); none where it has no mass."""
    top = log_mass.max(axis=1, keepdims=True)
    share = np.exp(log_mass - np.where(np.isfinite(top), top, 0.0))
    out: FloatArray = share / np.maximum(share.sum(axis=1, keepdims=True), 1e-300)
    return out


def _match_rows(plane: Plane, last: Plane) -> tuple[IndexArray, BoolArray]:
    """Find the nearest row of a plane with as many nodes of mu, and where it is the same (tau,)."""
    v_step = max(plane.v_step, 1e-300)
    row = np.clip(np.rint((plane.v - last.v_low) / v_step), 0, last.n_tau - 1).astype(np.intp)
    mu, old = plane.mu, last.mu[row]
    moved = np.abs(mu - old).max(axis=1) > _ROUNDED * (old.max(axis=1) - old.min(axis=1))
    return row, ~moved & (np.abs(plane.v - last.v[row]) <= _ROUNDED * v_step)


def _require_longer(integral: StudyIntegral | Mixed, short: BoolArray) -> None:
    """Refuse where a table is `short` (study, 2) because the user's own ends there."""
    data = integral.bound.data
    refuse, ends = (getattr(data, name, None) for name in ("refuse_short", "ends"))
    if refuse is not None and ends is not None:
        tables = integral.integral.tables if isinstance(integral, Mixed) else integral.tables
        at_end = short & (np.abs(tables.ends - ends) < 1e-6 * tables.scale[:, None])
        if at_end.any():
            refuse(at_end)
