"""Many normal-normal models at once: arrays in, arrays out, one posterior a row of the batch."""

import os
from dataclasses import dataclass, fields

import numpy as np

from bayesmeta.errors import ImproperPosteriorError, ModelError, NotExactError
from bayesmeta.inference.gaussian_nodes import (
    PROBS,
    Conditional,
    Nodes,
    Rotated,
    evaluate_nodes,
    known_node,
    normal_errors,
    place_nodes,
    tau_errors,
    tau_map,
    tau_marginal,
)
from bayesmeta.inference.marginals import NormalMixture
from bayesmeta.inference.propriety import TailOrder, order_tails
from bayesmeta.inference.quadrature import SupportMap
from bayesmeta.inference.sinc import SincDensity
from bayesmeta.inference.threads import on_one_blas_thread
from bayesmeta.priors import Fixed, Flat, Normal, Prior
from bayesmeta.scales import FloatArray

_CHUNK = 128
_FIRST_NODES, _LAST_NODES = 97, 1537  # the first are enough for nearly all of a batch

type BoolArray = np.ndarray[tuple[int, ...], np.dtype[np.bool_]]
type IndexArray = np.ndarray[tuple[int], np.dtype[np.intp]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BatchFit:
    """Posteriors of a batch; all arrays (batch,), quantiles (batch, 3) at 2.5%, 50% and 97.5%.

    `error` is the bound of the numerical error as in `Accuracy`; a row with ``ok`` False did not
    meet the tolerance, and all of it is nan but the error reached. `cdf` (batch, 4) holds
    P(X <= point) of mu, tau, theta_new and the first row's true effect at the points that were
    asked for; nan where none were.
    """

    mu_mean: FloatArray
    mu_sd: FloatArray
    mu_quantiles: FloatArray
    mu_below_zero: FloatArray
    tau_mean: FloatArray
    tau_sd: FloatArray
    tau_quantiles: FloatArray
    theta_new_mean: FloatArray
    theta_new_sd: FloatArray
    theta_new_quantiles: FloatArray
    log_marginal_likelihood: FloatArray
    cdf: FloatArray
    error: FloatArray
    ok: BoolArray


@on_one_blas_thread
def fit_batch(
    y: FloatArray,
    v: FloatArray,
    *,
    effect: Prior,
    heterogeneity: Prior,
    keep: BoolArray | None = None,
    at: FloatArray | None = None,
    tol: float = 1e-8,
) -> BatchFit:
    """Exact posteriors of many normal-normal models with the same priors.

    Parameters
    ----------
    y, v : (batch, row)
        Effects and sampling variances, on one analysis scale.
    effect : Normal, Flat or Fixed
    heterogeneity : Prior
    keep : (batch, row), optional
        Rows that count; the others are masked by zero weight (ragged batches, leave-one-out).
    at : (batch, 4), optional
        Points of mu, tau, theta_new and the true effect of row 0 (a row that counts) at which the
        posterior probability of lying below is wanted: the PIT, where they are the truth.
    tol : float
        As for `fit`.

    Raises
    ------
    ModelError
        Arrays that do not fit together, or numbers that are not finite or positive.
    NotExactError
        An effect prior outside the Gaussian family.
    ImproperPosteriorError
        Some posterior of the batch does not integrate.

    Examples
    --------
    >>> y, v = np.array([[0.1, 0.4, 0.2]]), np.array([[0.04, 0.02, 0.05]])
    >>> drop_one = ~np.eye(3, dtype=bool)                    # exact leave-one-out, as one batch
    >>> fit = fit_batch(np.repeat(y, 3, axis=0), np.repeat(v, 3, axis=0), keep=drop_one,
    ...                 effect=Normal(0, 1), heterogeneity=Fixed(0))
    >>> fit.mu_mean.round(3)
    array([0.338, 0.141, 0.296])
    """
    y, v, keep = _check(y, v, keep)
    if at is not None and np.shape(at) != (len(y), 4):
        raise ModelError(f"Points for the cdfs need the shape ({len(y)}, 4), not {np.shape(at)}")
    if at is not None and not keep[:, 0].all():
        raise ModelError("Points for the cdfs need row 0 of every model to count; keep masks it")
    if not isinstance(effect, Normal | Flat | Fixed):
        raise NotExactError(f"A batch needs a normal, flat or fixed effect prior, not {effect}")
    fewest = int(keep.sum(axis=1).min())
    known = heterogeneity.support[0] == heterogeneity.support[1]
    tails = order_tails(effect, heterogeneity, vanishing=fewest, known_tau=known)
    if not tails.of_tau > 1 or (fewest == 0 and not effect.proper):
        raise ImproperPosteriorError(
            f"With effect prior {effect} and heterogeneity prior {heterogeneity} the posterior of "
            f"a model with {fewest} studies does not integrate; use proper priors"
        )
    out = _empty(len(y))
    from concurrent.futures import ThreadPoolExecutor

    typical = (keep * np.log(v)).sum(axis=1) / np.maximum(keep.sum(axis=1), 1)
    order = np.argsort(typical, kind="stable")  # models of one chunk share their unit of tau

    def fit_part(begin: int) -> None:
        part = order[begin : begin + _CHUNK]
        data = _standardise(y[part], v[part], keep[part], effect)
        unit = float(np.sqrt(np.median(v[part][keep[part]])))
        points = None if at is None else np.asarray(at, dtype=float)[part]
        _fit_chunk(out, part, data, heterogeneity, unit, tails, tol, points)

    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        for _ in pool.map(fit_part, range(0, len(y), _CHUNK)):
            pass
    return BatchFit(ok=np.isfinite(out["mu_quantiles"][:, 1]), **out)


def _fit_chunk(
    out: dict[str, FloatArray],
    index: IndexArray,
    data: Rotated,
    heterogeneity: Prior,
    unit: float,
    tails: TailOrder,
    tol: float,
    points: FloatArray | None,
) -> None:
    """Fit the models of one chunk into rows `index`; only the unconverged are refined."""
    if heterogeneity.support[0] == heterogeneity.support[1]:
        answer = _answer(data, known_node(data, heterogeneity), None, tails, points)
        for name, values in answer.items():
            out[name][index] = values
        return
    coordinate = tau_map(heterogeneity, unit)
    low, high = place_nodes(data, heterogeneity, coordinate, tails)
    todo, n = np.arange(len(index)), _FIRST_NODES
    while len(todo) and n <= _LAST_NODES:
        part = _take(data, todo)
        nodes = evaluate_nodes(part, heterogeneity, coordinate, low[todo], high[todo], n)
        out["error"][index[todo]] = nodes.spectrum
        near = nodes.spectrum <= tol
        done = np.zeros(len(todo), dtype=bool)
        if near.any():
            wanted = None if points is None else points[todo[near]]
            answer = _answer(_take(part, near), _take_nodes(nodes, near), coordinate, tails, wanted)
            out["error"][index[todo[near]]] = answer["error"]
            met = answer["error"] <= tol
            done[near] = met
            for name, values in answer.items():
                out[name][index[todo[done]]] = values[met]
        todo, n = todo[~done], 2 * n - 1


def _check(
    y: FloatArray, v: FloatArray, keep: BoolArray | None
) -> tuple[FloatArray, FloatArray, BoolArray]:
    y, v = np.asarray(y, dtype=float), np.asarray(v, dtype=float)
    mask = np.ones(y.shape, dtype=bool) if keep is None else np.asarray(keep, dtype=bool)
    if y.ndim != 2 or y.shape != v.shape or y.shape != mask.shape:
        shapes = f"y {y.shape}, v {v.shape}, keep {mask.shape}"
        raise ModelError(f"A batch needs arrays of one shape (batch, row); these are {shapes}")
    wrong = mask & ~(np.isfinite(y) & np.isfinite(v) & (v > 0))
    if wrong.any():
        batch, row = np.argwhere(wrong)[0]
        raise ModelError(
            f"y = {y[batch, row]}, v = {v[batch, row]} at batch {batch}, row {row}: effects must "
            "be finite and variances positive. Mask the row with keep, or mend it"
        )
    return np.where(mask, y, 0.0), np.where(mask, v, 1.0), mask


def _standardise(y: FloatArray, v: FloatArray, keep: BoolArray, effect: Prior) -> Rotated:
    """Whiten every model; masked rows get no weight."""
    root = np.sqrt(v)
    weight = keep / v
    offset = (weight * y).sum(axis=1) / np.maximum(weight.sum(axis=1), 1e-300)
    p = 1
    mean, precision = np.zeros(len(y)), np.zeros(1)
    if isinstance(effect, Normal):
        mean, precision = effect.mean - offset, np.array([effect.sd**-2.0])
    elif isinstance(effect, Fixed):
        offset, p, precision = np.full(len(y), effect.value), 0, np.empty(0)
    return Rotated(
        z=keep * (y - offset[:, None]) / root,
        X=(keep / root)[..., None][..., :p],
        lam=weight,
        log_det=np.log(np.where(keep, v, 1.0)).sum(axis=1),
        rows=keep.sum(axis=1).astype(float),
        offset=offset[:, None],
        prior_mean=mean[:, None][:, :p],
        prior_precision=precision,
    )


def _take(data: Rotated, index: IndexArray | BoolArray) -> Rotated:
    """Give the models of a batch at `index`."""
    shared = "prior_precision"
    values = {f.name: getattr(data, f.name)[index] for f in fields(data) if f.name != shared}
    return Rotated(prior_precision=data.prior_precision, **values)


def _take_nodes(nodes: Nodes, index: BoolArray) -> Nodes:
    """Give the nodes of the models at `index`."""
    if index.all():
        return nodes
    given = Conditional(
        **{f.name: getattr(nodes.given, f.name)[index] for f in fields(Conditional)}
    )
    values = {f.name: getattr(nodes, f.name)[index] for f in fields(nodes) if f.name != "given"}
    return Nodes(given=given, **values)


def _normals(data: Rotated, nodes: Nodes) -> tuple[FloatArray, FloatArray]:
    """Means and sds of mu and theta_new at the nodes, (batch, 2, node)."""
    mean = np.broadcast_to(data.offset, nodes.tau.shape)
    variance = np.zeros_like(nodes.tau)
    if nodes.given.beta.shape[-1]:
        mean = mean + nodes.given.beta[..., 0]
        variance = nodes.given.cov[..., 0, 0]
    sds = np.sqrt(np.stack([variance, variance + nodes.tau**2], axis=1))
    return np.broadcast_to(mean[:, None], sds.shape), sds


def _empty(size: int) -> dict[str, FloatArray]:
    shapes = {
        f.name: (size, 3) if f.name.endswith("quantiles") else (size,) for f in fields(BatchFit)
    }
    shapes["cdf"] = (size, 4)
    del shapes["ok"]
    return {name: np.full(shape, np.nan) for name, shape in shapes.items()}


def _first_effect(data: Rotated, nodes: Nodes) -> NormalMixture:
    """Give the true effect of row 0 at each node, (batch, node)."""
    given, lam = nodes.given, data.lam[:, :1]
    w = 1 / (1 + nodes.tau**2 * lam)
    x = data.X[:, 0] if given.beta.shape[-1] else np.zeros((len(lam), 0))
    fitted = w * (data.z[:, :1] - (given.beta * x[:, None]).sum(axis=-1))
    pull = w[..., None] * x[:, None]
    variance = 1 - w + np.einsum("bnp,bnpq,bnq->bn", pull, given.cov, pull)
    # in rotated coordinates z + X offset is y / root(v), so that y itself is not needed
    level = data.z[:, :1] / np.sqrt(lam) + data.offset
    means = level - fitted / np.sqrt(lam)
    return NormalMixture(means=means, sds=np.sqrt(variance / lam), weights=nodes.mass)


def _answer(
    data: Rotated,
    nodes: Nodes,
    coordinate: SupportMap | None,
    tails: TailOrder,
    points: FloatArray | None,
) -> dict[str, FloatArray]:
    """Give everything that is reported of models at these nodes, and its error, (batch, ...)."""
    means, sds = _normals(data, nodes)
    normals = NormalMixture(means=means, sds=sds, weights=nodes.mass[:, None])
    has_mean, has_sd = (
        np.array([tails.has_moment(m, of_mu=True), tails.has_moment(m)]) for m in (1, 2)
    )
    quantiles = normals.quantile(PROBS)  # (batch, 2, 3)
    tau: NormalMixture | SincDensity
    if coordinate is None:
        tau = NormalMixture(means=nodes.tau, sds=np.zeros_like(nodes.tau), weights=nodes.mass)
        tau_quantiles, error = tau.quantile(PROBS), np.zeros(len(means))
    else:
        tau = tau_marginal(nodes, coordinate, tails)
        tau_quantiles = tau.quantile(PROBS)
        error = np.maximum(nodes.spectrum, tau_errors(tau, tau_quantiles, nodes, tails))
        free = slice(None) if nodes.given.beta.shape[-1] else slice(1, None)  # mu may be known
        part = NormalMixture(means=means[:, free], sds=sds[:, free], weights=nodes.mass[:, None])
        moved = normal_errors(part, has_mean[free], has_sd[free], nodes, quantiles[:, free])
        error = np.maximum(error, moved)
    mean, sd = (
        np.where(has, moment, np.nan)
        for has, moment in ((has_mean, normals.mean), (has_sd, normals.sd))
    )
    mu, new = (NormalMixture(means=means[:, i], sds=sds[:, i], weights=nodes.mass) for i in (0, 1))
    cdf = np.full((len(means), 4), np.nan)
    if points is not None:
        for j, marginal in enumerate((mu, tau, new, _first_effect(data, nodes))):
            cdf[:, j] = marginal.cdf(points[:, j, None])[:, 0]
    return {
        "cdf": cdf,
        "mu_mean": mean[:, 0],
        "mu_sd": sd[:, 0],
        "mu_quantiles": quantiles[:, 0],
        "mu_below_zero": mu.cdf(0.0),
        "tau_mean": tau.mean,
        "tau_sd": tau.sd,
        "tau_quantiles": tau_quantiles,
        "theta_new_mean": mean[:, 1],
        "theta_new_sd": sd[:, 1],
        "theta_new_quantiles": quantiles[:, 1],
        "log_marginal_likelihood": nodes.log_evidence,
        "error": error,
    }
