"""A posterior by plain sums, as a second opinion on the grid engine: slow, and its own road.

It shares log g and the priors with the engine and nothing else: other tables of log g, adaptive
sums for the integrals over theta (`study_sums`), and Gauss-Legendre panels of mu and of tau
that are halved until the Legendre coefficients of the integrand have fallen. Two runs with other
nodes, panels, tables and another map of tau tell the error.
"""

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.polynomial.legendre import leggauss, legvander

from bayesmeta.likelihoods import NormalLikelihood
from bayesmeta.model import BoundModel
from bayesmeta.random_effects import TruncatedRandomEffects
from bayesmeta.scales import FloatArray
from benchmarks.mu_sums import MOST_PANELS, integrate_mu, peak_of_mu
from benchmarks.panels import Panels, to_series
from benchmarks.study_sums import Posterior
from benchmarks.study_tables import tabulate

_DEEP = 26.0  # log units below the peak at which tau is cut
_ALLOWED = 3e-12  # last Legendre coefficients, as a share of the whole
_TINY = 1e-14  # share of the whole that a panel of mu may have to be left out
_MOST = 400  # panels of tau


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """How one run goes about it.

    Attributes
    ----------
    nodes : int
        Of Gauss and Legendre, in a panel of mu or tau.
    reach : float
        Length of the first panels of mu, in widths of its peak.
    length : float
        Length of the first panels of tau, in SDs of its logarithm.
    logs : bool
        The line of tau is its logarithm; else tau = s sinh(v).
    inner : float
        Accepted difference of Gauss and Kronrod rules for the integrals over theta.
    table : (int, float)
        Chebyshev nodes in a table's panel, and where its first edge is, in standard errors.
    """

    nodes: int
    reach: float
    length: float
    logs: bool
    inner: float
    table: tuple[int, float]


RULES = (
    Rule(nodes=16, reach=4.2, length=2.2, logs=True, inner=1e-6, table=(16, 2.0)),
    Rule(nodes=20, reach=5.1, length=2.6, logs=False, inner=2e-7, table=(14, 1.5)),
)


def integrate(bound: BoundModel, rule: Rule, *, moments: bool) -> Panels:
    """Integrate over (mu, tau); `moments` makes the panels of tau cover what second moments need.

    Raises
    ------
    RuntimeError
        The panels of tau do not resolve its posterior.
    """
    with np.errstate(all="ignore"):
        posterior, tops = _prepare(bound, rule)
        low, high = bound.model.heterogeneity.support
        if low == high:
            center, _, foot = peak_of_mu(low, posterior)
            rows = _Rows(posterior, rule, center)
            rows.add(np.array([low]), np.array([-foot]), np.array([-foot]))
            return rows.collect(tops + foot, None)
        line = _Line(
            logs=rule.logs,
            unit=float(bound.data.se.min()),
            low=low,
            high=high,
        )
        edges, foot, center = _first_edges(bound, posterior, rule, line, moments=moments)
        rows = _Rows(posterior, rule, center)
        x, w = leggauss(rule.nodes)
        to_coefficients = _to_coefficients(rule.nodes)
        todo = list(pairwise(edges))
        done: list[tuple[float, float]] = []
        sums: list[FloatArray] = []
        for _ in range(40):
            for a, b in todo:
                v = 0.5 * (a + b) + 0.5 * (b - a) * x
                tau, log_slope = line.tau(v)
                log_weight = bound.model.heterogeneity.logpdf(tau) + log_slope - foot
                log_weight = np.nan_to_num(log_weight, nan=-np.inf, posinf=-np.inf)
                part = rows.add(tau, log_weight + np.log(0.5 * (b - a) * w), log_weight)
                sums.append(part)
                done.append((a, b))
            todo = []
            total = np.sum([s.sum(axis=1) for s in sums], axis=0)
            whole = np.array([total[0], np.sqrt(total[0] * total[2]), total[2]])
            left = []
            for j, s in enumerate(sums):
                last = np.abs((s / w) @ to_coefficients[-2:].T).max(axis=1)
                own = s.sum(axis=1)
                noise = np.array([own[0], np.sqrt(own[0] * own[2]), own[2]]) * posterior.noise
                if (last > _ALLOWED * whole + noise).any():
                    left.append(j)
            if not left:
                break
            if len(done) > _MOST:
                raise RuntimeError("the panels of tau do not settle")
            for j in reversed(left):
                a, b = done.pop(j)
                sums.pop(j)
                rows.drop(j)
                todo += [(a, 0.5 * (a + b)), (0.5 * (a + b), b)]
        return rows.collect(tops + foot, (line, np.array(done), rule.nodes))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """The line of tau: its logarithm, or v of tau = unit sinh(v)."""

    logs: bool
    unit: float
    low: float
    high: float

    def tau(self, v: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Tau on the line, and the log of its slope."""
        if self.logs:
            return self.low + np.exp(v), v
        return self.low + self.unit * np.sinh(v), np.log(self.unit * np.cosh(v))

    def line(self, tau: FloatArray) -> FloatArray:
        """Where tau is on the line."""
        away = np.maximum(tau - self.low, 0.0)
        out: FloatArray = np.log(away) if self.logs else np.arcsinh(away / self.unit)
        return out


def _prepare(bound: BoundModel, rule: Rule) -> tuple[Posterior, float]:
    normal = isinstance(bound.model.likelihood, NormalLikelihood)
    tables = tabulate(
        bound.take([0]) if normal else bound, nodes=rule.table[0], first=rule.table[1]
    )
    effect, form = bound.model.effect, bound.model.random_effects
    mean, precision = 0.0, 0.0
    middle = 0.0 if not effect.proper else float(effect.quantile(np.array([0.5]))[0])
    at = np.array([middle - 1e-3, middle, middle + 1e-3])
    if np.isinf(effect.support).all() and effect.proper:  # normal
        upper = float(effect.quantile(np.array([0.75]))[0])
        mean, precision = middle, (0.6744897501960817 / (upper - middle)) ** 2
    elif hasattr(effect, "prior"):  # normal, cut
        mean, precision = effect.prior.mean, effect.prior.sd**-2
        middle = min(max(mean, effect.support[0] + 1e-3), effect.support[1] - 1e-3)
        at = np.array([middle, middle, middle])
    level = float(effect.logpdf(at)[1]) + 0.5 * precision * (middle - mean) ** 2
    by_precision = np.argsort(bound.data.se, kind="stable")
    origin = float(bound.data.y[by_precision[0]])
    domain = (-math.inf, math.inf)
    if isinstance(form, TruncatedRandomEffects):
        domain = (form.low - origin, form.high - origin)
    k = len(bound.data.y)
    powers = hasattr(bound.model.likelihood, "tail_orders")
    posterior = Posterior(
        first=tables.first,
        edges=tables.edges,
        coefficients=tables.coefficients,
        flat=tables.flat,
        center=bound.data.y - origin,
        scale=np.asarray(bound.data.se, dtype=np.float64),
        prior=(float(mean) - origin, float(precision), level),
        domain=domain,
        inner=rule.inner,
        candidates=by_precision if powers or k <= 5 else by_precision[:3],
        noise=2e-11 + 4 * float(tables.noise.sum()) * (not normal),
        normal=normal,
        powers=powers,
        rough=len(getattr(bound.data, "breaks", ())) > 0,
        zero=-origin,
    )
    return posterior, 0.0 if normal else float(tables.top.sum())


def _first_edges(
    bound: BoundModel, posterior: Posterior, rule: Rule, line: _Line, *, moments: bool
) -> tuple[FloatArray, float, float]:
    """Edges of panels on the line of tau, and the highest density there and its mu."""
    y, se = bound.data.y, bound.data.se
    smallest = math.log(min(float(se.min()), 0.01))
    largest = math.log(float(np.ptp(y)) + float(se.max()) + 1)
    if math.isfinite(line.high):
        largest = min(largest, math.log(line.high - line.low))
    u = np.concatenate(
        [
            smallest - np.arange(6, 42, 4.0)[::-1],
            np.arange(smallest - 4, largest + 4, 0.7),
            largest + np.arange(4, 44, 4.0),
        ]
    )
    if math.isfinite(line.high):
        end = math.log(line.high - line.low)
        u = np.append(u[u < end - 0.3], end)
    tau = line.low + np.exp(u)
    log_p = bound.model.heterogeneity.logpdf(tau * (1 - 1e-12)) + u
    height, peaks = np.full(len(u), -np.inf), np.zeros(len(u))
    for j in np.flatnonzero(np.isfinite(log_p)):
        peaks[j], width, top = peak_of_mu(float(tau[j]), posterior)
        height[j] = log_p[j] + top + math.log(width)
    counts = height > height.max() - _DEEP
    if moments:
        tilted = height + 2 * u
        counts |= tilted > tilted.max() - _DEEP
    where = np.flatnonzero(counts)
    first, last = max(where[0] - 1, 0), min(where[-1] + 1, len(u) - 1)
    steep = height[first : last + 1] > height.max() - 8
    weight = np.exp(height - height.max()) * np.gradient(u)
    weight /= weight.sum()
    spread = math.sqrt(float(weight @ (u - weight @ u) ** 2))
    length = min(max(rule.length * spread, 0.4), 4.0)
    ends = [float(u[first])]
    while ends[-1] < u[last]:
        near = steep[np.abs(u[first : last + 1] - ends[-1]).argmin()]
        ends.append(ends[-1] + length * (1.0 if near else 2.0))
    ends[-1] = float(u[last])
    edges = line.line(line.low + np.exp(np.array(ends)))
    if not line.logs:
        edges[0] = 0.0
    return np.unique(edges), float(height.max()), float(peaks[height.argmax()])


class _Rows:
    """Panels of mu for every tau, by panel of tau."""

    def __init__(self, posterior: Posterior, rule: Rule, center: float) -> None:
        self.posterior, self.rule, self.center = posterior, rule, center
        self.x, self.w = leggauss(rule.nodes)
        self.legendre = _to_coefficients(rule.nodes)
        self.parts: list[list[tuple[float, FloatArray, FloatArray, FloatArray]]] = []
        self._begins, self._ends = np.empty(MOST_PANELS), np.empty(MOST_PANELS)
        self._logs = np.empty((MOST_PANELS, rule.nodes))

    def add(self, tau: FloatArray, log_weight: FloatArray, fall: FloatArray) -> FloatArray:
        """Integrate over mu for each tau; give masses and their first two moments, (3, tau)."""
        part, out = [], np.zeros((3, len(tau)))
        for r, t in enumerate(tau):
            if not np.isfinite(log_weight[r]):
                continue
            _, width, top = peak_of_mu(float(t), self.posterior)
            below = -(top + math.log(width) + float(fall[r]))
            count = integrate_mu(
                float(t), self.posterior, self.x, self.legendre, self.rule.reach,
                min(_ALLOWED / 2 * math.exp(min(max(below, 0.0), 12.0)), 1e-3),
                self._begins, self._ends, self._logs,
            )  # fmt: skip
            a, b = self._begins[:count].copy(), self._ends[:count].copy()
            mass = np.exp(self._logs[:count] + log_weight[r]) * (0.5 * (b - a))[:, None] * self.w
            mu = 0.5 * (a + b)[:, None] + 0.5 * (b - a)[:, None] * self.x
            away = mu - self.center
            out[:, r] = [(mass * away**m).sum() for m in range(3)]
            part.append((float(t), a, b, mass))
        self.parts.append(part)
        return out

    def drop(self, j: int) -> None:
        """Forget the panel of tau number `j`."""
        self.parts.pop(j)

    def collect(self, left_out: float, tau: tuple[_Line, FloatArray, int] | None) -> Panels:
        """Put all panels side by side."""
        rows = [row for part in self.parts for row in part]
        total = float(sum(m.sum() for *_, m in rows))
        second = sum(float((m.sum(axis=1) * ((a + b) / 2 - self.center) ** 2).sum())
                     for _, a, b, m in rows)  # fmt: skip
        kept = []
        for t, a, b, m in rows:
            own = m.sum(axis=1)
            away = ((a + b) / 2 - self.center) ** 2
            i = (own > _TINY * total) | (own * away > _TINY * second)
            kept.append((t, a[i], b[i], m[i]))
        counts = [len(a) for _, a, _, _ in kept]
        of_row = np.array([m.sum() for *_, m in rows]) / total
        of_panel = None
        if tau is not None:
            line, ends, nodes = tau
            full = [np.zeros(nodes) for _ in self.parts]
            x, _ = leggauss(nodes)
            for where, part, (a, b) in zip(full, self.parts, ends, strict=True):
                at = line.tau(0.5 * (a + b) + 0.5 * (b - a) * x)[0]
                for t, _, _, m in part:
                    where[np.abs(at - t).argmin()] = m.sum() / total
            of_panel = (line, ends, np.stack(full), to_series(np.stack(full)))
        mass = np.concatenate([m for *_, m in kept]) / total
        return Panels(
            tau=np.repeat([t for t, *_ in kept], counts),
            begin=np.concatenate([a for _, a, _, _ in kept]),
            end=np.concatenate([b for _, _, b, _ in kept]),
            mass=mass,
            coefficients=to_series(mass),
            of_tau=of_row,
            at_tau=np.array([t for t, *_ in rows]),
            tau_panels=of_panel,
            log_evidence=math.log(total) + left_out,
            origin=-self.posterior.zero,
            domain=self.posterior.domain,
        )


def _to_coefficients(nodes: int) -> FloatArray:
    """Matrix from values at Gauss-Legendre nodes to Legendre coefficients, (degree, node)."""
    x, w = leggauss(nodes)
    out: FloatArray = legvander(x, nodes - 1).T * w * (2 * np.arange(nodes) + 1)[:, None] / 2
    return out
