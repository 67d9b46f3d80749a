"""Nodes of theta that studies share: where many pairs (mu, tau) have one tau.

A sum over them is a product of two matrices: the normal density at (mu, node), and g at (node,
study). Studies whose integrands are far narrower than others' have nodes of their own, which are
closer and reach less far. g is interpolated once for all rows whose nodes lie on one lattice.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bayesmeta.inference.peaks import RESOLVED, find_peak, normal_width
from bayesmeta.inference.sums import TINY, UNDERFLOW
from bayesmeta.inference.tables import BoolArray, IndexArray, Tables
from bayesmeta.scales import FloatArray

_PAIRS = 16  # of one tau, from which its sums are a matrix product
_BEND = 0.6  # of a study with a zero cell: its g is analytic for imaginary parts below pi / 2
_BEND_OF_COUNTS = 1.0  # of any study of counts: below pi
_MOST = 1000  # nodes of one tau
_TOGETHER = 2000  # nodes tabulated at once
_NO_LEAK = 1e-18  # share of a sum that a table's end need not be asked for
_COARSER = 2  # factors of 2 between steps, from which studies have their own nodes
# times of one term over that of a sum over a table's nodes (interpolations serve several rows):
_INTERPOLATED, _EXPONENTIAL, _PRODUCT = 2.0, 0.7, 0.1
_ALONE = 9.0  # of an interpolation that serves one row
_LOOK, _ROW = 36.0, 3500.0  # of one look at how coarse nodes are, and such; of one row
_ABOUT_PEAK, _ABOUT_MU = 400.0, 120.0  # of one Gauss-Hermite sum


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SharedRow:
    """Studies whose sums for one value of tau take the even nodes step * (first ... last)."""

    value: int
    studies: IndexArray
    step: float
    first: int
    last: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SharedNodes:
    """Values of tau that have many pairs, and the nodes that studies share for each.

    Attributes
    ----------
    tau : (value,)
    pairs : (index,)
        The pairs, in the order of the values.
    begin : (value + 1,)
        Where the pairs of a value begin and end in `pairs`.
    step : (value, study)
        Spacing of the nodes; nan where a study shares none.
    rows : sequence of SharedRow
    """

    tau: FloatArray
    pairs: IndexArray
    begin: IndexArray
    step: FloatArray
    rows: Sequence[SharedRow]


def share_nodes(
    tables: Tables,
    mu: FloatArray,
    tau: FloatArray,
    *,
    lopsided: IndexArray,
    counts: bool,
    check: bool,
) -> SharedNodes:
    """Choose the nodes for values of tau that have many pairs, where they cost less than others.

    The nodes resolve the narrowest integrand of any study that has them, and reach as far as any
    integrand of the pairs, but not beyond the studies' tables. Steps are powers of 2, so that theta
    is not rounded and rows share a lattice.

    Parameters
    ----------
    tables : Tables
    mu, tau : (pair,)
    lopsided : (index,)
        Studies that no normal approximation describes, such as those with a zero cell.
    counts : bool
        Theta is a log ratio of risks or rates, so that g is not analytic far from the real line. Of
        other data all studies share the same nodes, which may lie beyond their tables.
    check : bool
        Take half the step, and any number of pairs.
    """
    order = np.argsort(tau, kind="stable")
    values, begin, count = np.unique(tau[order], return_index=True, return_counts=True)
    many = np.flatnonzero((count >= _PAIRS) | check)
    low, high = (f.reduceat(mu[order], begin)[many] for f in (np.minimum, np.maximum))
    values = values[many]
    order = np.concatenate([order[begin[i] : begin[i] + count[i]] for i in many] or [order[:0]])
    begin = np.concatenate([[0], np.cumsum(count[many])])
    low, high, width = _find_windows(tables, low, high, values, lopsided)
    if counts:
        width = np.minimum(width, _BEND_OF_COUNTS)
        low, high = (np.clip(end, *tables.ends.T) for end in (low, high))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        step = 2.0 ** np.floor(np.log2(RESOLVED * width))
        step = step / 2 if check else step
        coarser = np.log2(step / step.min(axis=1, initial=np.inf, keepdims=True)) // _COARSER
    finite = np.isfinite(coarser)
    pairs = np.diff(begin)

    def lay(inside: BoolArray) -> _Laid:
        return _Laid.of(np.where(inside, step, np.inf), low, high, pairs, check=check)

    alone = np.where(finite, _cost_alone(tables, values, width, check=check) * pairs[:, None], 0.0)
    levels = [coarser == level for level in np.unique(coarser[finite])] if counts else []
    plans = [(inside, lay(inside)) for inside in levels]
    together = lay(finite)
    split = np.full(len(values), 0.0 if counts else np.inf)  # cost
    for inside, laid in plans:
        split += np.minimum(laid.cost, (alone * inside).sum(axis=1))
    merged = together.cost < split
    shared, rows = np.full(step.shape, np.nan), []
    for inside, laid, here in (*((*plan, ~merged) for plan in plans), (finite, together, merged)):
        cheap = laid.cost < (alone * inside).sum(axis=1)
        chosen = here & np.isfinite(laid.cost) & (cheap | (check and not counts))
        shared = np.where(inside & chosen[:, None], laid.step[:, None], shared)
        rows += [
            SharedRow(value=i, studies=inside[i].nonzero()[0], step=h, first=first, last=last)
            for i, h, first, last in zip(
                np.flatnonzero(chosen).tolist(),
                laid.step[chosen].tolist(),
                laid.first[chosen].tolist(),
                laid.last[chosen].tolist(),
                strict=True,
            )
        ]
    return SharedNodes(tau=values, pairs=order, begin=begin, step=shared, rows=rows)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Laid:
    """Nodes step * (first ... last) for each value of tau, and what they cost; all (value,)."""

    step: FloatArray
    first: IndexArray
    last: IndexArray
    cost: FloatArray

    @classmethod
    def of(
        cls, step: FloatArray, low: FloatArray, high: FloatArray, pairs: IndexArray, *, check: bool
    ) -> "_Laid":
        """For studies with a finite `step` (value, study): the finest, and the widest range.

        The cost is infinite where there are no such studies, or too many nodes.
        """
        inside = np.isfinite(step)
        finest = step.min(axis=1, initial=np.inf)
        first = np.where(inside, low, np.inf).min(axis=1, initial=np.inf)
        last = np.where(inside, high, -np.inf).max(axis=1, initial=-np.inf)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            first, last = np.floor(first / finest), np.ceil(last / finest)
            exact = np.maximum(np.abs(first), np.abs(last)) < 1e12  # theta is a multiple of step
            nodes = last - first + 1
        possible = inside.any(axis=1) & exact & (nodes < _MOST)
        studies = inside.sum(axis=1)
        each = studies * (_ALONE if check else _INTERPOLATED)
        each = each + pairs * (_EXPONENTIAL + _PRODUCT * studies)
        first, last = (np.where(possible, end, 0).astype(np.intp) for end in (first, last))
        cost = np.where(possible, nodes * each + _ROW, np.inf)
        return cls(step=finest, first=first, last=last, cost=cost)


def _find_windows(
    tables: Tables, low: FloatArray, high: FloatArray, tau: FloatArray, lopsided: IndexArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Range of theta that matters to a study, and its narrowest integrand, (value, study) each.

    For values of tau whose mu lie between `low` and `high` (value,).
    """
    width = normal_width(tables.scale, tau[:, None])
    variance, tau2 = tables.scale**2, tau[:, None] ** 2
    pull = tau2 / (variance + tau2)
    below, above = ((1 - pull) * m[:, None] + pull * tables.center for m in (low, high))
    below, above = below - 9 * width, above + 9 * width
    if len(lopsided):
        value = np.repeat(np.arange(len(tau)), len(lopsided))
        study = np.tile(lopsided, len(tau))
        for m, reach, side in ((low, below, -9), (high, above, 9)):
            peak, own = find_peak(tables, m[value], tau[value], study)
            reach[value, study] = peak + side * own
            width[value, study] = np.minimum(width[value, study], np.minimum(own, _BEND))
    below = np.minimum(below, (low - 8.5 * tau)[:, None])
    above = np.maximum(above, (high + 8.5 * tau)[:, None])
    return below, above, width


def _cost_alone(tables: Tables, tau: FloatArray, width: FloatArray, *, check: bool) -> FloatArray:
    """Cost of a study's own sum for one pair, (value, study)."""
    scale = tables.scale
    every = tables.log_g.shape[1] / (1 if check else 2)
    return np.where(
        tables.spacing_at(tables.center, np.arange(len(scale))) > RESOLVED * width,
        np.where(tau[:, None] < TINY * scale, _ABOUT_MU, _ABOUT_PEAK),
        every + _LOOK,
    )


def sum_shared(
    tables: Tables, mu: FloatArray, nodes: SharedNodes, log_l: FloatArray, leak: FloatArray
) -> BoolArray:
    """Sum over shared nodes, into log_l (pair, study) and leak (pair, study, 2); tell where.

    All terms are positive, so that the sums keep relative accuracy unless they underflow.
    """
    done = np.zeros(log_l.shape, dtype=bool)
    if not nodes.rows:
        return done
    top, rates = tables.log_g.max(axis=1), _rates(nodes)
    scaled = mu[nodes.pairs] * np.repeat(rates, np.diff(nodes.begin))
    total = np.full((len(nodes.pairs), len(top)), np.nan)
    for group in _group_rows(nodes.rows):
        first, last = min(row.first for row in group), max(row.last for row in group)
        theta: FloatArray = group[0].step * np.arange(first, last + 1.0)
        studies = np.unique(np.concatenate([row.studies for row in group]))
        g = np.exp(np.minimum(tables.value(theta[:, None], studies) - top[studies], 1.0))
        for row in group:
            part, rate = slice(row.first - first, row.last - first + 1), rates[row.value]
            pairs = slice(nodes.begin[row.value], nodes.begin[row.value + 1])
            kernel = theta[part] * rate - scaled[pairs, None]
            kernel *= kernel
            np.negative(kernel, out=kernel)
            np.exp(kernel, out=kernel)
            if len(row.studies) == len(top):
                np.matmul(kernel, g[part], out=total[pairs])
            elif len(row.studies) == len(studies):
                total[pairs, studies] = kernel @ g[part]
            else:
                own = g[part, np.searchsorted(studies, row.studies)]
                total[pairs, row.studies] = kernel @ own
    _take_logs(tables, mu, nodes, total, log_l, leak)
    done[nodes.pairs] = np.repeat(np.isfinite(nodes.step), np.diff(nodes.begin), axis=0)
    return done


def _rates(nodes: SharedNodes) -> FloatArray:
    """Square roots of what multiplies squared distances in the normal density, (value,)."""
    out: FloatArray = np.sqrt(0.5) / np.maximum(nodes.tau, 1e-300)
    return out


def _take_logs(
    tables: Tables,
    mu: FloatArray,
    nodes: SharedNodes,
    total: FloatArray,
    log_l: FloatArray,
    leak: FloatArray,
) -> None:
    """Take logs of the sums (index, study), and what the tables' ends lose."""
    top, ends = tables.log_g.max(axis=1), tables.ends
    log_end = tables.nodes(1)[1][:, [0, -1]] - top[:, None]  # (study, 2)
    begin, step, m, rate = nodes.begin, nodes.step, mu[nodes.pairs], _rates(nodes)
    low, high = (f.reduceat(m, begin[:-1])[:, None, None] for f in (np.minimum, np.maximum))
    gap = np.maximum(np.maximum(low - ends, ends - high), 0.0)  # (value, study, 2)
    total[total < UNDERFLOW] = 0.0
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        scale = top + np.log(step * rate[:, None] / np.sqrt(np.pi))
        log_l[nodes.pairs] = np.log(total) + np.repeat(scale, np.diff(begin), axis=0)
        most = np.exp(log_end - np.square(gap * rate[:, None, None])) / step[..., None]
        least = np.minimum.reduceat(total, begin[:-1])
        counts = ~(most < _NO_LEAK * least[..., None]) & np.isfinite(step)[..., None]
        value, study, side = np.nonzero(counts)
        many = np.diff(begin)[value]  # pairs
        first = np.repeat(begin[value] - np.cumsum(many) + many, many)
        at, value, study, side = (
            first + np.arange(len(first)),
            *(np.repeat(index, many) for index in (value, study, side)),
        )
        away = (ends[study, side] - m[at]) * rate[value]
        share = np.exp(log_end[study, side] - away * away) / (step[value, study] * total[at, study])
        leak[nodes.pairs[at], study, side] = share


def _group_rows(rows: Sequence[SharedRow]) -> list[list[SharedRow]]:
    """Rows whose nodes lie on one lattice and near each other, to be tabulated at once."""
    groups: list[list[SharedRow]] = []
    for row in sorted(rows, key=lambda row: (row.step, row.first)):
        near = groups and groups[-1][0].step == row.step
        if near and row.last - groups[-1][0].first < _TOGETHER:
            groups[-1].append(row)
        else:
            groups.append([row])
    return groups
