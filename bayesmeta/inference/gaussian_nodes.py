"""Kernels of the Gaussian family: y ~ N(X beta + u, S), u ~ N(0, tau^2 I).

Given tau, beta and u integrate out in closed form; what is left is one integral over tau. y and X
are whitened by S and rotated by the eigenvectors of the component's whitened structure once, so
that every node of tau costs a vector whatever S is. All kernels take leading batch axes.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from bayesmeta.inference.marginals import NormalMixture
from bayesmeta.inference.propriety import TailOrder
from bayesmeta.inference.quadrature import SupportMap, cut_off, find_range, nyquist
from bayesmeta.inference.sinc import SincDensity
from bayesmeta.priors import Fixed, Normal, Prior
from bayesmeta.scales import FloatArray

type BoolArray = np.ndarray[tuple[int, ...], np.dtype[np.bool_]]

PROBS = np.array([0.025, 0.5, 0.975])
_LOG_2PI = float(np.log(2 * np.pi))
_NEAR = 0.5 * np.minimum(PROBS, 1 - PROBS)
_CELLS = 1 << 16  # numbers (..., node, row) held at once: 512 kB, within the cache


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

    `beta` (coefficient) is relative to the offset, `cov` (coefficient, coefficient);
    `log_likelihood` is log p(y | tau).
    """

    beta: FloatArray
    cov: FloatArray
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
    p = data.X.shape[-1]
    log_det, sums = _sum_rows(data, tau)
    gram, pull = sums[..., : p * p].reshape(*tau.shape, p, p), sums[..., p * p : -1]
    precision = gram + np.diag(data.prior_precision)
    pull = pull + (data.prior_precision * data.prior_mean)[..., None, :]
    cov, log_det_precision = _invert(precision)
    beta = (cov @ pull[..., None])[..., 0]
    from_prior = data.prior_mean**2 @ data.prior_precision
    proper = data.prior_precision > 0
    constant = data.rows * _LOG_2PI + data.log_det + from_prior
    constant = constant - np.log(data.prior_precision[proper]).sum() - (~proper).sum() * _LOG_2PI
    misfit = sums[..., -1] - (beta * pull).sum(axis=-1)
    log_likelihood = -0.5 * (constant[..., None] + log_det + misfit + log_det_precision)
    return Conditional(beta=beta, cov=cov, log_likelihood=log_likelihood)


def weigh_rows(tau: FloatArray, lam: FloatArray) -> FloatArray:
    """Precision of each rotated row given (beta, tau), (..., node, row): 1 at tau = 0."""
    out: FloatArray = 1 / (1 + tau[..., None] ** 2 * lam[..., None, :])
    return out


def _sum_rows(data: Rotated, tau: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Log determinant of the variance, and X'wX, X'wz, z'wz side by side, (..., node, sum)."""
    X, z = data.X, data.z[..., None]
    outer = (X[..., :, None] * X[..., None, :]).reshape(*z.shape[:-1], X.shape[-1] ** 2)
    products = np.concatenate([outer, X * z, z**2], axis=-1)  # (..., row, sum)
    rows = products.shape[-2]
    chunk = max(1, _CELLS // tau.size)
    log_det = np.zeros(tau.shape)
    sums = np.zeros((*tau.shape, products.shape[-1]))
    for begin in range(0, rows, chunk):  # a chunk of rows, to stay within the cache
        part = slice(begin, begin + chunk)
        spread = 1 + tau[..., None] ** 2 * data.lam[..., None, part]
        log_det += np.log(spread) @ np.ones(spread.shape[-1])
        sums += np.divide(1, spread, out=spread) @ products[..., part, :]
    return log_det, sums


def _invert(precision: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Inverse and log determinant of matrices (..., p, p)."""
    if precision.shape[-1] == 1:  # a call of LAPACK for each number would cost more than the rest
        return 1 / precision, np.log(precision[..., 0, 0])
    return np.linalg.inv(precision), np.linalg.slogdet(precision)[1]


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

    def log_f(v: FloatArray) -> FloatArray:
        tau = coordinate.point(v)
        density = condition_on_tau(data, tau).log_likelihood + prior.logpdf(tau)
        density = density + coordinate.log_slope(v)
        out: FloatArray = density[..., None] + np.log(tau)[..., None] * np.array(
            [0, tails.highest_moment]
        )
        return out

    low, high, limit = coordinate.scan
    shape = data.log_det.shape
    return find_range(log_f, np.full(shape, low), np.full(shape, high), lowest=low, highest=limit)


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


def tau_map(prior: Prior, unit: float) -> SupportMap:
    """Map of the line onto the support of tau, in the data's unit."""
    low, high = prior.support
    return SupportMap(low=max(low, 0.0), high=high, unit=unit)


def normal_errors(
    full: NormalMixture,
    has_mean: BoolArray,
    has_sd: BoolArray,
    nodes: Nodes,
    quantile: FloatArray | None = None,
) -> FloatArray:
    """Largest change of means, sds and quantiles of normal mixtures when nodes are halved.

    Quantiles move by the change of the cdf over the density, so they are not solved again.
    Changes count in units of the posterior SD, or of a quarter of the 95% interval where there is
    no SD.

    Parameters
    ----------
    full : NormalMixture, (..., parameter)
        Of positive sds (..., parameter, node), over the nodes.
    has_mean, has_sd : (parameter,)
    quantile : (..., parameter, 3), optional
        Of the mixtures, where they are known; else points near them are found, whose
        probabilities differ by no more than half of the tail's.

    Returns
    -------
    (...)
    """
    half, change = _halve(nodes.mass)
    mass, half, change = nodes.mass[..., None, :], half[..., None, :], change[..., None, :]
    center = np.vecdot(full.means, mass)
    shift = np.vecdot(full.means, change)  # full less halved
    squares = full.sds**2 + (full.means - center[..., None]) ** 2
    variance = np.vecdot(squares, mass)
    ratio = (np.vecdot(squares, half) - shift**2) / variance
    at = quantile
    if at is None:
        at = center[..., None] + np.sqrt(variance)[..., None] * ndtri(PROBS)
    below, height = _components(full, at)
    if quantile is None and np.any(np.abs(np.vecdot(below, mass[..., None, :]) - PROBS) > _NEAR):
        at = full.quantile(PROBS, close=0.5)
        below, height = _components(full, at)
    scale = np.where(has_sd, np.sqrt(variance), (at[..., -1] - at[..., 0]) / 4)
    moved = np.abs(np.vecdot(below, change[..., None, :]))
    moved = moved + cut_off(nodes.mass, nodes.tau, 0)[..., None, None]
    moved = moved / np.vecdot(height, mass[..., None, :])
    worst = (moved / scale[..., None]).max(axis=-1)
    worst = np.maximum(worst, has_mean * np.abs(shift) / scale)
    worst = np.maximum(worst, has_sd * np.abs(np.sqrt(ratio) - 1))
    out: FloatArray = worst.max(axis=-1)
    return out


def _components(mixture: NormalMixture, x: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Cdf and density of each component at x (..., point), both (..., point, node)."""
    rate = 1 / mixture.sds[..., None, :]
    z = (x[..., None] - mixture.means[..., None, :]) * rate
    below = ndtr(z)
    np.square(z, out=z)
    z *= -0.5
    height = np.exp(z, out=z)
    height *= rate / np.sqrt(2 * np.pi)
    return below, height


def _halve(mass: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Masses (..., node) of every second node, 0 between them; and what the others change."""
    half = np.zeros_like(mass)
    half[..., ::2] = mass[..., ::2] / mass[..., ::2].sum(axis=-1, keepdims=True)
    return half, mass - half


def tau_errors(
    tau: SincDensity, quantile: FloatArray, nodes: Nodes, tails: TailOrder
) -> FloatArray:
    """Largest relative change of mean, sd and quantiles of tau when nodes are halved, (...).

    What lies beyond the nodes is added.
    """
    half, change = _halve(nodes.mass)
    mean = (nodes.mass * nodes.tau).sum(axis=-1)
    shift = (change * nodes.tau).sum(axis=-1)
    beyond = cut_off(nodes.mass, nodes.tau, 0)
    moved = (nodes.spectrum + beyond)[..., None] / (tau.pdf(quantile) * quantile)
    worst: FloatArray = moved.max(axis=-1)
    if tails.has_moment(1):
        worst = np.maximum(worst, np.abs(shift / mean))
    if tails.has_moment(2):
        squares = (nodes.tau - mean[..., None]) ** 2
        spread = (nodes.mass * squares).sum(axis=-1)
        thin = (half * squares).sum(axis=-1) - shift**2
        worst = np.maximum(worst, np.abs(np.sqrt(thin / spread) - 1))
    return worst + cut_off(nodes.mass, nodes.tau, tails.highest_moment)


def tau_marginal(nodes: Nodes, coordinate: SupportMap, tails: TailOrder) -> SincDensity:
    """Marginal of tau, shape (...), from its nodes."""
    return SincDensity(
        start=nodes.start[..., None],
        step=nodes.step[..., None],
        masses=nodes.mass[..., None, :],
        coordinate=coordinate,
        has_mean=tails.has_moment(1),
        has_sd=tails.has_moment(2),
    )
