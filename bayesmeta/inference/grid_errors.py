"""What is wrong with the numbers of a plane: of nodes, of what is cut, of sums, of rounding."""

import numpy as np

from bayesmeta.inference.bounded import cut_moments
from bayesmeta.inference.plane import Plane
from bayesmeta.inference.posterior import Posterior
from bayesmeta.inference.propriety import TailOrder
from bayesmeta.inference.quadrature import cut_off
from bayesmeta.inference.sinc import SincDensity
from bayesmeta.inference.surface import Surface
from bayesmeta.inference.tables import IndexArray
from bayesmeta.inference.unseen import (
    beyond_lines,
    error_of_probabilities,
    error_of_rows,
    new_effect,
)
from bayesmeta.random_effects import TruncatedRandomEffects
from bayesmeta.scales import FloatArray

_CHECKED = ((10, 5), (20, 8))  # values of tau and nodes of mu at which sums are done again
_CLEAR = 1e-9  # error at the first of them that needs no look at the others
_PROBS = np.array([0.025, 0.5, 0.975])


def measure_error(
    posterior: Posterior, surface: Surface, tails: TailOrder, in_tau: float, in_mu: float
) -> tuple[float, float, float, float]:
    """Error bounds: of nodes of tau and of mu, of what was cut, and of sums inside and rounding."""
    mass, plane = surface.mass, surface.plane
    new = _new_moments(surface)
    full = _quantities(mass, plane, new)
    unit = _units(full, posterior, plane)
    errors = [in_tau, in_mu]
    for axis, thinned in ((0, mass[::2]), (1, mass[:, ::2])):
        if mass.shape[axis] > 1:
            thin = _quantities(thinned / thinned.sum(), plane, new, axis)
            errors[axis] = max(errors[axis], float((np.abs(full - thin) / unit).max()))
    amplify, of_rows = 1.0, 0.0
    for marginal, relative in ((posterior.mu, False), (posterior.tau, True)):
        if isinstance(marginal, SincDensity):
            q = marginal.quantile(_PROBS, close=0.3)  # about: it is a factor
            scale = q if relative else (q[2] - q[0]) / 4
            amplify = max(amplify, float(np.max(1 / (marginal.pdf(q) * scale))))
            if not relative and plane.of_tau is not None:
                of_rows = error_of_rows(marginal.cumulate_components(q))
    if plane.of_tau is not None:
        q, density, below = new_effect(surface, _PROBS)
        amplify = max(amplify, 4 / float(density.min() * (q[2] - q[0])))
        of_rows = max(of_rows, error_of_rows(below))
        errors[0] = max(errors[0], error_of_probabilities(surface))
    errors = [max(error, amplify * spectrum)
              for error, spectrum in zip(errors, (in_tau, in_mu), strict=True)]  # fmt: skip
    errors[0] = max(errors[0], amplify * of_rows)
    tau = np.broadcast_to(plane.tau[:, None], mass.shape).reshape(-1)
    weight, inside = _weigh_errors(mass, plane, tails, amplify), 0.0
    for rows, nodes in _CHECKED:
        at = _choose_pairs(mass, rows, nodes)
        pairs = plane.mu.reshape(-1)[at], tau[at]
        inside = max(inside, surface.integral.error(*pairs, weight[at], surface.total[at]))
        if inside < _CLEAR:
            break
    eps = float(np.finfo(float).eps)
    rounding = eps * (64 + abs(surface.log_evidence))  # which nodes share less than the evidence
    cut = _cut_off(surface, tails, amplify)
    return errors[0], errors[1], cut, inside + amplify * surface.leak + rounding


def _weigh_errors(mass: FloatArray, plane: Plane, tails: TailOrder, amplify: float) -> FloatArray:
    """Weight with which a relative error of the posterior at each node counts, (tau * mu,).

    About the share of all that lies at nodes of no more than this one has: of the mass, times what
    quantiles amplify it by, and of each second moment that exists; the largest, 1 at most.
    """
    terms = [(amplify, mass)]
    if tails.has_moment(2, of_mu=True):
        terms.append((1.0, mass * (plane.mu - (mass * plane.mu).sum()) ** 2))
    if tails.highest_moment:
        terms.append((1.0, mass * plane.tau[:, None] ** tails.highest_moment))
    out = np.zeros(mass.size)
    for times, term in terms:
        flat = term.reshape(-1)
        order = np.argsort(flat)
        shares = np.empty_like(flat)
        shares[order] = np.cumsum(flat[order]) / max(flat.sum(), 1e-300)
        out = np.maximum(out, 2 * times * shares)
    return np.minimum(out, 1.0)


def _choose_pairs(mass: FloatArray, values: int, nodes: int) -> IndexArray:
    """Nodes that matter, at most `nodes` of mu at each of `values` of tau, of (tau * mu,)."""
    heavy = mass > 1e-9 * mass.max()
    rows = np.flatnonzero(heavy.any(axis=1))
    chosen: list[IndexArray] = []
    for row in rows[:: -(-len(rows) // values)]:
        inside = np.flatnonzero(heavy[row])
        step = -(-len(inside) // nodes)
        chosen.append(row * mass.shape[1] + inside[len(chosen) % 3 % step :: step])
    return np.concatenate(chosen)


def _cut_off(surface: Surface, tails: TailOrder, amplify: float) -> float:
    """Bound what lies beyond the plane: of the mass, as it moves quantiles, and of variances."""
    plane, mass = surface.plane, surface.mass
    shares = dict.fromkeys((0, 2), 0.0)
    if plane.of_tau is not None:
        of_tau = mass.sum(axis=1)
        for m, highest in ((0, 0), (2, tails.highest_moment)):
            shares[m] += float(cut_off(of_tau, plane.tau, highest))
    if plane.of_mu is not None:
        for m, highest in ((0, 0), (2, 2 * tails.has_moment(2, of_mu=True))):
            shares[m] += beyond_lines(surface, highest)
    return max(amplify * shares[0], shares[2])


def _new_moments(surface: Surface) -> tuple[FloatArray, FloatArray]:
    """Means and variances of a new study's effect given (mu, tau), (tau, mu) or (tau, 1)."""
    plane, form = surface.plane, surface.integral.bound.model.random_effects
    if isinstance(form, TruncatedRandomEffects):
        return cut_moments(plane.mu, plane.tau[:, None], form)
    return plane.mu, plane.tau[:, None] ** 2


def _quantities(
    mass: FloatArray,
    plane: Plane,
    new: tuple[FloatArray, FloatArray],
    thinned: int | None = None,
) -> FloatArray:
    """Means and sds of mu, tau and theta_new, from the masses of (some) nodes."""
    mu, tau = plane.mu, plane.tau
    if thinned == 0:
        mu, tau = mu[::2], tau[::2]
        new = new[0][::2], new[1][::2]
    elif thinned == 1:
        mu = mu[:, ::2]
        new = new[0][:, ::2], new[1][:, ::2]
    of_tau = mass.sum(axis=1)
    mean, mean_tau, mean_new = (mass * mu).sum(), of_tau @ tau, (mass * new[0]).sum()
    return np.array([
        mean,
        (mass * (mu - mean) ** 2).sum() ** 0.5,
        mean_tau,
        (of_tau @ (tau - mean_tau) ** 2) ** 0.5,
        mean_new,
        (mass * ((new[0] - mean_new) ** 2 + new[1])).sum() ** 0.5,
    ])  # fmt: skip


def _units(full: FloatArray, posterior: Posterior, plane: Plane) -> FloatArray:
    """Units of the changes of `_quantities`: of means the sd, else themselves; inf: do not count.

    What does not exist, or is known, does not count.
    """
    known_mu, known_tau = plane.of_mu is None, plane.of_tau is None
    mu, tau, new = posterior.mu, posterior.tau, posterior.theta_new
    moments = [mu.mean, mu.sd, tau.mean, tau.sd, new.mean, new.sd]
    known = [known_mu, known_mu, known_tau, known_tau, *2 * [known_mu and known_tau]]
    counts = np.isfinite(moments) & ~np.array(known)
    out: FloatArray = np.where(counts, full[[1, 1, 2, 3, 5, 5]], np.inf)
    return out
