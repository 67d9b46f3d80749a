"""Posteriors of a batch at their nodes of (tau, mu), and the exact cdfs between the nodes."""

from dataclasses import dataclass, fields

import numpy as np
from scipy.special import ndtr, sici

from bayesmeta.inference.batch_map import BatchMap
from bayesmeta.inference.peaks import RESOLVED, find_own_coarseness, find_peak
from bayesmeta.inference.quadrature import SupportMap
from bayesmeta.inference.tables import BoolArray, IndexArray, Tables
from bayesmeta.scales import FloatArray

_MATTERS = 1e-9  # posterior mass from which a node counts for the true effect of a study
_WIDE = 1.3  # SDs of a kernel in spacings of mu, from which it is summed over the nodes
_HERMITE = np.polynomial.hermite.hermgauss(16)
_HERMITE = (_HERMITE[0], _HERMITE[1] / np.sqrt(np.pi))
_REACH = 6.5  # widths of a narrow integrand kept on each side of its peak
_FINER = 1.8  # how much finer than for a sum nodes must be for the sinc integral between them
_LEGENDRE = np.polynomial.legendre.leggauss(32)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BatchNodes:
    """The posteriors at their nodes: `tau` (set, tau), `mu` and `mass` (set, tau, mu).

    `v_low`, `v_step`, `x_low`, `x_step` (set,) tell where the nodes lie on their lines. Where
    effects are bounded, `inside` (set, tau, mu) is the probability of N(mu, tau^2) between the
    bounds and `low` the lower one; else 1 and -inf.
    """

    tau: FloatArray
    mu: FloatArray
    mass: FloatArray
    log_l_first: FloatArray
    log_evidence: FloatArray
    v_low: FloatArray
    v_step: FloatArray
    x_low: FloatArray
    x_step: FloatArray
    of_mu: BatchMap
    leak: FloatArray
    inside: FloatArray
    low: float

    def take(self, index: BoolArray) -> "BatchNodes":
        """Give those of the data sets at `index`."""
        arrays = [f.name for f in fields(self) if f.name not in ("of_mu", "low")]
        values = {name: getattr(self, name)[index] for name in arrays}
        return BatchNodes(of_mu=self.of_mu.take(index), low=self.low, **values)

    @property
    def cut(self) -> FloatArray:
        """Mass (set,) that bounds would cut from kernels that are taken as too narrow for it."""
        lost = (self.mass * (1 / self.inside - 1)).sum(axis=2)
        out: FloatArray = (lost * ~_wide(self)).sum(axis=1)
        return out


def find_moments(nodes: BatchNodes) -> dict[str, FloatArray]:
    """Give means and SDs of mu and tau, and the log evidence, (set,) each."""
    mass, of_tau = nodes.mass, nodes.mass.sum(axis=2)
    mean, mean_tau = (mass * nodes.mu).sum(axis=(1, 2)), (of_tau * nodes.tau).sum(axis=1)
    away = nodes.mu - mean[:, None, None]
    return {
        "mu_mean": mean,
        "mu_sd": np.sqrt((mass * away**2).sum(axis=(1, 2))),
        "tau_mean": mean_tau,
        "tau_sd": np.sqrt((of_tau * (nodes.tau - mean_tau[:, None]) ** 2).sum(axis=1)),
        "log_marginal_likelihood": nodes.log_evidence,
    }


def _below(steps: FloatArray, nodes: int) -> FloatArray:
    """Share of each node's mass that lies below a position in steps (...), giving (..., node)."""
    out: FloatArray = 0.5 + sici(np.pi * (steps[..., None] - np.arange(nodes)))[0] / np.pi
    return out


def find_cdfs(
    nodes: BatchNodes,
    of_tau: SupportMap,
    tables: Tables,
    first: IndexArray,
    at: FloatArray,
) -> FloatArray:
    """P(X <= point) of mu, tau, theta_new and the first study's true effect, (set, 4)."""
    out = np.empty((len(at), 4))
    data_set, row = (a.reshape(-1) for a in np.indices(nodes.tau.shape))
    below = _rows_below(nodes, data_set, row, at[data_set, 0])
    out[:, 0] = below.reshape(nodes.tau.shape).sum(axis=1)
    steps = (of_tau.line(at[:, 1]) - nodes.v_low) / nodes.v_step
    steps = np.clip(steps, -1e6, 1e6)
    out[:, 1] = (_below(steps, nodes.tau.shape[1]) * nodes.mass.sum(axis=2)).sum(axis=1)
    out[:, 2] = _new_below(nodes, at[:, 2])
    out[:, 3] = _first_below(nodes, tables, first, at[:, 3])
    return np.clip(out, 0.0, 1.0)


def _rows_below(
    nodes: BatchNodes,
    data_set: IndexArray,
    row: IndexArray,
    x: FloatArray,
    factor: FloatArray | float = 1.0,
) -> FloatArray:
    """P(mu <= x and tau is this node) at some rows (row,), their masses times a factor."""
    line = nodes.of_mu.take((data_set, row)).line(x[:, None])[:, 0]
    steps = (line - nodes.x_low[data_set]) / nodes.x_step[data_set]
    share = _below(np.clip(steps, -1e6, 1e6), nodes.mass.shape[2])
    out: FloatArray = (share * nodes.mass[data_set, row] * factor).sum(axis=1)
    return out


def _new_below(nodes: BatchNodes, x: FloatArray) -> FloatArray:
    """P(theta_new <= x): kernels about the nodes; where tau is narrow against them, mu moved."""
    wide = _wide(nodes)
    below = ndtr((x[:, None, None] - nodes.mu) / nodes.tau[..., None])
    if np.isfinite(nodes.low):
        below -= ndtr((nodes.low - nodes.mu) / nodes.tau[..., None])
        below /= nodes.inside
    total = ((nodes.mass * below).sum(axis=2) * wide).sum(axis=1)
    data_set, row = np.nonzero(~wide)
    tau = nodes.tau[data_set, row]
    for shift, weight in zip(*_HERMITE, strict=True):
        share = _rows_below(nodes, data_set, row, x[data_set] - np.sqrt(2) * shift * tau)
        total += np.bincount(data_set, weights=weight * share, minlength=len(x))
    return total


def _wide(nodes: BatchNodes) -> BoolArray:
    """Nodes of tau that are wide against the spacing of mu, (set, tau)."""
    gap = np.diff(nodes.mu, axis=2, append=nodes.mu[..., -1:])
    counts = nodes.mass > 1e-8 * nodes.mass.max(axis=2, keepdims=True)
    out: BoolArray = nodes.tau > _WIDE * (counts * gap).max(axis=2)
    return out


def _first_below(nodes: BatchNodes, tables: Tables, first: IndexArray, x: FloatArray) -> FloatArray:
    """P(theta_1 <= x), theta_1 the true effect of study `first` (set,).

    Given (mu, tau) its density is g N / L. Where tau is narrow against the spacing of mu, theta_1
    is mu + tau z, and g / L is a factor of the mass of mu.
    """
    wide = _wide(nodes)
    total = np.zeros(len(x))
    data_set, row = np.nonzero(~wide & (nodes.mass.sum(axis=2) > _MATTERS))
    mu, tau, study = nodes.mu[data_set, row], nodes.tau[data_set, row], first[data_set, None]
    over_l = -nodes.log_l_first[data_set, row]
    for shift, weight in zip(*_HERMITE, strict=True):
        away = np.sqrt(2) * shift * tau
        theta = mu + away[:, None]
        log_factor = np.where(
            _possible(tables, theta), tables.value(theta, study) + over_l, -np.inf
        )
        factor = np.exp(np.minimum(log_factor, 300.0))  # more only where there is no mass
        below = _rows_below(nodes, data_set, row, x[data_set] - away, factor)
        total += np.bincount(data_set, weights=weight * below, minlength=len(x))
    data_set, row, column = np.nonzero((nodes.mass > _MATTERS) & wide[..., None])
    at = data_set, row, column
    mu, tau, study = nodes.mu[at], nodes.tau[at[:2]], first[data_set]
    below = np.empty(len(mu))
    narrow = _FINER * find_own_coarseness(tables, mu, tau, study) > RESOLVED
    for which, integrate in ((narrow, _below_by_peak), (~narrow, _below_by_nodes)):
        i = np.flatnonzero(which)
        if len(i):
            below[i] = integrate(
                tables, mu[i], tau[i], study[i], x[data_set[i]], nodes.log_l_first[at][i]
            )
    total += np.bincount(data_set, weights=nodes.mass[at] * below, minlength=len(x))
    out: FloatArray = total
    return out


def _possible(tables: Tables, theta: FloatArray) -> BoolArray:
    """Whether effects lie between the bounds of the measure."""
    low, high = tables.lines.plain.domain or (-np.inf, np.inf)
    out: BoolArray = (theta > low) & (theta < high)
    return out


def _below_by_nodes(
    tables: Tables,
    mu: FloatArray,
    tau: FloatArray,
    study: IndexArray,
    x: FloatArray,
    log_l: FloatArray,
) -> FloatArray:
    """P(theta <= x | mu, tau) from the nodes of the table, by the sinc integral; all (pair,)."""
    theta, log_weight = tables.nodes(1)
    known, which = np.unique(study, return_index=True)
    steps = np.clip(tables.steps(x[which], known), -1e6, 1e6)
    share = np.zeros((len(theta), theta.shape[1]))
    share[known] = _below(steps, theta.shape[1])
    out = np.empty(len(mu))
    for begin in range(0, len(mu), 4096):  # a chunk of pairs, to bound the memory
        part = slice(begin, begin + 4096)
        i, t = study[part], tau[part, None]
        z = (theta[i] - mu[part, None]) / t
        log_f = log_weight[i] - 0.5 * z**2 - (log_l[part, None] + np.log(t * np.sqrt(2 * np.pi)))
        out[part] = (np.exp(log_f) * share[i]).sum(axis=1)
    return out


def _below_by_peak(
    tables: Tables,
    mu: FloatArray,
    tau: FloatArray,
    study: IndexArray,
    x: FloatArray,
    log_l: FloatArray,
) -> FloatArray:
    """P(theta <= x | mu, tau) by Gauss and Legendre from far below the peak to x; all (pair,)."""
    peak, width = find_peak(tables, mu, tau, study)
    reach = (x - peak) / width
    out: FloatArray = np.where(reach > 0, 1.0, 0.0)
    i = np.flatnonzero(np.abs(reach) < _REACH)
    low, high = peak[i] - _REACH * width[i], x[i]
    if tables.lines.plain.domain is not None:
        low = np.maximum(low, tables.lines.plain.domain[0])
    half = (high - low)[:, None] / 2
    theta = low[:, None] + half * (1 + _LEGENDRE[0])
    log_f = tables.value(theta, study[i, None]) - 0.5 * ((theta - mu[i, None]) / tau[i, None]) ** 2
    log_f -= (log_l[i] + np.log(tau[i] * np.sqrt(2 * np.pi)))[:, None]
    out[i] = (np.exp(log_f) * half) @ _LEGENDRE[1]
    return out
