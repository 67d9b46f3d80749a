"""Nodes of theta that all studies share: where many pairs (mu, tau) have one tau.

A sum over them is a product of two matrices: the normal density at (mu, node), and g at (node,
study). g is interpolated once for all rows whose nodes lie on one lattice.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bayesmeta.inference.peaks import RESOLVED, find_peak, normal_width
from bayesmeta.inference.sums import UNDERFLOW
from bayesmeta.inference.tables import BoolArray, IndexArray, Tables
from bayesmeta.scales import FloatArray

_PAIRS = 16  # of one tau, from which its sums are a matrix product
_BEND = 0.6  # of a study with a zero cell: its g is analytic for imaginary parts below pi / 2
_MOST = 1000  # nodes of one tau
_TOGETHER = 2000  # nodes tabulated at once
_NO_LEAK = 1e-18  # share of a sum that a table's end need not be asked for
# times of one term over that of a sum over a table's nodes (interpolations serve several rows):
_INTERPOLATED, _EXPONENTIAL, _PRODUCT = 2.0, 1.2, 0.1
_ABOUT_PEAK, _ABOUT_MU = 400.0, 120.0  # of one Gauss-Hermite sum


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SharedRow:
    """Pairs of one tau, and even nodes of theta, step * (first ... last), that resolve them."""

    tau: float
    pairs: IndexArray
    step: float
    first: int
    last: int


def share_nodes(
    tables: Tables, mu: FloatArray, tau: FloatArray, *, lopsided: IndexArray, check: bool
) -> list[SharedRow]:
    """Values of tau that have many pairs, and few enough nodes for all studies together.

    The nodes resolve the narrowest integrand of any study, and reach as far as any integrand of the
    pairs. Steps are powers of 2, so that theta is not rounded and rows share a lattice.

    Parameters
    ----------
    tables : Tables
    mu, tau : (pair,)
    lopsided : (index,)
        Studies that no normal approximation describes, such as those with a zero cell.
    check : bool
        Take half the step, and any number of pairs.
    """
    if not len(mu):
        return []
    order = np.argsort(tau, kind="stable")
    values, begin, count = np.unique(tau[order], return_index=True, return_counts=True)
    many = (count >= _PAIRS) | check
    values, low, high = (
        values[many],
        *(f.reduceat(mu[order], begin)[many] for f in (np.minimum, np.maximum)),
    )
    begin, count = begin[many], count[many]
    width = normal_width(tables.scale, values[:, None])  # (value, study)
    variance, tau2 = tables.scale**2, values[:, None] ** 2
    pull = tau2 / (variance + tau2)
    below, above = ((1 - pull) * m[:, None] + pull * tables.center for m in (low, high))
    below, above = below - 9 * width, above + 9 * width
    if len(lopsided):
        value = np.repeat(np.arange(len(values)), len(lopsided))
        study = np.tile(lopsided, len(values))
        for m, reach, side in ((low, below, -9), (high, above, 9)):
            peak, own = find_peak(tables, m[value], values[value], study)
            reach[value, study] = peak + side * own
            width[value, study] = np.minimum(width[value, study], np.minimum(own, _BEND))
    low = np.minimum(low - 8.5 * values, below.min(axis=1))
    high = np.maximum(high + 8.5 * values, above.max(axis=1))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        step = 2.0 ** np.floor(np.log2(RESOLVED * width.min(axis=1)))
        step = step / 2 if check else step
        nodes = (high - low) / step
        exact = np.maximum(np.abs(low), np.abs(high)) < 1e12 * step  # theta is a multiple of step
    chosen = exact & (nodes < _MOST) & (_is_cheap(tables, values, width, nodes, count) | check)
    return [
        SharedRow(
            tau=float(values[i]),
            pairs=order[begin[i] : begin[i] + count[i]],
            step=float(step[i]),
            first=int(np.floor(low[i] / step[i])),
            last=int(np.ceil(high[i] / step[i])),
        )
        for i in np.flatnonzero(chosen)
    ]


def _is_cheap(
    tables: Tables, tau: FloatArray, width: FloatArray, nodes: FloatArray, pairs: IndexArray
) -> BoolArray:
    """Whether `nodes` shared nodes cost less than each study's own sums, for values of tau."""
    studies, scale = len(tables.center), tables.scale
    own = np.where(
        tables.spacing_at(tables.center, np.arange(studies)) > RESOLVED * width,
        np.where(tau[:, None] < 0.05 * scale, _ABOUT_MU, _ABOUT_PEAK),
        tables.log_g.shape[1] / 2,
    ).sum(axis=1)
    each = studies * _INTERPOLATED + pairs * (_EXPONENTIAL + _PRODUCT * studies)
    out: BoolArray = nodes * each < pairs * own
    return out


def sum_shared(
    tables: Tables,
    mu: FloatArray,
    rows: Sequence[SharedRow],
    log_l: FloatArray,
    leak: FloatArray,
) -> None:
    """Sum over the rows' nodes, into log_l (pair, study) and leak (pair, study, 2).

    All terms are positive, so that the sums keep relative accuracy unless they underflow.
    """
    top = tables.log_g.max(axis=1)
    study = np.arange(len(tables.center))
    totals, in_order = [], []
    for group in _group_rows(rows):
        first, last = min(row.first for row in group), max(row.last for row in group)
        theta: FloatArray = group[0].step * np.arange(first, last + 1.0)
        g = np.exp(np.minimum(tables.value(theta[:, None], study) - top, 1.0))  # (node, study)
        for row in group:
            part, rate = slice(row.first - first, row.last - first + 1), np.sqrt(0.5) / row.tau
            kernel = theta[part] * rate - (mu[row.pairs] * rate)[:, None]
            kernel *= kernel
            np.negative(kernel, out=kernel)
            totals.append(np.exp(kernel, out=kernel) @ g[part])
            in_order.append(row)
    if in_order:
        _take_logs(tables, mu, in_order, np.concatenate(totals), log_l, leak)


def _take_logs(
    tables: Tables,
    mu: FloatArray,
    rows: Sequence[SharedRow],
    total: FloatArray,
    log_l: FloatArray,
    leak: FloatArray,
) -> None:
    """Take logs of the rows' sums (all their pairs, study), and what the tables' ends lose."""
    top, ends = tables.log_g.max(axis=1), tables.ends
    log_end = tables.nodes(1)[1][:, [0, -1]] - top[:, None]  # (study, 2)
    begin = np.concatenate([[0], np.cumsum([len(row.pairs) for row in rows])])
    pairs = np.concatenate([row.pairs for row in rows])
    step, tau = (np.array([getattr(row, name) for row in rows]) for name in ("step", "tau"))
    m, rate = mu[pairs], np.sqrt(0.5) / tau
    low, high = (f.reduceat(m, begin[:-1])[:, None, None] for f in (np.minimum, np.maximum))
    gap = np.maximum(np.maximum(low - ends, ends - high), 0.0)  # (row, study, 2)
    total[total < UNDERFLOW] = 0.0
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        scale = np.repeat(np.log(step * rate / np.sqrt(np.pi)), np.diff(begin))
        log_l[pairs] = np.log(total) + (top + scale[:, None])
        most = np.exp(log_end - np.square(gap * rate[:, None, None])) / step[:, None, None]
        counts = ~(most < _NO_LEAK * np.minimum.reduceat(total, begin[:-1])[..., None])
        for r in np.flatnonzero(counts.any(axis=(1, 2))):
            study, side = np.nonzero(counts[r])
            part = slice(begin[r], begin[r + 1])
            away = (ends[study, side] - m[part, None]) * rate[r]
            share = np.exp(log_end[study, side] - away * away) / (step[r] * total[part, study])
            leak[pairs[part, None], study, side] = share


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
