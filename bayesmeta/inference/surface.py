"""The posterior on a plane of (mu, tau) nodes, by tables that reach far enough for it."""

from dataclasses import dataclass, field

import numpy as np

from bayesmeta.errors import AccuracyError
from bayesmeta.inference.integrate import StudyIntegral
from bayesmeta.inference.plane import Plane
from bayesmeta.inference.propriety import TailOrder
from bayesmeta.inference.small_tau import sum_rows
from bayesmeta.inference.spread import Mixed, build_integral
from bayesmeta.inference.tables import BoolArray, IndexArray, Tables
from bayesmeta.model import BoundModel
from bayesmeta.once import Taken, once
from bayesmeta.random_effects import TruncatedRandomEffects
from bayesmeta.scales import FloatArray

_LEAK = 1e-11  # posterior mass that the ends of the tables may cost
_REACHED = 1e-15  # share of a row's mass lost there that leaves the row as it is for longer tables
_ROUNDED = 1e-13  # of a step or range: by how much nodes of rows that are the same may differ


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
