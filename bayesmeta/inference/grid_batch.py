"""Many data sets under one model with a one-dimensional study likelihood: arrays in, arrays out.

The studies of all data sets are tabulated as one block (`StudyIntegral`); each data set has its own
line of tau and, for each node of it, its own line of mu, as batch axes. What is not resolved after
the first grid is refined, alone.
"""

from dataclasses import dataclass, replace

import numpy as np

from bayesmeta.errors import AccuracyError, ModelError, NotExactError
from bayesmeta.inference.batch_map import BatchMap
from bayesmeta.inference.batch_nodes import BatchNodes, find_cdfs, find_moments
from bayesmeta.inference.integrate import StudyIntegral
from bayesmeta.inference.plane import BEND
from bayesmeta.inference.propriety import find_tail_order
from bayesmeta.inference.quadrature import SupportMap, find_range, nyquist
from bayesmeta.inference.replan import fit_range
from bayesmeta.inference.tables import BoolArray, IndexArray
from bayesmeta.inference.threads import on_one_blas_thread
from bayesmeta.model import BoundModel, has_known_tau
from bayesmeta.priors import Prior
from bayesmeta.random_effects import NormalRandomEffects, TruncatedRandomEffects
from bayesmeta.scales import FloatArray

_CHUNK = 64  # data sets taken at once
_FIRST, _FIRST_BOUNDED = (33, 21), (37, 31)  # nodes of tau and mu
_LAST = 200
_SPARE = 5.5  # log units by which the lines are cut below the tolerance
_BOUND = 3.0  # on the line of bounds: some e^-18 of the interval lies beyond
_DEEPER = 2.0  # log units by which they are cut lower where that is too much
_EDGE = 3.0  # log units less that the ends must have fallen


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GridBatchFit:
    """Posteriors of a batch of data sets; all arrays (batch,), but `cdf` (batch, 4).

    `cdf` holds P(X <= point) of mu, tau, theta_new and the true effect of the data set's first
    study at the points that were asked for. `error` estimates the largest error of all of these
    numbers: of mu's mean in posterior SDs, of SDs and of tau's mean relatively, of the log evidence
    and of probabilities absolutely. A row with ``ok`` False did not meet the tolerance, and all of
    it is nan but the error reached.
    """

    mu_mean: FloatArray
    mu_sd: FloatArray
    tau_mean: FloatArray
    tau_sd: FloatArray
    log_marginal_likelihood: FloatArray
    cdf: FloatArray
    error: FloatArray
    ok: BoolArray


@on_one_blas_thread
def fit_grid_batch(
    bound: BoundModel, data_set: IndexArray, *, at: FloatArray, tol: float = 1e-5
) -> GridBatchFit:
    """Posteriors of many data sets under one model, for any one-dimensional study likelihood.

    Parameters
    ----------
    bound : BoundModel
        The model, with the studies of all data sets as one table.
    data_set : (study,)
        To which data set each study belongs: whole numbers from 0.
    at : (batch, 4)
        Points of mu, tau, theta_new and the true effect of the data set's first study at which the
        posterior probability of lying below is wanted: the PIT, where they are the truth.
    tol : float
        Largest accepted error of any number, from 1e-6: the lines are cut for that.

    Raises
    ------
    ModelError
        Arrays that do not fit together.
    NotExactError
        A known mu or tau, an effect prior that is bounded on one side, or random effects that are
        not normal.
    ImproperPosteriorError
        The posteriors do not integrate.

    Examples
    --------
    >>> import bayesmeta as bm
    >>> model = bm.Model(measure="OR", likelihood=bm.BinomialLikelihood(bm.Normal(0, 10)),
    ...                  effect=bm.Normal(0, 2.82), heterogeneity=bm.HalfNormal(0.5))
    >>> halves = np.arange(13) % 2                       # every other trial of thirteen
    >>> fit = fit_grid_batch(model.bind(bm.load("bcg")), halves, at=np.full((2, 4), 0.2))
    >>> fit.mu_mean.round(3), bool(fit.ok.all())
    (array([-0.499, -0.903]), True)
    """
    data_set, at = np.asarray(data_set), np.asarray(at, dtype=float)
    _require_supported(bound, data_set, at)
    order = np.argsort(data_set, kind="stable")
    counts = np.bincount(data_set, minlength=len(at))
    begin = np.cumsum(counts) - counts
    out = {name: np.full(len(at), np.nan) for name in _NUMBERS}
    out["cdf"] = np.full((len(at), 4), np.nan)
    typical = np.array([np.median(bound.data.se[order[b : b + n]]) for b, n in
                        zip(begin, counts, strict=True)])  # fmt: skip
    rough = getattr(bound.data, "rough", None)  # apart: their tables are longer
    kind = 0 * typical if rough is None else np.bincount(data_set, weights=rough) > 0
    for chunk in np.array_split(np.lexsort((typical, kind)), -(-len(at) // _CHUNK)):
        row = np.arange(counts[chunk].max())
        keep = row < counts[chunk, None]
        study = order[begin[chunk, None] + np.where(keep, row, 0)]
        part = bound.take(study.reshape(-1))
        _fit_chunk(out, chunk, _Batch.of(part, keep, tol), at[chunk], tol)
    return GridBatchFit(ok=np.isfinite(out["mu_mean"]), **out)


_NUMBERS = ("mu_mean", "mu_sd", "tau_mean", "tau_sd", "log_marginal_likelihood", "error")


def _require_supported(bound: BoundModel, data_set: IndexArray, at: FloatArray) -> None:
    model = bound.model
    if at.ndim != 2 or at.shape[1] != 4 or data_set.shape != (len(bound.studies),):
        raise ModelError(
            f"A batch needs data_set ({len(bound.studies)},) and at (batch, 4), not "
            f"{data_set.shape} and {at.shape}"
        )
    if not np.array_equal(np.unique(data_set), np.arange(len(at))):
        raise ModelError(f"data_set must name each data set from 0 to {len(at) - 1}")
    if not isinstance(model.random_effects, NormalRandomEffects | TruncatedRandomEffects):
        raise NotExactError(f"A batch needs normal random effects, not {model.random_effects}")
    low, high = model.effect.support
    if has_known_tau(model) or low == high or np.isfinite(low) != np.isfinite(high):
        raise NotExactError(
            f"A batch needs an unknown tau, and an unknown mu with two bounds or none, not "
            f"{model.heterogeneity} and {model.effect}. Use fit for each data set"
        )
    fewest = np.bincount(data_set).argmin()
    find_tail_order(bound.take(np.flatnonzero(data_set == fewest)))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Batch:
    """Data sets of a chunk: one bound model of all its studies, and which are whose.

    Attributes
    ----------
    bound : BoundModel
    study : (set, row)
        Where the studies of the data sets stand in it.
    keep : (set, row)
        Which count; the others are copies of the first, without weight.
    coordinate : SupportMap
        Of tau.
    bounds : SupportMap or None
        Of mu, where it is bounded.
    drop : float
        Log units below the maximum at which the lines are cut.
    """

    bound: BoundModel
    keep: BoolArray
    study: IndexArray
    coordinate: SupportMap
    bounds: SupportMap | None
    drop: float

    @classmethod
    def of(cls, bound: BoundModel, keep: BoolArray, tol: float) -> "_Batch":
        low, high = bound.model.heterogeneity.support
        first, last = bound.model.effect.support
        bounded = np.isfinite(first)
        return cls(
            bound=bound,
            keep=keep,
            study=np.arange(keep.size).reshape(keep.shape),
            coordinate=SupportMap(low=max(low, 0.0), high=high, unit=bound.unit),
            bounds=SupportMap(low=first, high=last, unit=bound.unit) if bounded else None,
            drop=_SPARE - np.log(tol),
        )

    def take(self, index: IndexArray) -> "_Batch":
        """Give the data sets at `index`."""
        return replace(self, keep=self.keep[index], study=self.study[index])

    def about(self, tau: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Mean and SD of mu given tau (set, tau), and log p(data | tau): a normal approximation."""
        y, se = (a[self.study][:, None] for a in (self.bound.data.y, self.bound.data.se))
        effect: Prior = self.bound.model.effect
        middle, precision = 0.0, 0.0
        if effect.proper:
            lower, middle, upper = (float(q) for q in effect.quantile(np.array([0.25, 0.5, 0.75])))
            precision = (1.349 / (upper - lower)) ** 2
        keep = self.keep[:, None]
        between = tau[..., None] ** 2
        if self.bounds is not None:  # a cut normal tells as much less of mu as it is even
            between = between + 12 * between**2 / (self.bounds.high - self.bounds.low) ** 2
        variance = se**2 + between  # (set, tau, row)
        total = (keep / variance).sum(axis=-1) + precision
        mean = ((keep * y / variance).sum(axis=-1) + precision * middle) / total
        misfit = keep * ((y - mean[..., None]) ** 2 / variance + np.log(variance))
        log_f = misfit.sum(axis=-1) + precision * (mean - middle) ** 2 + np.log(total)
        return mean, total**-0.5, -0.5 * log_f


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Lines:
    """Ends of the lines of tau and of mu (set,), the latter in SDs about the mean given tau."""

    v: tuple[FloatArray, FloatArray]
    x: tuple[FloatArray, FloatArray]

    def take(self, index: IndexArray) -> "_Lines":
        """Give those of the data sets at `index`."""
        v, x = ((low[index], high[index]) for low, high in (self.v, self.x))
        return _Lines(v=v, x=x)


def _fit_chunk(
    out: dict[str, FloatArray], index: IndexArray, batch: _Batch, at: FloatArray, tol: float
) -> None:
    """Fit the data sets of a chunk into rows `index`; only the unresolved are refined."""
    lines = _first_lines(batch)
    begin = _FIRST if batch.bounds is None else _FIRST_BOUNDED
    todo, n_tau, n_mu = np.arange(len(index)), *begin
    integral = _build(batch, lines, n_tau, n_mu, allowed=0.05 * tol)
    for _ in range(30):
        part, own = batch.take(todo), lines.take(todo)
        nodes, moved, integral = _evaluate(part, own, n_tau, n_mu, integral)
        for old, new in ((lines.v, moved.v), (lines.x, moved.x)):
            old[0][todo], old[1][todo] = new
        same = np.ones(len(todo), dtype=bool)
        for old, new in ((own.v, moved.v), (own.x, moved.x)):
            same &= (old[0] == new[0]) & (old[1] == new[1])
        in_tau, in_mu, rest = _errors(nodes)
        rest = rest + integral.tables.error * batch.keep.sum(axis=1)[todo]
        error = in_tau + in_mu + rest
        out["error"][index[todo]] = error
        done = same & (error <= tol)
        if done.any():
            done_nodes = nodes.take(done)
            first = part.study[done, 0]
            answer = find_moments(done_nodes) | {
                "cdf": find_cdfs(
                    done_nodes, batch.coordinate, integral.tables, first, at[todo[done]]
                )
            }
            for name, values in answer.items():
                out[name][index[todo[done]]] = values
        rough = same & ~done
        n_tau += 2 * (n_tau // 4) * bool((in_tau[rough] > tol / 3).any())
        n_mu += 2 * (n_mu // 4) * bool((in_mu[rough] > tol / 3).any())
        if (rest[rough] > tol / 3).any():
            batch = replace(batch, drop=batch.drop + _DEEPER)
        if done.all() or max(n_tau, n_mu) > _LAST:
            return
        todo = todo[~done]


def _first_lines(batch: _Batch) -> _Lines:
    prior, coordinate = batch.bound.model.heterogeneity, batch.coordinate

    def log_f(v: FloatArray) -> FloatArray:
        tau = coordinate.point(v)
        return batch.about(tau)[2] + prior.logpdf(tau) + coordinate.log_slope(v)

    begin, end, limit = coordinate.scan
    edge = np.ones(len(batch.keep))
    v = find_range(log_f, begin * edge, end * edge, lowest=begin, highest=limit, drop=batch.drop)
    reach = BEND * np.arcsinh(1.15 * np.sqrt(2 * batch.drop) / BEND)
    x = (-reach * edge, reach * edge)
    if batch.bounds is not None:  # where tau is large, only the bounds end mu
        center, scale, _ = batch.about(coordinate.point(v[1])[:, None])
        of_mu = BatchMap.about(center, scale, batch.bounds)
        ends = of_mu.line(batch.bounds.point(np.array([[[-_BOUND, _BOUND]]])))[:, 0]
        x = np.minimum(x[0], ends[:, 0]), np.maximum(x[1], ends[:, 1])
    return _Lines(v=v, x=x)


def _place(
    batch: _Batch, lines: _Lines, n_tau: int, n_mu: int
) -> tuple[FloatArray, FloatArray, FloatArray, BatchMap]:
    """Nodes v and tau (set, tau), x (set, mu), and the map of mu, with arrays (set, tau)."""
    share = [np.linspace(0, 1, n) for n in (n_tau, n_mu)]
    v, x = (low[:, None] + (high - low)[:, None] * s for (low, high), s in
            zip((lines.v, lines.x), share, strict=True))  # fmt: skip
    tau = batch.coordinate.point(v)
    center, scale, _ = batch.about(tau)
    return v, tau, x, BatchMap.about(center, scale, batch.bounds)


def _build(batch: _Batch, lines: _Lines, n_tau: int, n_mu: int, *, allowed: float) -> StudyIntegral:
    """Tables for the ends of the lines of mu at every node of tau."""
    _, tau, x, of_mu = _place(batch, lines, n_tau, n_mu)
    ends = of_mu.point(np.stack([x[:, [0, -1]]] * n_tau, axis=1))  # (set, tau, 2)
    rows = batch.keep.shape[1]
    pairs = [np.repeat(np.moveaxis(a, 0, -1).reshape(2 * n_tau, -1), rows, axis=1)
             for a in (ends, np.broadcast_to(tau[..., None], ends.shape))]  # fmt: skip
    return StudyIntegral.build(batch.bound, *pairs, allowed=allowed)


def _evaluate(
    batch: _Batch, lines: _Lines, n_tau: int, n_mu: int, integral: StudyIntegral
) -> tuple[BatchNodes, _Lines, StudyIntegral]:
    """Evaluate the posteriors at their nodes; with lines that fit them better, or the same."""
    model, coordinate = batch.bound.model, batch.coordinate
    v, tau, x, of_mu = _place(batch, lines, n_tau, n_mu)
    v_step, x_step = v[:, 1] - v[:, 0], x[:, 1] - x[:, 0]
    along = np.repeat(x[:, None], n_tau, axis=1)
    mu = of_mu.point(along)
    log_prior = model.effect.logpdf(mu) + of_mu.log_slope(along)
    of_tau = model.heterogeneity.logpdf(tau) + coordinate.log_slope(v)
    log_prior += of_tau[..., None] + np.log(v_step * x_step)[:, None, None]
    inside, low, form = np.ones(mu.shape), -np.inf, model.random_effects
    if isinstance(form, TruncatedRandomEffects):  # every study's normal is normalised
        log_inside, low = form.log_inside(mu, tau[..., None]), form.low
        log_prior -= batch.keep.sum(axis=1)[:, None, None] * log_inside
        inside = np.exp(log_inside)
    shape = (*mu.shape, batch.keep.shape[1])
    flat_mu, flat_tau = (
        np.broadcast_to(a, shape).reshape(-1) for a in (mu[..., None], tau[:, :, None, None])
    )
    flat_study = np.broadcast_to(batch.study[:, None, None], shape).reshape(-1)
    for _ in range(20):
        log_l, leak = integral.sum_own(flat_mu, flat_tau, flat_study)
        log_l = log_l.reshape(shape)
        log_mass = log_prior + (log_l * batch.keep[:, None, None]).sum(axis=-1)
        top = log_mass.max(axis=(1, 2))
        mass = np.exp(log_mass - top[:, None, None])
        total = mass.sum(axis=(1, 2))
        mass /= total[:, None, None]
        lost = np.einsum("btm,btmrs->brs", mass, leak.reshape(*shape, 2)) * batch.keep[..., None]
        if (lost < 1e-8).all():
            break
        short = np.zeros((len(integral.tables.center), 2), dtype=bool)
        short[batch.study[batch.keep]] = (lost > 1e-9)[batch.keep]
        longer = integral.extend(short)
        if longer.moved_from(integral) < 1e-9:  # all the measure allows: the leak is an error
            break
        integral = longer
    else:
        raise AccuracyError("The tables of the study likelihoods do not reach far enough")
    height = log_mass - top[:, None, None]
    begin, _, end = coordinate.scan
    drop, edge = batch.drop, batch.drop - _EDGE
    moved = _Lines(
        v=fit_range(height.max(axis=2), *lines.v, begin, end, drop=drop, edge=edge),
        x=fit_range(height.max(axis=1), *lines.x, -700.0, 700.0, drop=drop, edge=edge),
    )
    nodes = BatchNodes(
        tau=tau,
        mu=mu,
        mass=mass,
        log_l_first=log_l[..., 0],
        log_evidence=top + np.log(total),
        v_low=lines.v[0],
        v_step=v_step,
        x_low=lines.x[0],
        x_step=x_step,
        of_mu=of_mu,
        leak=lost.sum(axis=(1, 2)),
        inside=inside,
        low=low,
    )
    return nodes, moved, integral


def _errors(nodes: BatchNodes) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Error estimates (set,): of the nodes of tau, of those of mu, and of what was cut."""
    mass = nodes.mass
    full = find_moments(nodes)
    errors = []
    for spectrum, thin in (
        (nyquist(mass.sum(axis=2)), (slice(None), slice(None, None, 2))),
        (nyquist(mass).sum(axis=1), (slice(None), slice(None), slice(None, None, 2))),
    ):
        half = mass[thin]
        part = replace(
            nodes,
            mass=half / half.sum(axis=(1, 2))[:, None, None],
            mu=nodes.mu[thin],
            tau=nodes.tau[thin[:2]],
        )
        less = find_moments(part)
        moved = [
            np.abs(less["mu_mean"] - full["mu_mean"]) / full["mu_sd"],
            *(np.abs(less[name] / full[name] - 1) for name in ("mu_sd", "tau_mean", "tau_sd")),
        ]
        errors.append(np.maximum(spectrum, np.max(moved, axis=0)))
    edges = mass[:, [0, -1]].sum(axis=(1, 2)) + mass[..., [0, -1]].sum(axis=(1, 2))
    return errors[0], errors[1] + nodes.cut, nodes.leak + 10 * edges
