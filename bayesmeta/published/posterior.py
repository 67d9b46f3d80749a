"""A full posterior from what a publication prints of one pooled row."""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from bayesmeta.design import build_design
from bayesmeta.effects import get_measure
from bayesmeta.errors import (
    AccuracyError,
    BayesmetaWarning,
    ImproperPosteriorError,
    ModelError,
    NotExactError,
)
from bayesmeta.inference.gaussian_nodes import PROBS, tau_map
from bayesmeta.inference.marginals import Marginal, NormalMixture
from bayesmeta.inference.posterior import Accuracy, Draws, Posterior
from bayesmeta.inference.propriety import TailOrder, moment_note, order_tails
from bayesmeta.inference.quadrature import FIRST_NODES, LAST_NODES, SupportMap, cut_off, find_range
from bayesmeta.inference.sinc import SincDensity
from bayesmeta.inference.threads import on_one_blas_thread
from bayesmeta.likelihoods import NormalData, NormalLikelihood
from bayesmeta.model import BoundModel, Model, has_known_tau
from bayesmeta.printed import Printed
from bayesmeta.priors import Fixed, Flat, Normal
from bayesmeta.published.evidence import RowEvidence, read_row
from bayesmeta.published.likelihood import (
    EffectPrior,
    Given,
    RowNodes,
    condition_on_tau,
    log_row,
    place_row,
)
from bayesmeta.published.row import PublishedRow
from bayesmeta.random_effects import NormalRandomEffects
from bayesmeta.scales import FloatArray

_RUNGS = 8  # of the rules over the nuisances
_FAINT = 1e-17  # weight at which a component is left out


def from_published(
    row: PublishedRow,
    model: Model,
    *,
    sizes: Sequence[float] | None = None,
    unit_sd: float | None = None,
    implied_q_p: Printed | None = None,
    level: float = 0.95,
    tol: float = 1e-8,
) -> Posterior:
    """Exact posterior of a published pooled row, without its studies.

    The k studies are taken to be equally precise, or to have variances proportional to 1/size.
    Every printed number stands for the interval of its rounding. The notes of the result say what
    was assumed.

    Parameters
    ----------
    row : PublishedRow
        Numbers as printed, on the natural scale (ratios as ratios). Needed: `estimate`, and `ci`
        or `p`. Without `k` the row is read as one study of a common effect; without `q`, `q_p`,
        `i2` (and, for a random row, `tau2`) it says nothing of tau.
    model : Model
        Priors and measure; with the normal likelihood, normal random effects and a normal, flat
        or fixed effect prior.
    sizes : sequence of float, optional
        Patients of each study: their variances are then taken as proportional to 1/size.
    unit_sd : float, optional
        The standard error of a study of size n is unit_sd/sqrt(n), analysis scale (for a log odds
        ratio with half the patients having the event it is 4). Only a random row whose Q is open
        above ("Q p < 0.0001") needs it, with `sizes`.
    implied_q_p : Printed, optional
        What the paper's rule implies where no Q is printed: ``Printed.parse(">0.1")`` for a
        fixed row of a paper that pools at random where p of Q is below 0.1.
    level : float
        Probability of the printed interval.
    tol : float
        Accepted numerical error.

    Returns
    -------
    Posterior
        Of engine "published". `theta`, of shape (1,), is the mean of the k studies' true effects.
        The log marginal likelihood of a random row is that of its estimate and standard error
        under an improper weight of the studies' variance: it compares priors on the same row only.

    Raises
    ------
    PublishedRowError
        The row cannot be read: all that is wrong with it, at once.
    ModelError, NotExactError
        Another likelihood, form of random effects or kind of effect prior.
    ImproperPosteriorError
        The posterior does not integrate.
    AccuracyError
        `tol` was not met.

    Warns
    -----
    BayesmetaWarning
        A fixed row with Q/(k - 1) above 1.5, where the model fails; also in the notes.

    References
    ----------
    DerSimonian and Laird (1986), Controlled Clinical Trials 7:177-188; the documentation
    (methods, published rows) states the likelihood.

    Examples
    --------
    >>> import bayesmeta as bm
    >>> row = bm.PublishedRow(model="random", k=2, estimate=bm.Printed.parse("5.13"),
    ...     ci=(bm.Printed.parse("0.75"), bm.Printed.parse("35.02")), q_p=bm.Printed.parse("0.07"))
    >>> model = bm.Model(measure="OR", likelihood=bm.NormalLikelihood(),
    ...                  effect=bm.Normal(0, 2.82), heterogeneity=bm.HalfNormal(0.5))
    >>> posterior = from_published(row, model)
    >>> round(float(posterior.mu.mean), 2), round(float(posterior.tau.mean), 2)
    (1.55, 0.45)
    """
    _require_supported(model)
    measure = get_measure(model.measure)
    evidence = read_row(
        row,
        measure,
        sizes=sizes,
        unit_sd=unit_sd,
        implied_q_p=implied_q_p,
        level=level,
    )
    if evidence.flagged:
        note = next(note for note in evidence.notes if note.startswith("flagged"))
        warnings.warn(note, BayesmetaWarning, stacklevel=2)
    if evidence.common:
        model = replace(model, heterogeneity=Fixed(0.0))
    bound = BoundModel(
        model=model, measure=measure, data=_as_data(evidence), design=build_design(1)
    )
    return fit_row(bound, evidence, tol=tol)


def _require_supported(model: Model) -> EffectPrior:
    if not isinstance(model.likelihood, NormalLikelihood):
        raise ModelError(
            f"A published row holds no data for the {model.likelihood} likelihood. "
            "Use NormalLikelihood()"
        )
    if not isinstance(model.random_effects, NormalRandomEffects):
        raise NotExactError(
            f"A published row is analysed with normal random effects, not {model.random_effects}"
        )
    if not isinstance(model.effect, Normal | Flat | Fixed):
        raise NotExactError(
            f"A published row is analysed with a normal, flat or fixed effect prior, "
            f"not {model.effect}"
        )
    return model.effect


def _as_data(evidence: RowEvidence) -> NormalData:
    """Give the row as one estimate, with the sampling variance that it has in the middle of Q."""
    nodes = place_row(evidence, 0)
    middle = len(nodes.c) // 2
    k = evidence.weights.k
    return NormalData(
        studies=("published row" if k == 1 else f"mean of {k} studies",),
        y=np.array([nodes.offset]),
        S=np.array([nodes.a[middle] * nodes.c[middle]]),
        notes=evidence.notes,
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Line:
    """The line of tau: its map, and its ends; no map where tau is known."""

    coordinate: SupportMap | None
    low: float
    high: float


@on_one_blas_thread
def fit_row(bound: BoundModel, evidence: RowEvidence, *, tol: float) -> Posterior:
    """Exact posterior of a row; refined until two rungs agree to `tol` in all they report.

    Raises
    ------
    ImproperPosteriorError, AccuracyError
    """
    tails = _find_tails(bound.model, evidence)
    line = _find_line(bound, evidence, tails)
    found, of_rule, rung = _refine_rule(bound, evidence, line, tails, tol)
    error, n = of_rule, FIRST_NODES
    while line.coordinate is not None and n < LAST_NODES:
        before, n = found, 2 * n - 1
        found = _evaluate(bound, evidence, line, tails, n, rung)
        error = of_rule + _distance(before, found) + _cut(found, tails)
        if error <= tol:
            break
    if error <= tol:
        error += _rounding_floor(found)
        assert isinstance(found.accuracy, Accuracy)
        return replace(found, accuracy=replace(found.accuracy, error=error, tol=tol))
    raise AccuracyError(
        f"The posterior of the published row still moves by {error:.1e} (tol {tol:.0e}) on the "
        f"finest nodes; the prior {bound.model.heterogeneity} may have a kink, or too few digits "
        "are printed"
    )


def _refine_rule(
    bound: BoundModel, evidence: RowEvidence, line: _Line, tails: TailOrder, tol: float
) -> tuple[Posterior, float, int]:
    """Refine the rules over the nuisances, on the first nodes of tau: posterior, error, rung."""
    found, error = _evaluate(bound, evidence, line, tails, FIRST_NODES, 0), np.inf
    for rung in range(1, _RUNGS):
        before, found = found, _evaluate(bound, evidence, line, tails, FIRST_NODES, rung)
        error = _distance(before, found)
        if error <= 0.5 * tol:
            break
    return found, error, rung


def _find_tails(model: Model, evidence: RowEvidence) -> TailOrder:
    """Orders of the tails; Q adds k - 1 to that of tau where it is bounded above."""
    bounded = evidence.q is not None and math.isfinite(evidence.q[1])
    k = evidence.weights.k
    tails = order_tails(
        model.effect,
        model.heterogeneity,
        vanishing=k if bounded else 1,
        known_tau=has_known_tau(model),
    )
    if not tails.of_tau > 1:
        raise ImproperPosteriorError(
            f"With effect prior {model.effect} and heterogeneity prior {model.heterogeneity} the "
            f"posterior of tau does not integrate for this row: it falls as "
            f"tau^({-tails.of_tau:g}), and must fall faster than tau^-1. "
            "Use a proper heterogeneity prior, such as half_normal(0.5) for a log ratio"
        )
    return tails


def _find_line(bound: BoundModel, evidence: RowEvidence, tails: TailOrder) -> _Line:
    prior, effect = bound.model.heterogeneity, _require_supported(bound.model)
    if has_known_tau(bound.model):
        return _Line(coordinate=None, low=0.0, high=0.0)
    nodes = place_row(evidence, 0)
    coordinate = tau_map(prior, float(np.sqrt(evidence.weights.k) * np.mean(evidence.se)))

    def log_f(v: FloatArray) -> FloatArray:
        tau = coordinate.point(v)
        given = condition_on_tau(nodes, tau, effect).log_mass.reshape(len(tau), -1)
        density = np.logaddexp.reduce(given, axis=-1)
        density = density + prior.logpdf(tau) + coordinate.log_slope(v)
        out: FloatArray = density[:, None] + np.log(tau)[:, None] * np.array(
            [0, tails.highest_moment]
        )
        return out

    low, high, limit = coordinate.scan
    ends = find_range(log_f, np.array(low), np.array(high), lowest=low, highest=limit)
    return _Line(coordinate=coordinate, low=float(ends[0]), high=float(ends[1]))


def _evaluate(
    bound: BoundModel, evidence: RowEvidence, line: _Line, tails: TailOrder, n: int, rung: int
) -> Posterior:
    """Posterior by `n` nodes of tau and one rung of the nuisances; its error is not known yet."""
    prior, effect = bound.model.heterogeneity, _require_supported(bound.model)
    nodes = place_row(evidence, rung)
    if line.coordinate is None:
        tau, log_prior, step = np.array([prior.support[0]]), np.zeros(1), 1.0
    else:
        v = np.linspace(line.low, line.high, n)
        tau, step = line.coordinate.point(v), float(v[1] - v[0])
        log_prior = prior.logpdf(tau) + line.coordinate.log_slope(v)
    given = condition_on_tau(nodes, tau, effect)
    log_mass = given.log_mass + log_prior[:, None, None]
    top = float(log_mass.max())
    mass = np.exp(log_mass - top)
    total = float(mass.sum())
    mass = mass / total
    masses = mass.sum(axis=(1, 2))
    of_tau: NormalMixture | SincDensity
    if line.coordinate is None:
        of_tau = NormalMixture(means=tau, sds=np.zeros(1), weights=masses)
    else:
        of_tau = SincDensity(
            start=np.array([line.low]),
            step=np.array([step]),
            masses=masses[None, :],
            coordinate=line.coordinate,
            has_mean=tails.has_moment(1),
            has_sd=tails.has_moment(2),
        )
    has_mean, has_sd = tails.has_moment(1), tails.has_moment(2)
    spread = np.broadcast_to(tau[:, None, None] ** 2, mass.shape)
    keep = mass > _FAINT
    mu = _mix(nodes, given.mean, given.variance, mass, keep)
    return Posterior(
        bound=bound,
        engine="published",
        mu=replace(
            mu,
            has_mean=tails.has_moment(1, of_mu=True),
            has_sd=tails.has_moment(2, of_mu=True),
        ),
        tau=of_tau,
        theta_new=replace(
            _mix(nodes, given.mean, given.variance + spread, mass, keep),
            has_mean=has_mean,
            has_sd=has_sd,
        ),
        theta=_mix(nodes, given.theta_mean, given.theta_variance, mass, keep, studies=True),
        log_marginal_likelihood=top + math.log(total * step),
        accuracy=Accuracy(error=np.inf, tol=0.0, nodes=given.log_mass.shape),
        joint=RowJoint(nodes=nodes, tau=of_tau, effect=effect),
        notes=(*evidence.notes, *moment_note(tails)),
    )


def _mix(
    nodes: RowNodes,
    mean: FloatArray,
    variance: FloatArray,
    mass: FloatArray,
    keep: np.ndarray[tuple[int, ...], np.dtype[np.bool_]],
    *,
    studies: bool = False,
) -> NormalMixture:
    """Mix the normals of all nodes, without those of no weight; (1, node) with `studies`."""
    weights = mass[keep]
    means, sds = nodes.offset + mean[keep], np.sqrt(variance[keep])
    if studies:
        means, sds = means[None], sds[None]
    return NormalMixture(means=means, sds=sds, weights=weights / weights.sum())


def _distance(before: Posterior, after: Posterior) -> float:
    """Largest change of anything reported, in the units of `Accuracy`."""
    assert before.log_marginal_likelihood is not None
    assert after.log_marginal_likelihood is not None
    pairs = [(before.marginals[name], one, name) for name, one in after.marginals.items()]
    pairs.append((before.theta, after.theta, "theta"))
    return max(
        abs(after.log_marginal_likelihood - before.log_marginal_likelihood),
        float(np.abs(after.mu.cdf(0.0) - before.mu.cdf(0.0))),
        *(_moved(old, new, relative=name == "tau") for old, new, name in pairs),
    )


def _moved(old: Marginal, new: Marginal, *, relative: bool) -> float:
    """Change of mean, sd and quantiles; those move by the change of the cdf over the density."""
    assert isinstance(new, NormalMixture | SincDensity)
    if isinstance(new, NormalMixture) and not new.sds.any() and np.ptp(new.means) == 0:
        return 0.0  # a known value
    at = np.ravel(new.quantile(PROBS, close=0.5))
    unit = float(np.ravel(new.sd)[0])
    unit = unit if math.isfinite(unit) else float(at[-1] - at[0]) / 4
    moves = np.abs(np.ravel(new.cdf(at)) - np.ravel(old.cdf(at))) / np.ravel(new.pdf(at))
    shift = np.abs(np.ravel(new.mean - old.mean)[0])
    of_sd = np.abs(np.ravel(old.sd)[0] / unit - 1)
    scale = at if relative else np.full(3, unit)
    of_mean = shift / (np.ravel(new.mean)[0] if relative else unit)
    return float(np.nanmax([*(moves / scale), of_mean, of_sd]))


def _cut(posterior: Posterior, tails: TailOrder) -> float:
    """Give the share of tau beyond the nodes."""
    of_tau = posterior.tau
    if not isinstance(of_tau, SincDensity):
        return 0.0
    line = of_tau.start + of_tau.step * np.arange(of_tau.masses.shape[-1])
    return float(cut_off(of_tau.masses[0], of_tau.coordinate.point(line), tails.highest_moment))


def _rounding_floor(posterior: Posterior) -> float:
    eps = float(np.finfo(float).eps)
    data = posterior.bound.data
    sd = float(np.nanmin([posterior.mu.sd or np.nan, data.se.min()]))
    evidence = posterior.log_marginal_likelihood or 0.0
    return eps * (64 + 4 * float(np.abs(data.y).max()) / sd + 8 * abs(evidence))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RowJoint:
    """Joint posterior of a published row: tau by inversion, the nuisances, the rest normal."""

    nodes: RowNodes
    tau: NormalMixture | SincDensity
    effect: EffectPrior

    def draw(self, draws: int, rng: np.random.Generator) -> Draws:
        """Give independent draws in 4 chains; `draws` is rounded up to a multiple of 4."""
        n = 4 * -(-draws // 4)
        tau = self.tau.quantile(rng.random(n))
        given: Given = condition_on_tau(self.nodes, tau, self.effect)
        log_mass = given.log_mass.reshape(n, -1)
        mass = np.exp(log_mass - log_mass.max(axis=-1, keepdims=True)).cumsum(axis=-1)
        at = (mass < rng.random((n, 1)) * mass[:, -1:]).sum(axis=-1)[:, None]
        mean, variance = (
            np.take_along_axis(part.reshape(n, -1), at, axis=-1)[:, 0]
            for part in (given.mean, given.variance)
        )
        part, estimate = np.divmod(at[:, 0], len(self.nodes.m))
        mu = mean + np.sqrt(variance) * rng.standard_normal(n)
        own = self.nodes.a[part] * self.nodes.c[part]
        between = tau**2 * self.nodes.b[part]
        share = own / (own + between)
        theta = self.nodes.m[estimate] * (1 - share) + share * mu
        theta = theta + np.sqrt(share * between) * rng.standard_normal(n)
        mu, theta = mu + self.nodes.offset, theta + self.nodes.offset
        return Draws(
            mu=mu.reshape(4, -1),
            tau=tau.reshape(4, -1),
            theta_new=(mu + tau * rng.standard_normal(n)).reshape(4, -1),
            theta=theta.reshape(4, -1, 1),
        )

    def log_likelihood(self, mu: FloatArray, tau: FloatArray) -> FloatArray:
        """Log likelihood of the row, as one study: (...) -> (..., 1)."""
        shape = np.broadcast_shapes(np.shape(mu), np.shape(tau))
        flat = [np.broadcast_to(part, shape).reshape(-1) for part in (mu, tau)]
        return log_row(self.nodes, *flat).reshape(*shape, 1)

    def sample_stats(self) -> None:
        """None: there is no sampler."""
        return
