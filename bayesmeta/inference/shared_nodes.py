"""Nodes of theta that all studies share: where many pairs (mu, tau) have one tau."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from bayesmeta.scales import FloatArray

RESOLVED = 0.8  # largest spacing of summed nodes, in widths of the integrand's peak
_PAIRS = 16  # of one tau, from which its sums are a matrix product
_BEND = 0.6  # of a study with a zero cell: its g is analytic for imaginary parts below pi / 2
_MOST = 1000  # nodes of one tau
_TOGETHER = 2000  # nodes tabulated at once

type IndexArray = np.ndarray[tuple[int, ...], np.dtype[np.intp]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SharedRow:
    """Pairs of one tau, and even nodes of theta, step * (first ... last), that resolve them."""

    tau: float
    pairs: IndexArray
    step: float
    first: int
    last: int


def share_nodes(
    mu: FloatArray,
    tau: FloatArray,
    center: FloatArray,
    scale: FloatArray,
    *,
    lopsided: IndexArray,
    find_peak: Callable[[FloatArray, FloatArray, IndexArray], tuple[FloatArray, FloatArray]],
    table_nodes: int,
    check: bool,
) -> list[SharedRow]:
    """Values of tau that have many pairs, and few enough nodes for all studies together.

    The nodes resolve the narrowest integrand of any study, and reach as far as any integrand of the
    pairs. Steps are powers of 2, so that theta is not rounded and rows share a lattice.

    Parameters
    ----------
    mu, tau : (pair,)
    center, scale : (study,)
        A normal approximation of each study.
    lopsided : (index,)
        Studies that no normal approximation describes, such as those with a zero cell.
    find_peak
        Gives the peak of a study's integrand, and its width, for pairs (mu, tau, study).
    table_nodes : int
        Nodes of a study's own table, whose sums the shared ones must beat.
    check : bool
        Take half the step, and any number of pairs.
    """
    if not len(mu):
        return []
    order = np.argsort(tau, kind="stable")
    values, begin = np.unique(tau[order], return_index=True)
    ends = np.append(begin[1:], len(order))
    low, high = (f.reduceat(mu[order], begin) for f in (np.minimum, np.maximum))
    variance, tau2 = scale**2, values[:, None] ** 2
    width = np.sqrt(tau2 * variance / (variance + 1.5 * tau2))  # (value, study)
    pull = tau2 / (variance + tau2)
    below, above = ((1 - pull) * m[:, None] + pull * center for m in (low, high))
    below, above = below - 9 * width, above + 9 * width
    if len(lopsided):
        value = np.repeat(np.arange(len(values)), len(lopsided))
        study = np.tile(lopsided, len(values))
        for m, reach, side in ((low, below, -9), (high, above, 9)):
            peak, own = find_peak(m[value], values[value], study)
            reach[value, study] = peak + side * own
            width[value, study] = np.minimum(width[value, study], np.minimum(own, _BEND))
    low = np.minimum(low - 8.5 * values, below.min(axis=1))
    high = np.maximum(high + 8.5 * values, above.max(axis=1))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        step = 2.0 ** np.floor(np.log2(RESOLVED * width.min(axis=1)))
        step = step / 2 if check else step
        nodes = (high - low) / step
    cheap = nodes * (4 + 0.2 * len(center)) < 1.7 * len(center) * table_nodes
    many = ((ends - begin >= _PAIRS) & cheap) | check
    exact = np.maximum(np.abs(low), np.abs(high)) < 1e12 * step  # theta is a multiple of step
    return [
        SharedRow(
            tau=float(values[i]),
            pairs=order[begin[i] : ends[i]],
            step=float(step[i]),
            first=int(np.floor(low[i] / step[i])),
            last=int(np.ceil(high[i] / step[i])),
        )
        for i in np.flatnonzero(many & exact & (nodes < _MOST))
    ]


def group_rows(rows: Sequence[SharedRow]) -> list[list[SharedRow]]:
    """Rows whose nodes lie on one lattice and near each other, to be tabulated at once."""
    groups: list[list[SharedRow]] = []
    for row in sorted(rows, key=lambda row: (row.step, row.first)):
        near = groups and groups[-1][0].step == row.step
        if near and row.last - groups[-1][0].first < _TOGETHER:
            groups[-1].append(row)
        else:
            groups.append([row])
    return groups
