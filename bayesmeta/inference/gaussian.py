"""Exact posterior of the Gaussian family, with its own error bound.

Every marginal is a finite normal mixture over the nodes of tau (`gaussian_nodes`).
"""

from dataclasses import dataclass, replace

import numpy as np

from bayesmeta.errors import AccuracyError, NotExactError
from bayesmeta.inference.gaussian_nodes import (
    PROBS,
    Conditional,
    Nodes,
    Rotated,
    condition_on_tau,
    evaluate_nodes,
    known_node,
    normal_errors,
    place_nodes,
    rotate,
    tau_errors,
    tau_map,
    tau_marginal,
    weigh_rows,
)
from bayesmeta.inference.marginals import NormalMixture
from bayesmeta.inference.posterior import Accuracy, Draws, Posterior
from bayesmeta.inference.propriety import TailOrder, find_tail_order, moment_note
from bayesmeta.inference.quadrature import FIRST_NODES, LAST_NODES, SupportMap
from bayesmeta.inference.sinc import SincDensity
from bayesmeta.inference.threads import on_one_blas_thread
from bayesmeta.inference.unrelated import fit_unrelated
from bayesmeta.likelihoods import NormalData, NormalLikelihood
from bayesmeta.model import BoundModel, has_known_tau
from bayesmeta.priors import Fixed, Flat, Normal
from bayesmeta.random_effects import NormalRandomEffects, UnrelatedEffects
from bayesmeta.scales import FloatArray

_CHUNK = 128
_CELLS = 1 << 15  # numbers (row, node) held at once: 256 kB, within the cache


def require_supported(bound: BoundModel) -> NormalData:
    """Give the normal data, or say who can fit this model.

    Raises
    ------
    NotExactError
        The model is outside the Gaussian family.
    """
    model, data = bound.model, bound.data
    if not isinstance(model.likelihood, NormalLikelihood) or not isinstance(data, NormalData):
        raise NotExactError(
            f"The Gaussian engine needs the normal likelihood, not {model.likelihood}. "
            'engine="exact" chooses the engine that fits'
        )
    if not isinstance(model.effect, Normal | Flat | Fixed):
        raise NotExactError(
            f"The Gaussian engine needs a normal, flat or fixed effect prior, not {model.effect}. "
            'engine="exact" chooses the engine that fits'
        )
    if not isinstance(model.random_effects, NormalRandomEffects):
        raise NotExactError(
            f"The Gaussian engine needs normal random effects, not {model.random_effects}. "
            'engine="exact" chooses the engine that fits'
        )
    return data


@on_one_blas_thread
def fit_gaussian(bound: BoundModel, *, tol: float = 1e-8) -> Posterior:
    """Exact posterior of a normal-normal model, with its own error bound.

    Parameters
    ----------
    bound : BoundModel
        Normal likelihood (S diagonal or full) and a normal, flat or fixed effect prior.
    tol : float
        Largest accepted change of any reported quantity when the step is doubled.

    Raises
    ------
    NotExactError
        The model is outside the family.
    ImproperPosteriorError
        The posterior does not integrate.
    AccuracyError
        The tolerance was not met.
    """
    if isinstance(bound.model.random_effects, UnrelatedEffects):
        return fit_unrelated(bound, tol=tol)
    data = require_supported(bound)
    tails = find_tail_order(bound)
    prior = bound.model.heterogeneity
    rotated, M = rotate(data.y, data.S, bound.design.X, bound.model.effect)
    if has_known_tau(bound.model):
        nodes = known_node(rotated, prior)
        posterior = _assemble(bound, rotated, M, nodes, None, tails)
        floor = _rounding_floor(data, posterior)
        return replace(posterior, accuracy=Accuracy(error=floor, tol=tol, nodes=(1,)))
    coordinate = tau_map(prior, bound.unit)
    start, end = place_nodes(rotated, prior, coordinate, tails)
    error, n = np.inf, FIRST_NODES
    while n <= LAST_NODES:
        nodes = evaluate_nodes(rotated, prior, coordinate, start, end, n)
        error = float(nodes.spectrum)
        if error <= tol:
            posterior = _assemble(bound, rotated, M, nodes, coordinate, tails)
            error = _measure_error(posterior, nodes, tails)
            if error <= tol:
                error += _rounding_floor(data, posterior)
                return replace(posterior, accuracy=Accuracy(error=error, tol=tol, nodes=(n,)))
        n = 2 * n - 1
    raise AccuracyError(
        f"The exact fit still moves by {error:.1e} (tol {tol:.0e}) at {LAST_NODES} nodes of tau; "
        f'the prior {prior} may have a kink. engine="nuts" does not need this step'
    )


def _rounding_floor(data: NormalData, posterior: Posterior) -> float:
    """Size of rounding: of y against the posterior SD, and of the sums in the log evidence."""
    eps = float(np.finfo(float).eps)
    sd = float(np.nanmin([posterior.mu.sd or np.nan, data.se.min()]))
    evidence = posterior.log_marginal_likelihood or 0.0
    return eps * (64 + 4 * float(np.abs(data.y).max()) / sd + 8 * abs(evidence))


def _study_moments(
    data: Rotated, M: FloatArray, y: FloatArray, given: Conditional, tau: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Mean and sd of each true effect at each node, (row, node)."""
    nodes, p = given.beta.shape
    mean, sd = np.empty((len(y), nodes)), np.empty((len(y), nodes))
    lam, z, X = data.lam[:, None], data.z[:, None], data.X
    chunk = len(y) if M.ndim == 2 else max(1, _CELLS // nodes)
    for begin in range(0, len(y), chunk):  # a chunk of rows, to stay within the cache
        i = slice(begin, begin + chunk)
        w = 1 / (1 + tau**2 * lam[i])  # (row, node)
        fitted = w * (z[i] - X[i] @ given.beta.T)
        pull = [w * X[i, j, None] for j in range(p)]
        if M.ndim == 1:
            mean[i] = y[i, None] - M[i, None] * fitted
            back = [M[i, None] * column for column in pull]
            variance = M[i, None] ** 2 * (1 - w)
        else:
            mean[i] = y[:, None] - M @ fitted
            back = [M @ column for column in pull]
            variance = M**2 @ (1 - w)
        for j in range(p):
            for k in range(p):
                variance += back[j] * given.cov[:, j, k] * back[k]
        sd[i] = np.sqrt(variance)
    return mean, sd


def _assemble(
    bound: BoundModel,
    rotated: Rotated,
    M: FloatArray,
    nodes: Nodes,
    coordinate: SupportMap | None,
    tails: TailOrder,
) -> Posterior:
    """Put nodes into marginals: everything that is asked later is a finite mixture."""
    given = nodes.given
    known_mu = given.beta.shape[-1] == 0
    mean = np.full_like(nodes.tau, rotated.offset[0])
    variance = np.zeros_like(nodes.tau)
    if not known_mu:
        mean = mean + given.beta[..., 0]
        variance = given.cov[..., 0, 0]
    has_mean, has_sd = tails.has_moment(1), tails.has_moment(2)
    if coordinate is None:
        zero = np.zeros(1)
        tau: NormalMixture | SincDensity = NormalMixture(
            means=nodes.tau, sds=zero, weights=nodes.mass
        )
    else:
        tau = tau_marginal(nodes, coordinate, tails)
    theta_mean, theta_sd = _study_moments(rotated, M, bound.data.y, given, nodes.tau)
    evidence = float(nodes.log_evidence)
    return Posterior(
        bound=bound,
        engine="gaussian",
        mu=NormalMixture(
            means=mean,
            sds=np.sqrt(variance),
            weights=nodes.mass,
            has_mean=tails.has_moment(1, of_mu=True),
            has_sd=tails.has_moment(2, of_mu=True),
        ),
        tau=tau,
        theta_new=NormalMixture(
            means=mean,
            sds=np.sqrt(variance + nodes.tau**2),
            weights=nodes.mass,
            has_mean=has_mean,
            has_sd=has_sd,
        ),
        theta=NormalMixture(means=theta_mean, sds=theta_sd, weights=nodes.mass),
        log_marginal_likelihood=evidence,
        accuracy=Accuracy(error=np.inf, tol=0.0, nodes=(nodes.tau.shape[-1],)),  # not yet known
        joint=GaussianJoint(bound=bound, rotated=rotated, M=M, tau=tau),
        notes=(*bound.data.notes, *moment_note(tails)),
    )


def _measure_error(posterior: Posterior, nodes: Nodes, tails: TailOrder) -> float:
    """Largest change of anything reported when every second node is left out."""
    mixtures = [posterior.mu, posterior.theta_new, posterior.theta]
    parts = [m for m in mixtures if isinstance(m, NormalMixture) and np.all(m.sds > 0)]
    error = float(nodes.spectrum)
    if parts:
        means, sds = (
            np.concatenate([np.atleast_2d(getattr(m, name)) for m in parts])
            for name in ("means", "sds")
        )
        count = [len(np.atleast_2d(m.means)) for m in parts]
        has_mean = np.repeat([m.has_mean for m in parts], count)
        has_sd = np.repeat([m.has_sd for m in parts], count)
        for begin in range(0, len(means), _CHUNK):  # a chunk of studies, to stay within the cache
            i = slice(begin, begin + _CHUNK)
            part = NormalMixture(means=means[i], sds=sds[i], weights=nodes.mass)
            of_part = normal_errors(part, has_mean[i], has_sd[i], nodes)
            error = max(error, float(of_part))
    assert isinstance(posterior.tau, SincDensity)
    about = posterior.tau.quantile(PROBS, close=0.5)
    return max(error, float(tau_errors(posterior.tau, about, nodes, tails)))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GaussianJoint:
    """Joint posterior of a Gaussian fit: tau by inversion, the rest normal given tau."""

    bound: BoundModel
    rotated: Rotated
    M: FloatArray
    tau: NormalMixture | SincDensity

    def draw(self, draws: int, rng: np.random.Generator) -> Draws:
        """Give independent draws in 4 chains; `draws` is rounded up to a multiple of 4."""
        n = 4 * -(-draws // 4)
        tau = self.tau.quantile(rng.random(n))
        given = condition_on_tau(self.rotated, tau)
        p = given.beta.shape[-1]
        beta = np.tile(self.rotated.offset, (n, 1))
        if p:
            root = np.linalg.cholesky(given.cov)
            beta = beta + given.beta + (root @ rng.standard_normal((n, p, 1)))[..., 0]
        mu = beta[:, 0]
        residual = self.rotated.z - (beta[:, :p] - self.rotated.offset[:p]) @ self.rotated.X.T
        w = weigh_rows(tau, self.rotated.lam)
        noise = np.sqrt(1 - w) * rng.standard_normal(w.shape)
        inner = noise - w * residual
        theta = self.bound.data.y + (inner * self.M if self.M.ndim == 1 else inner @ self.M.T)
        theta_new = mu + tau * rng.standard_normal(n)
        return Draws(
            mu=mu.reshape(4, -1),
            tau=tau.reshape(4, -1),
            theta_new=theta_new.reshape(4, -1),
            theta=theta.reshape(4, n // 4, -1),
        )

    def log_likelihood(self, mu: FloatArray, tau: FloatArray) -> FloatArray | None:
        """Log N(y_i | mu, v_i + tau^2); None for correlated rows, which have no such factors."""
        data = self.bound.data
        assert isinstance(data, NormalData)
        if data.S.ndim == 2:
            return None
        variance = data.S + tau[..., None] ** 2
        out: FloatArray = -0.5 * (
            np.log(2 * np.pi * variance) + (data.y - mu[..., None]) ** 2 / variance
        )
        return out

    def sample_stats(self) -> None:
        """None: there is no sampler."""
        return
