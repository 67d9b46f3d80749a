"""log L_i(mu, tau) for t random effects and for the outlier mixture.

Both are mixtures of normal forms, so that L_i is a sum of the normal L_i(mu, s) over SDs s:

- t: s = tau / sqrt(lambda), lambda ~ Gamma(df/2, df/2), on even nodes of a double exponential map
  of log lambda;
- outliers: s = tau and s = sqrt(tau^2 + omega^2), with weights 1 - w and w. The product over the
  studies is a polynomial in w, which Gauss-Jacobi nodes of its Beta prior integrate exactly.

The normal likelihood has L_i(mu, s) in closed form; others have it from `StudyIntegral`.
"""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from scipy.special import expit, gammaln, logsumexp, roots_jacobi

from bayesmeta.errors import NotExactError
from bayesmeta.inference.integrate import StudyIntegral, Sums
from bayesmeta.inference.quadrature import find_range
from bayesmeta.inference.tables import DEEP, BoolArray, IndexArray
from bayesmeta.likelihoods import NormalData
from bayesmeta.model import BoundModel
from bayesmeta.random_effects import (
    OUTLIER_PRIOR,
    NormalRandomEffects,
    OutlierRandomEffects,
    StudentRandomEffects,
    TruncatedRandomEffects,
)
from bayesmeta.scales import FloatArray

_DROP = 30.0  # log units below its maximum at which the density of lambda is cut: e^-30 = 1e-13
_CELLS = 1 << 21  # numbers (pair, study, part) held at once: 16 MB


def count_nodes(df: float) -> int:
    """Nodes of log lambda, an odd number; the error is measured with twice as many."""
    return 65 if df >= 3 else 129


@lru_cache(maxsize=32)
def log_t_rule(df: float, nodes: int) -> tuple[FloatArray, FloatArray]:
    """Nodes of log lambda and log weights, for lambda ~ Gamma(df/2, df/2).

    Examples
    --------
    >>> x, log_weight = log_t_rule(4.0, 65)
    >>> round(float(np.exp(log_weight) @ np.exp(x)), 12)      # E lambda
    1.0
    """

    def log_f(v: FloatArray) -> FloatArray:
        x = v - np.exp(-v)
        log_gamma = 0.5 * df * (x + np.log(0.5 * df) - np.exp(x)) - gammaln(0.5 * df)
        out: FloatArray = log_gamma + np.log1p(np.exp(-v))
        return out

    low, high = find_range(log_f, np.array(-4.3), np.array(5.0), drop=_DROP)
    v = np.linspace(float(low), float(high), 1000)
    v = v[log_f(v) > log_f(v).max() - _DROP]
    v = np.linspace(v[0], v[-1], nodes)
    log_weight = log_f(v)
    return v - np.exp(-v), log_weight - logsumexp(log_weight)


@lru_cache(maxsize=32)
def share_rule(form: OutlierRandomEffects, studies: int) -> tuple[FloatArray, FloatArray]:
    """Nodes and weights of w, exact for polynomials of degree studies + 1; one node if known."""
    if form.share is not None:
        return np.array([form.share]), np.ones(1)
    a, b = OUTLIER_PRIOR
    x, weight = roots_jacobi(studies // 2 + 2, b - 1, a - 1)
    return (1 + x) / 2, weight / weight.sum()


def build_integral(bound: BoundModel, mu: FloatArray, tau: FloatArray) -> "StudyIntegral | Mixed":
    """Give the integrals of the studies' likelihoods for the region of the pairs mu, tau (pair,).

    Raises
    ------
    NotExactError
        The form of the random effects is not offered by the grid engine.
    """
    form = bound.model.random_effects
    if isinstance(form, NormalRandomEffects | TruncatedRandomEffects):
        return StudyIntegral.build(bound, mu, tau, counted=DEEP)
    if not isinstance(form, StudentRandomEffects | OutlierRandomEffects):
        raise NotExactError(
            f"The grid engine does not offer {form} effects. They are exact under the normal "
            "likelihood"
        )
    return Mixed(bound=bound, form=form, integral=_build_parts(bound, form, mu, tau))


def _build_parts(
    bound: BoundModel,
    form: StudentRandomEffects | OutlierRandomEffects,
    mu: FloatArray,
    tau: FloatArray,
    *,
    halved: int = 0,
) -> StudyIntegral:
    """Tables for the narrowest and the widest parts; the others need no longer ones."""
    ends = _part_sds(form, tau)[:, [0, -1]]
    pairs = np.broadcast_to(mu[:, None], ends.shape).reshape(-1)
    return StudyIntegral.build(bound, pairs, ends.reshape(-1), halved=halved)


def _part_sds(
    form: StudentRandomEffects | OutlierRandomEffects, tau: FloatArray, *, check: bool = False
) -> FloatArray:
    """SDs of the normal parts, (..., part), the widest last."""
    if isinstance(form, OutlierRandomEffects):
        return np.stack([tau, np.hypot(tau, form.omega)], axis=-1)
    x, _ = log_t_rule(form.df, _nodes_of(form, check=check))
    return tau[..., None] * np.exp(-0.5 * x[::-1])


def _nodes_of(form: StudentRandomEffects, *, check: bool) -> int:
    nodes = count_nodes(form.df)
    return 2 * nodes - 1 if check else nodes


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Mixed:
    """log L_i of t random effects or of the outlier mixture; `integral` is of their parts."""

    bound: BoundModel
    form: StudentRandomEffects | OutlierRandomEffects
    integral: StudyIntegral

    def sum(self, mu: FloatArray, tau: FloatArray, *, check: bool = False) -> Sums:
        """Log L_i at pairs mu, tau (pair,); with `check`, by finer rules throughout.

        With outliers whose share w is unknown the studies share w, and L_i is that of study i
        given all others: p(y_i | mu, tau, the other studies).
        """
        log_l = np.empty((len(mu), len(self.bound.studies)))
        leak, total = np.empty((*log_l.shape, 2)), np.empty(len(mu))
        for part in self._chunks(len(mu)):
            parts, part_leak = self._parts(mu[part], tau[part], check=check)
            log_l[part], total[part], share = self._mix(parts, check=check)
            leak[part] = np.einsum("psk,psek->pse", share, part_leak)
        return Sums(log_likelihood=log_l, leak=leak, total=total)

    def extend(self, short: BoolArray) -> "Mixed":
        """Give longer tables for studies and sides (study, 2)."""
        return replace(self, integral=self.integral.extend(short))

    def refine(self, mu: FloatArray, tau: FloatArray) -> "Mixed":
        """Give the sums over nodes half as far apart, for the pairs mu, tau (pair,)."""
        halved = self.integral.tables.halved + 1
        return replace(self, integral=_build_parts(self.bound, self.form, mu, tau, halved=halved))

    def error(
        self, mu: FloatArray, tau: FloatArray, weight: FloatArray, total: FloatArray
    ) -> float:
        """Largest error of `total` (pair,), the log-likelihood of all studies, measured."""
        moved = np.abs(self.sum(mu, tau, check=True).total - total)
        of_tables = 0.0 if self._closed else self.integral.tables.error * len(self.bound.studies)
        return float((moved * weight).max()) + of_tables

    def log_likelihood(self, mu: FloatArray, tau: FloatArray) -> FloatArray:
        """Log L_i at pairs mu, tau (...) -> (..., study)."""
        shape = np.broadcast_shapes(np.shape(mu), np.shape(tau))
        flat = [np.broadcast_to(a, shape).reshape(-1) for a in (mu, tau)]
        return self._reaching(*flat).sum(*flat).log_likelihood.reshape(*shape, -1)

    def log_total(self, mu: FloatArray, tau: FloatArray) -> FloatArray:
        """Log-likelihood of all studies at pairs (pair,)."""
        return self._reaching(mu, tau).sum(mu, tau).total

    def weigh_parts(self, mu: FloatArray, tau: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Posterior weights of the parts given pairs mu, tau (pair,), and log L_i of each part.

        Both (pair, study, part), the widest part last.
        """
        found = [self._parts(mu[part], tau[part])[0] for part in self._chunks(len(mu))]
        shares = [self._mix(parts)[2] for parts in found]
        return np.concatenate(shares), np.concatenate(found)

    def log_over_parts(self, mu: FloatArray, tau: FloatArray) -> FloatArray:
        """Log of each label's posterior weight over its part of L_i, (pair, study, label).

        Of outlier mixtures: E((1 - w) / L_i(w)) and E(w / L_i(w)) over w given all the data.
        """
        assert isinstance(self.form, OutlierRandomEffects)
        w, _ = share_rule(self.form, len(self.bound.studies))
        out = []
        for part in self._chunks(len(mu)):
            log_f, at_nodes = self._at_shares(self._parts(mu[part], tau[part])[0])
            weight = at_nodes - logsumexp(at_nodes, axis=1, keepdims=True)
            with np.errstate(divide="ignore"):
                logs = (weight[:, None] - log_f + label for label in (np.log1p(-w), np.log(w)))
                out.append(np.stack([logsumexp(label, axis=-1) for label in logs], axis=-1))
        return np.concatenate(out)

    def part_sds(self, tau: FloatArray) -> FloatArray:
        """SDs of the normal parts, (..., part)."""
        return _part_sds(self.form, tau)

    def mean_share(self, mu: FloatArray, tau: FloatArray) -> FloatArray:
        """E(w | mu, tau, data) at pairs (pair,)."""
        assert isinstance(self.form, OutlierRandomEffects)
        w, _ = share_rule(self.form, len(self.bound.studies))
        return np.exp(self.log_share_nodes(mu, tau)) @ w

    def log_share_nodes(self, mu: FloatArray, tau: FloatArray) -> FloatArray:
        """Log posterior weights of the nodes of w given (mu, tau), (pair, node)."""
        out = []
        for part in self._chunks(len(mu)):
            at_nodes = self._at_shares(self._parts(mu[part], tau[part])[0])[1]
            out.append(at_nodes - logsumexp(at_nodes, axis=1, keepdims=True))
        return np.concatenate(out)

    def draw_parts(
        self, mu: FloatArray, tau: FloatArray, rng: np.random.Generator
    ) -> tuple[IndexArray, FloatArray | None]:
        """Draws of each study's part given pairs (draw, study), and of w (draw,) where it is one.

        The parts are independent given w; a node of w is drawn first.
        """
        if isinstance(self.form, StudentRandomEffects):
            weights, share = self.weigh_parts(mu, tau)[0], None
        else:
            nodes, _ = share_rule(self.form, len(self.bound.studies))
            log_weight = self.log_share_nodes(mu, tau)
            share = nodes[_draw_index(np.exp(log_weight), rng)]
            _, parts = self.weigh_parts(mu, tau)
            with np.errstate(divide="ignore", over="ignore"):
                odds = np.log(share / (1 - share))[:, None] + parts[..., 1] - parts[..., 0]
            weights = np.stack([expit(-odds), expit(odds)], axis=-1)
        return _draw_index(weights, rng), share

    @property
    def _closed(self) -> bool:
        return isinstance(self.bound.data, NormalData)

    def _chunks(self, pairs: int) -> list[slice]:
        studies = len(self.bound.studies)
        if isinstance(self.form, StudentRandomEffects):
            width = 2 * count_nodes(self.form.df)
        else:
            width = max(2, len(share_rule(self.form, studies)[0]))
        size = max(1, _CELLS // (width * studies))
        return [slice(begin, begin + size) for begin in range(0, max(pairs, 1), size)]

    def _reaching(self, mu: FloatArray, tau: FloatArray) -> "Mixed":
        """Give the same with tables that are long enough for the pairs."""
        if self._closed:
            return self
        halved = self.integral.tables.halved
        longer = _build_parts(self.bound, self.form, mu, tau, halved=halved)
        return replace(self, integral=longer)

    def _parts(
        self, mu: FloatArray, tau: FloatArray, *, check: bool = False
    ) -> tuple[FloatArray, FloatArray]:
        """Log of the normal L_i(mu, s) (pair, study, part), and leaks (pair, study, 2, part)."""
        sds = _part_sds(self.form, tau, check=check)
        shape = (*sds.shape, len(self.bound.studies))
        data = self.bound.data
        if isinstance(data, NormalData):
            variance = data.S + sds[..., None] ** 2  # (pair, part, study)
            z2 = (data.y - mu[:, None, None]) ** 2 / variance
            log_l = -0.5 * (z2 + np.log(2 * np.pi * variance))
            return np.moveaxis(log_l, 1, 2), np.zeros((shape[0], shape[2], 2, 1))
        pairs = np.broadcast_to(mu[:, None], sds.shape).reshape(-1)
        sums = self.integral.sum(pairs, sds.reshape(-1), check=check)
        log_l = sums.log_likelihood.reshape(shape)
        leak = sums.leak.reshape(*shape, 2)
        return np.moveaxis(log_l, 1, 2), np.moveaxis(leak, 1, 3)

    def _mix(
        self, parts: FloatArray, *, check: bool = False
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Log L_i (pair, study), their total (pair,), and the parts' posterior weights."""
        if isinstance(self.form, StudentRandomEffects):
            _, log_weight = log_t_rule(self.form.df, _nodes_of(self.form, check=check))
            joint = parts + log_weight[::-1]
            top = joint.max(axis=-1, keepdims=True)
            share = np.exp(joint - top)
            total = share.sum(axis=-1, keepdims=True)
            log_l = (top + np.log(total))[..., 0]
            return log_l, log_l.sum(axis=1), share / total
        log_f, at_nodes = self._at_shares(parts)
        total = logsumexp(at_nodes, axis=1)
        weight = np.exp(at_nodes - total[:, None])[:, None]  # (pair, 1, node) of w, given all
        log_l = -np.log((weight * np.exp(log_f.min(axis=-1, keepdims=True) - log_f)).sum(axis=-1))
        log_l = log_l + log_f.min(axis=-1)
        w, _ = share_rule(self.form, parts.shape[1])
        with np.errstate(divide="ignore"):
            far = np.log(w) + parts[..., 1, None] - log_f
        outlying = (weight * np.exp(far)).sum(axis=-1)
        return log_l, total, np.stack([1 - outlying, outlying], axis=-1)

    def _at_shares(self, parts: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Log L_i given w at its nodes (pair, study, node), and the log weights (pair, node)."""
        assert isinstance(self.form, OutlierRandomEffects)
        w, weight = share_rule(self.form, parts.shape[1])
        with np.errstate(divide="ignore"):
            log_f = np.logaddexp(
                np.log1p(-w) + parts[..., 0, None], np.log(w) + parts[..., 1, None]
            )
        return log_f, log_f.sum(axis=1) + np.log(weight)


def _draw_index(weights: FloatArray, rng: np.random.Generator) -> IndexArray:
    """Draws of an index of the last axis with probabilities `weights`."""
    below = np.cumsum(weights, axis=-1)
    u = rng.random(weights.shape[:-1]) * below[..., -1]
    return (below[..., :-1] <= u[..., None]).sum(axis=-1)
