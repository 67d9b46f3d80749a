"""Exact posterior of the Gaussian family: y ~ N(X beta + u, S), u ~ N(0, tau^2 I).

Given tau, beta and u integrate out in closed form; what is left is one integral over tau. y and X
are whitened by S and rotated by the eigenvectors of the component's whitened structure once, so
that every node of tau costs a vector whatever S is. All kernels take leading batch axes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from bayesmeta.errors import AccuracyError, NotExactError
from bayesmeta.inference.marginals import Marginal, NormalMixture, SincDensity
from bayesmeta.inference.posterior import Accuracy, Draws, Posterior
from bayesmeta.inference.propriety import TailOrder, find_tail_order, moment_note
from bayesmeta.inference.quadrature import (
    FIRST_NODES,
    LAST_NODES,
    SupportMap,
    find_range,
    nyquist,
)
from bayesmeta.likelihoods import NormalData, NormalLikelihood
from bayesmeta.model import BoundModel, has_known_tau
from bayesmeta.priors import Fixed, Flat, Normal, Prior
from bayesmeta.scales import FloatArray

_LOG_2PI = float(np.log(2 * np.pi))
PROBS = np.array([0.025, 0.5, 0.975])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rotated:
    """Data in coordinates where S is the identity and the component diagonal.

    Attributes
    ----------
    z : (..., row)
        Rotated y - X offset; variance 1 + tau^2 lam given beta.
    X : (..., row, coefficient)
        Rotated columns of the coefficients that are not known.
    lam : (..., row)
        Eigenvalues of the whitened component; 1/v for a diagonal S. 0 masks a row.
    log_det : (...)
        Log determinant of S.
    rows : (...)
        Number of rows that count.
    offset : (..., coefficient)
        Weighted least squares estimate at tau = 0, taken off so that large y keep their digits.
    prior_mean : (..., coefficient)
        Relative to the offset.
    prior_precision : (coefficient,)
        0 for a flat prior.
    """

    z: FloatArray
    X: FloatArray
    lam: FloatArray
    log_det: FloatArray
    rows: FloatArray
    offset: FloatArray
    prior_mean: FloatArray
    prior_precision: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Conditional:
    """What is known given tau; (..., node) leads every field.

    `beta` (coefficient) is relative to the offset, `cov` (coefficient, coefficient); `w` and
    `residual` (row) are in rotated coordinates; `log_likelihood` is log p(y | tau).
    """

    beta: FloatArray
    cov: FloatArray
    w: FloatArray
    residual: FloatArray
    log_likelihood: FloatArray


def rotate(
    y: FloatArray, S: FloatArray, X: FloatArray, effect: Prior
) -> tuple[Rotated, FloatArray]:
    """Whiten and rotate; also gives the way back, M with y = M z + X offset.

    Parameters
    ----------
    y : (row,)
    S : (row,) variances or (row, row)
    X : (row, coefficient)
    effect : Normal, Flat or Fixed
        The prior of each coefficient; a known value is moved to the left-hand side.

    Returns
    -------
    Rotated
    M : (row,) for a diagonal S, else (row, row)
    """
    if S.ndim == 1:
        M = np.sqrt(S)
        white_y, white_X, lam, log_det = y / M, X / M[:, None], 1 / S, np.log(S).sum()
    else:
        L = np.linalg.cholesky(S)
        inverse = np.linalg.inv(L)
        lam, Q = np.linalg.eigh(inverse @ inverse.T)
        M, back = L @ Q, Q.T @ inverse
        white_y, white_X = back @ y, back @ X
        log_det = 2 * np.log(np.diagonal(L)).sum()
    known = np.full(X.shape[1], effect.value) if isinstance(effect, Fixed) else None
    if known is not None:
        offset, free, mean, precision = known, np.empty((len(y), 0)), np.empty(0), np.empty(0)
    else:
        offset = np.linalg.lstsq(white_X, white_y)[0]
        free = white_X
        mean = np.full(X.shape[1], effect.mean if isinstance(effect, Normal) else 0.0) - offset
        precision = np.full(X.shape[1], effect.sd**-2.0 if isinstance(effect, Normal) else 0.0)
    rotated = Rotated(
        z=white_y - white_X @ offset,
        X=free,
        lam=lam,
        log_det=np.asarray(log_det),
        rows=np.asarray(float(len(y))),
        offset=offset,
        prior_mean=mean * (precision > 0),
        prior_precision=precision,
    )
    return rotated, M


def condition_on_tau(data: Rotated, tau: FloatArray) -> Conditional:
    """Posterior of beta and likelihood of tau at nodes (..., node), in closed form.

    References
    ----------
    Gelman et al. (2013), Bayesian Data Analysis, section 5.4, for X = 1; here any X.
    """
    spread = tau[..., None] ** 2 * data.lam[..., None, :]
    w = 1 / (1 + spread)  # (..., node, row)
    p = data.X.shape[-1]
    products = data.X[..., :, None] * data.X[..., None, :]  # (..., row, p, p)
    gram = (w @ products.reshape(*products.shape[:-2], p * p)).reshape(*w.shape[:-1], p, p)
    precision = gram + np.diag(data.prior_precision)
    cov = np.linalg.inv(precision)
    pull = w @ (data.X * data.z[..., None]) + (data.prior_precision * data.prior_mean)[..., None, :]
    beta = (cov @ pull[..., None])[..., 0]
    residual = data.z[..., None, :] - beta @ np.swapaxes(data.X, -1, -2)
    from_prior = (beta - data.prior_mean[..., None, :]) ** 2 @ data.prior_precision
    proper = data.prior_precision > 0
    log_likelihood = -0.5 * (
        (data.rows * _LOG_2PI + data.log_det)[..., None]
        + np.log1p(spread).sum(axis=-1)
        + (w * residual**2).sum(axis=-1)
        + from_prior
        + np.linalg.slogdet(precision)[1]
        - np.log(data.prior_precision[proper]).sum()
        - (~proper).sum() * _LOG_2PI
    )
    return Conditional(beta=beta, cov=cov, w=w, residual=residual, log_likelihood=log_likelihood)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Nodes:
    """Nodes of tau with their posterior masses; (..., node) leads.

    `start` and `step` (...) place the nodes on the line of `coordinate`; `log_evidence` and
    `spectrum` (...) are the log marginal likelihood and the error bound of sinc interpolation.
    """

    tau: FloatArray
    mass: FloatArray
    given: Conditional
    start: FloatArray
    step: FloatArray
    log_evidence: FloatArray
    spectrum: FloatArray


def place_nodes(
    data: Rotated, prior: Prior, coordinate: SupportMap, tails: TailOrder
) -> tuple[FloatArray, FloatArray]:
    """Find the range of the line, (...) each, that holds the posterior of tau and its moments."""

    highest = max(m for m in (0, 1, 2) if m == 0 or tails.has_moment(m))

    def log_f(v: FloatArray) -> FloatArray:
        tau = coordinate.point(v)
        density = condition_on_tau(data, tau).log_likelihood + prior.logpdf(tau)
        density = density + coordinate.log_slope(v)
        out: FloatArray = density[..., None] + np.log(tau)[..., None] * np.array([0, highest])
        return out

    low, high, limit = coordinate.scan
    shape = data.log_det.shape
    return find_range(
        log_f, np.full(shape, low), np.full(shape, high), lowest=low, highest=limit
    )


def evaluate_nodes(
    data: Rotated, prior: Prior, coordinate: SupportMap, low: FloatArray, high: FloatArray, n: int
) -> Nodes:
    """Evaluate the posterior of tau at `n` even nodes of the line between `low` and `high`."""
    step = (high - low) / (n - 1)
    v = low[..., None] + step[..., None] * np.arange(n)
    tau = coordinate.point(v)
    given = condition_on_tau(data, tau)
    log_mass = given.log_likelihood + prior.logpdf(tau) + coordinate.log_slope(v)
    top = log_mass.max(axis=-1, keepdims=True)
    mass = np.exp(log_mass - top)
    total = mass.sum(axis=-1)
    mass = mass / total[..., None]
    return Nodes(
        tau=tau,
        mass=mass,
        given=given,
        start=low,
        step=step,
        log_evidence=top[..., 0] + np.log(total * step),
        spectrum=nyquist(mass),
    )


def known_node(data: Rotated, prior: Prior) -> Nodes:
    """One node of mass one, for a known tau."""
    tau = np.full((*data.log_det.shape, 1), prior.support[0])
    given = condition_on_tau(data, tau)
    zero = np.zeros(data.log_det.shape)
    return Nodes(
        tau=tau,
        mass=np.ones_like(tau),
        given=given,
        start=zero,
        step=zero + 1,
        log_evidence=given.log_likelihood[..., 0],
        spectrum=zero,
    )


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
    return data


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


def tau_map(prior: Prior, unit: float) -> SupportMap:
    """Map of the line onto the support of tau, in the data's unit."""
    low, high = prior.support
    return SupportMap(low=max(low, 0.0), high=high, unit=unit)


def _rounding_floor(data: NormalData, posterior: Posterior) -> float:
    """Size of rounding: of y against the posterior SD, and of the sums in the log evidence."""
    eps = float(np.finfo(float).eps)
    sd = float(np.nanmin([posterior.mu.sd or np.nan, data.se.min()]))
    evidence = posterior.log_marginal_likelihood or 0.0
    return eps * (64 + 4 * float(np.abs(data.y).max()) / sd + 8 * abs(evidence))


def _study_moments(data: Rotated, M: FloatArray, y: FloatArray, given: Conditional) -> tuple[FloatArray, FloatArray]:
    """Mean and sd of each true effect at each node, (row, node)."""
    fitted = given.w * given.residual  # (node, row)
    kept = 1 - given.w  # tau^2 lam / (1 + tau^2 lam)
    pull = given.w[..., None] * data.X  # (node, row, coefficient)
    if M.ndim == 1:
        mean = y - M * fitted
        back = M[:, None] * pull
        inner = M**2 * kept
    else:
        mean = y - fitted @ M.T
        back = M @ pull
        inner = kept @ (M**2).T
    variance = inner + np.einsum("nrp,npq,nrq->nr", back, given.cov, back)
    return mean.T, np.sqrt(variance).T


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
        tau = SincDensity(
            start=nodes.start[None],
            step=nodes.step[None],
            masses=nodes.mass[None],
            coordinate=coordinate,
            has_mean=has_mean,
            has_sd=has_sd,
        )
    theta_mean, theta_sd = _study_moments(rotated, M, bound.data.y, given)
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
    """Largest change of anything reported when every second node is left out.

    Quantiles move by the change of the cdf over the density, so they are not solved again.
    """
    mixtures = [posterior.mu, posterior.theta_new, posterior.theta]
    parts = [m for m in mixtures if isinstance(m, NormalMixture) and np.all(m.sds > 0)]
    errors = [normal_errors(parts, nodes), tau_errors(posterior.tau, nodes, tails)]
    return float(max([nodes.spectrum, *errors]))


def normal_errors(parts: Sequence[NormalMixture], nodes: Nodes) -> FloatArray:
    """Largest change of means, sds and quantiles of normal mixtures on the same nodes."""
    rows = [np.broadcast_arrays(np.atleast_2d(m.means), np.atleast_2d(m.sds)) for m in parts]
    if not rows:
        return np.asarray(0.0)
    means, sds = (np.concatenate(side) for side in zip(*rows, strict=True))
    count = [len(r[0]) for r in rows]
    has_mean = np.repeat([m.has_mean for m in parts], count)
    has_sd = np.repeat([m.has_sd for m in parts], count)
    full = NormalMixture(means=means, sds=sds, weights=nodes.mass)
    half = nodes.mass[::2] / nodes.mass[::2].sum()
    fewer = NormalMixture(means=means[:, ::2], sds=sds[:, ::2], weights=half)
    quantile = full.quantile(PROBS)
    scale = np.where(has_sd, full.sd, (quantile[:, 2] - quantile[:, 0]) / 4)
    moved = np.abs(fewer.cdf(quantile) - full.cdf(quantile)) / full.pdf(quantile)
    worst = (moved / scale[:, None]).max(axis=1)
    worst = np.maximum(worst, has_mean * np.abs(fewer.mean - full.mean) / scale)
    out: FloatArray = np.max(np.maximum(worst, has_sd * np.abs(fewer.sd / full.sd - 1)))
    return out


def tau_errors(tau: Marginal, nodes: Nodes, tails: TailOrder) -> FloatArray:
    """Largest relative change of mean, sd and quantiles of tau."""
    half = nodes.mass[::2] / nodes.mass[::2].sum()
    mean, fewer = nodes.mass @ nodes.tau, half @ nodes.tau[::2]
    worst = [np.asarray(0.0)]
    if tails.has_moment(1):
        worst.append(np.abs(fewer / mean - 1))
    if tails.has_moment(2):
        sd = np.sqrt(nodes.mass @ (nodes.tau - mean) ** 2)
        worst.append(np.abs(np.sqrt(half @ (nodes.tau[::2] - fewer) ** 2) / sd - 1))
    quantile = tau.quantile(PROBS)
    worst.append(np.max(nodes.spectrum / (tau.pdf(quantile) * quantile)))
    return np.max(worst)


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
        noise = np.sqrt(1 - given.w) * rng.standard_normal(given.w.shape)
        inner = noise - given.w * residual
        theta = self.bound.data.y + (inner * self.M if self.M.ndim == 1 else inner @ self.M.T)
        theta_new = mu + tau * rng.standard_normal(n)
        return Draws(
            mu=mu.reshape(4, -1),
            tau=tau.reshape(4, -1),
            theta_new=theta_new.reshape(4, -1),
            theta=theta.reshape(4, n // 4, -1),
        )

    def log_likelihood(self, mu: FloatArray, tau: FloatArray) -> FloatArray | None:
        """log N(y_i | mu, v_i + tau^2); None for correlated rows, which have no such factors."""
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
