"""The plane of (mu, tau) nodes of a grid fit, and where the first one lies."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from bayesmeta.inference.crowded import CrowdedMap
from bayesmeta.inference.propriety import TailOrder
from bayesmeta.inference.quadrature import LOWEST_CHECKED, SinhMap, SupportMap, find_range
from bayesmeta.inference.rough import CROWDED_MU, MuMap, crowd_at_break, near_of_mu
from bayesmeta.inference.small_tau import is_small
from bayesmeta.model import BoundModel, has_known_tau
from bayesmeta.once import Taken, once
from bayesmeta.priors import Fixed
from bayesmeta.random_effects import StudentRandomEffects
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
    small = is_small(tau, bound.data.se)
    gap[small] = gap[small].min(initial=np.inf)
    x_low, x_high, n_mu = np.zeros(n_tau), np.zeros(n_tau), 1
    center, scale = _about(bound, rough, tau)
    of_mu = _map_rows(bound, tau, center, scale)
    low, high = bound.model.effect.support
    if of_mu is not None:
        crowded = isinstance(of_mu, CrowdedMap)
        form = bound.model.random_effects
        of_t = isinstance(form, StudentRandomEffects) and form.df < _FEW
        n_mu = CROWDED_MU if crowded else _FIRST_OF_T if of_t else _FIRST_MU
        reach = _REACH * np.sqrt(2 * np.maximum(DROP - gap, 4.0)) * scale
        x_low, x_high = (of_mu.line(end[:, None])[:, 0] for end in (center - reach, center + reach))
        if np.isfinite(low) and not isinstance(of_mu, SinhMap):
            begin, end, _ = of_mu.scan
            x_low, x_high = np.clip(x_low, begin, end), np.clip(x_high, begin, end)
            if not crowded:  # what a bound leaves of a row may be next to nothing
                cut = (center - reach < low) | (center + reach > high)
                x_high = np.where(cut, np.maximum(x_high, x_low + 0.5), x_high)
    return Plane(
        v_low=v_low, v_high=v_high, n_tau=n_tau, of_tau=of_tau, known_tau=float(tau[0]),
        x_low=x_low, x_high=x_high, n_mu=n_mu, of_mu=of_mu, known_mu=low,
    )  # fmt: skip


def lay_maps(bound: BoundModel, tau: FloatArray) -> MuMap | None:
    """Give the lines of mu of rows at tau (tau,), by a normal approximation; None: mu is known."""
    return _map_rows(bound, tau, *_about(bound, _Rough.of(bound), tau))


def _map_rows(
    bound: BoundModel, tau: FloatArray, center: FloatArray, scale: FloatArray
) -> MuMap | None:
    """Give the lines of mu of rows at tau about centres and with scales, all (tau,)."""
    if isinstance(bound.model.effect, Fixed):
        return None
    low, high = bound.model.effect.support
    plain = (
        SinhMap(center=center, scale=scale, bend=BEND)
        if np.isinf(low)
        else SupportMap(low=low, high=high, unit=bound.unit)
    )
    return crowd_at_break(bound.data, plain, near_of_mu(tau, scale), scale) or plain


def _about(bound: BoundModel, rough: _Rough, tau: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean and SD of mu for rows at tau (tau,), about; those of small tau share them.

    So they share their nodes of mu: see `sum_rows`.
    """
    small = is_small(tau, bound.data.se)
    return rough.given(np.maximum(tau, tau[small].max(initial=0.0)))[:2]


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
