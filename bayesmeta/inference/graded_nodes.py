"""Nodes of theta that studies share where likelihoods break at a point: even, but crowding there.

``x = u / step + arsinh((theta - at) / near) / delta`` at even x, with u = theta, or artanh of its
place where effects are bounded: `step` resolves N(theta | mu, tau^2) and g wherever they are
smooth, and the crowding only the break point. Pairs (mu, tau) of one tau are then a matrix
product, for

- all studies, where that is cheaper than the sums over each study's own nodes, or else
- the rough studies whose own nodes do not resolve tau, and the pairs whose normal reaches the
  point.
"""

from dataclasses import dataclass

import numpy as np

from bayesmeta.inference.bounds import rebound, unbound
from bayesmeta.inference.crowded import CrowdedMap
from bayesmeta.inference.sums import UNDERFLOW
from bayesmeta.inference.table_map import NEAR
from bayesmeta.inference.tables import BoolArray, IndexArray, Tables
from bayesmeta.scales import FloatArray

_RESOLVED = 0.6  # step in widths of the integrand's peak
_DELTA = 0.2  # step of the logarithm of the distance to the break point
_REACH = 10.0  # SDs of N(mu, tau^2) that are summed over on each side
_DROP = 40.0  # log units below its peak at which an integrand is left out
_PAIRS = 16  # of one tau, from which their sums are a matrix product
_MOST = 3000  # nodes of one tau
_NARROW = 2.0  # standard errors of a rough study, up to which tau takes these nodes near the point


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Row:
    """Pairs of one tau, the studies summed for them, and the nodes' range of theta."""

    tau: float
    pairs: IndexArray
    studies: IndexArray
    step: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Even:
    """Theta, or artanh of its place within bounds, over a step."""

    step: float
    domain: tuple[float, float] | None

    def line(self, value: FloatArray) -> FloatArray:
        """From theta to the line."""
        return unbound(value, self.domain) / self.step

    def point(self, x: FloatArray) -> FloatArray:
        """From the line to theta."""
        return rebound(x * self.step, self.domain)

    def log_slope(self, x: FloatArray) -> FloatArray:
        """Logarithm of the derivative of `point`."""
        out: FloatArray = np.log(self.step) + np.zeros_like(x)
        if self.domain is not None:
            low, high = self.domain
            out = out + np.log((high - low) / 2) - 2 * np.log(np.cosh(x * self.step))
        return out


def sum_graded(
    tables: Tables,
    mu: FloatArray,
    tau: FloatArray,
    log_l: FloatArray,
    leak: FloatArray,
    *,
    halved: int,
    check: bool,
) -> BoolArray:
    """Fill in log L_i (pair, study) and the leaks where shared nodes serve; tell where.

    The usual step is halved `halved` times, and once more with `check`.
    """
    done = np.zeros(log_l.shape, dtype=bool)
    crowd, at_point = tables.lines.crowd, tables.lines.at
    if crowd is None:
        return done
    rough = np.flatnonzero(crowd > 0)
    rows = _plan(tables, mu, tau, rough, check=check)
    near = NEAR * float(tables.scale[rough].min())
    log_top = tables.log_g.max(axis=1)
    theta_end = tables.ends
    weight_end = tables.nodes(1)[1][:, [0, -1]] - log_top[:, None]
    fine = 0.5 ** (halved + check)
    for group in _group(rows):
        base = _Even(step=group[0].step, domain=tables.lines.plain.domain)
        nodes = CrowdedMap(
            base=base, near=np.asarray(near), weight=np.asarray(1 / _DELTA), at=at_point
        )
        ends = nodes.line(np.array([[row.low, row.high] for row in group])) / fine
        first, last = np.floor(ends[:, 0]).astype(int), np.ceil(ends[:, 1]).astype(int) + 1
        theta = nodes.point(fine * np.arange(first.min(), last.max()))
        log_spacing = nodes.log_slope_at(theta) + np.log(fine)
        studies = group[0].studies
        value = tables.value(theta[:, None], studies)
        g = np.exp(np.minimum(value - log_top[studies], 1.0) + log_spacing[:, None])
        for row, begin, end in zip(group, first - first.min(), last - first.min(), strict=True):
            m, rate = mu[row.pairs, None], np.sqrt(0.5) / row.tau
            with np.errstate(over="ignore"):
                total = np.exp(-np.square((theta[begin:end] - m) * rate)) @ g[begin:end]
            total[total < UNDERFLOW] = 0.0
            at = row.pairs[:, None], studies
            with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
                log_l[at] = np.log(total) + log_top[studies] + np.log(rate / np.sqrt(np.pi))
                away = np.square((theta_end[studies] - m[..., None]) * rate)
                leak[at] = np.exp(weight_end[studies] - away) / total[..., None]
            done[at] = True
    return done & np.isfinite(log_l)


def _plan(
    tables: Tables,
    mu: FloatArray,
    tau: FloatArray,
    rough: IndexArray,
    *,
    check: bool,
) -> list[_Row]:
    """Decide for each tau what is summed over shared nodes."""
    order = np.argsort(tau, kind="stable")
    values, begin = np.unique(tau[order], return_index=True)
    groups = np.split(order, begin[1:])
    everything = np.arange(len(tables.center))
    variance = tables.scale**2
    rows = []
    with np.errstate(divide="ignore", invalid="ignore"):
        width = np.sqrt(values[:, None] ** 2 * variance / (variance + values[:, None] ** 2))
    step = _power_below(_RESOLVED * width)
    ends = [(mu[pairs].min(), mu[pairs].max()) for pairs in groups]
    low, high = _reach(tables, np.array(ends), values)
    line = unbound(np.stack([low, high]), tables.lines.plain.domain)
    studies, own_nodes = len(everything), tables.log_g.shape[1]
    for i, pairs in enumerate(groups):
        t = float(values[i])
        if t == 0:
            continue
        narrowest = float(step[i].min())
        nodes = (line[1, i] - line[0, i]) / narrowest + 42 / _DELTA
        cheap = nodes * (4 + 0.2 * studies) < 1.7 * studies * own_nodes
        if (len(pairs) >= _PAIRS or check) and cheap and nodes < _MOST:
            rows.append(
                _Row(tau=t, pairs=pairs, studies=everything, step=narrowest,
                     low=low[i], high=high[i])
            )  # fmt: skip
            continue
        close = pairs[np.abs(mu[pairs] - tables.lines.at) < _REACH * t]
        narrow = rough[t < _NARROW * tables.scale[rough]]
        if len(close) and len(narrow):
            ends_of = mu[close].min() - _REACH * t, mu[close].max() + _REACH * t
            bounds = np.clip(ends_of, *_bounds(tables))
            rows.append(
                _Row(tau=t, pairs=close, studies=narrow, step=float(step[i, narrow].min()),
                     low=bounds[0], high=bounds[1])
            )  # fmt: skip
    return rows


def _group(rows: list[_Row]) -> list[list[_Row]]:
    """Rows of the same step and studies, whose nodes lie on one lattice."""
    groups: dict[tuple[float, bytes], list[_Row]] = {}
    for row in rows:
        groups.setdefault((row.step, row.studies.tobytes()), []).append(row)
    return list(groups.values())


def _power_below(x: FloatArray) -> FloatArray:
    with np.errstate(divide="ignore"):
        out: FloatArray = 2.0 ** np.floor(np.log2(x))
    return out


def _bounds(tables: Tables) -> tuple[float, float]:
    """How far theta may go at all."""
    low, high = tables.ends.T
    return (-np.inf, np.inf) if tables.lines.plain.domain is None else (low.min(), high.max())


def _reach(tables: Tables, ends: FloatArray, tau: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Range of theta beyond which all integrands of a tau are negligible, (value,) each.

    `ends` (value, 2): lowest and highest mu. Taken from the tables' nodes, and a node more.
    """
    theta, log_weight = tables.nodes(2)
    last = theta.shape[1] - 1
    low, high = np.empty(len(tau)), np.empty(len(tau))
    study = np.arange(len(theta))
    for i, t in enumerate(np.maximum(tau, 1e-150)):
        z = (theta - ends[i][:, None, None]) / t
        f = log_weight - 0.5 * z**2
        keep = f > f.max(axis=-1, keepdims=True) - _DROP
        first = keep[0].argmax(axis=-1)
        final = last - keep[1][:, ::-1].argmax(axis=-1)
        low[i] = theta[study, np.maximum(first - 1, 0)].min()
        high[i] = theta[study, np.minimum(final + 1, last)].max()
    return low, high
