"""The likelihood of a published row on nodes: given tau and its nuisances, mu is normal.

A row prints an estimate m, its standard error s and Q, each between the bounds of its rounding.
With v_i = c/n_i the estimate is N(mu, a c + b tau^2), Q is gamma (chi-squared for equal sizes), and
s^2 = c/h(Q), where h = sum(n) for a fixed row and for Q up to k - 1, and above it falls with Q as
the paper's tau2 grows (`StudyWeights`). Under the weight dc/c the likelihood is

    the integral over Q of  p(Q | c, tau) N(m | mu, a c + b tau^2),   c = s^2 h(Q),

the probability of the interval where h is constant, and a sum over nodes of log Q above k - 1; m
and s are averaged over their bounds. For equal sizes a random row with Q > k - 1 thus has
(k - 1) s^2 k/(c + tau^2) chi-squared, with c = (k - 1) k s^2/Q and Q log-uniform.
"""

import math
from dataclasses import dataclass

import numpy as np

from bayesmeta.priors import Fixed, Flat, Normal
from bayesmeta.published.evidence import RowEvidence
from bayesmeta.published.heterogeneity import Interval
from bayesmeta.scales import FloatArray

type EffectPrior = Normal | Flat | Fixed

_EXACT = 1e-12  # relative half width of an interval that is taken as a number
_DIGITS = 18.0  # -log of the relative error at which the first rule over an interval aims


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RowNodes:
    """Nodes of the nuisances, all but tau.

    Attributes
    ----------
    m, log_m : (estimate,)
        Estimates relative to `offset`, and their log weights.
    c, a, b, log_weight : (part,)
        Common variance, shares of the variance of the estimate, and log weights.
    q : (part,)
        Q of a node above k - 1; nan where `below` gives the probability of an interval instead.
    below : (low, high) or None
        Interval of Q over which h is constant; None where Q says nothing.
    """

    evidence: RowEvidence
    offset: float
    m: FloatArray
    log_m: FloatArray
    c: FloatArray
    a: FloatArray
    b: FloatArray
    q: FloatArray
    log_weight: FloatArray
    below: Interval | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Given:
    """What is known given tau and the nuisances; every field (tau, part, estimate).

    `log_mass` is the log of the likelihood, mu integrated out, with the weights of the nodes;
    `mean` and `variance` are those of mu (relative to the offset); `theta_mean` and
    `theta_variance` those of the mean of the k studies' true effects.
    """

    log_mass: FloatArray
    mean: FloatArray
    variance: FloatArray
    theta_mean: FloatArray
    theta_variance: FloatArray


def place_row(evidence: RowEvidence, rung: int) -> RowNodes:
    """Place nodes, more of them on each rung."""
    middle = 0.5 * (evidence.estimate[0] + evidence.estimate[1])
    se = 0.5 * (evidence.se[0] + evidence.se[1])
    low, high = (end - middle for end in evidence.estimate)
    m, log_m = _average(low, high, se, rung)
    s, log_s = _average(*evidence.se, se, rung)
    weights, below = evidence.weights, evidence.q
    first = weights.k - 1.0
    parts = []
    if not evidence.random or evidence.q is None or evidence.q[0] < first:
        parts.append((np.array([np.nan]), np.zeros(1), np.array([0.0])))
        if evidence.random and evidence.q is not None:
            below = evidence.q[0], min(evidence.q[1], first)
    if evidence.random and evidence.q is not None and evidence.q[1] > first:
        start, end = math.log(max(evidence.q[0], first)), math.log(evidence.q[1])
        log_q, log_weight = _average(start, end, math.sqrt(2 / first), rung)
        log_weight = log_weight + math.log(end - start) + log_q
        parts.append((np.exp(log_q), log_weight, np.exp(log_q)))
    q, log_weight, at = (np.concatenate(column) for column in zip(*parts, strict=True))
    a, b = weights.shares(at)
    c = s[:, None] ** 2 * weights.precision(at)
    shape = c.shape
    return RowNodes(
        evidence=evidence,
        offset=middle,
        m=m,
        log_m=log_m,
        c=c.reshape(-1),
        a=np.broadcast_to(a, shape).reshape(-1),
        b=np.broadcast_to(b, shape).reshape(-1),
        q=np.broadcast_to(q, shape).reshape(-1),
        log_weight=(log_s[:, None] + log_weight).reshape(-1),
        below=below,
    )


def _average(low: float, high: float, unit: float, rung: int) -> tuple[FloatArray, FloatArray]:
    """Nodes and log weights of a uniform distribution over which things change in `unit`s."""
    half, middle = 0.5 * (high - low), 0.5 * (low + high)
    if half <= _EXACT * unit:
        return np.array([middle]), np.zeros(1)
    share = half / unit
    first = _DIGITS / (2 * max(-math.log(share), 1.0)) * max(share, 1.0)
    x, weight = np.polynomial.legendre.leggauss(math.ceil(first * (1 + 0.5 * rung)) + rung)
    return middle + half * x, np.log(0.5 * weight)


def condition_on_tau(nodes: RowNodes, tau: FloatArray, effect: EffectPrior) -> Given:
    """Posterior of mu and likelihood of tau (tau,) at every node of the nuisances.

    A flat effect prior has the density 1.
    """
    a_c = (nodes.a * nodes.c)[:, None]
    between = (tau[:, None] ** 2 * nodes.b)[..., None]
    V = a_c + between
    d = nodes.m
    log_mass = (nodes.log_weight + _log_q(nodes, tau))[..., None] + nodes.log_m
    if isinstance(effect, Flat):
        mean, variance = d + 0 * V, V
    else:
        center, sd = (effect.value, 0.0) if isinstance(effect, Fixed) else (effect.mean, effect.sd)
        prior_mean, prior_variance = center - nodes.offset, sd**2
        spread = V + prior_variance
        mean, variance = (d * prior_variance + prior_mean * V) / spread, V * prior_variance / spread
        away = d - prior_mean
        log_mass = log_mass - 0.5 * (np.log(2 * np.pi * spread) + away**2 / spread)
    own = a_c / V
    shape = log_mass.shape
    return Given(
        log_mass=log_mass,
        mean=np.broadcast_to(mean, shape),
        variance=np.broadcast_to(variance, shape),
        theta_mean=d + own * (mean - d),
        theta_variance=np.broadcast_to(own * between + own**2 * variance, shape),
    )


def _log_q(nodes: RowNodes, tau: FloatArray) -> FloatArray:
    """Log density of Q at its nodes, or log probability of its interval, (tau, part)."""
    out = np.zeros((len(tau), len(nodes.c)))
    if nodes.below is None or nodes.evidence.weights.k == 1:
        return out
    weights, t = nodes.evidence.weights, tau[:, None]
    whole = np.isnan(nodes.q)
    if whole.any():
        out[:, whole] = weights.log_probability(*nodes.below, nodes.c[whole], t)
    if not whole.all():
        out[:, ~whole] = weights.log_density(nodes.q[~whole], nodes.c[~whole], t)
    return out


def log_row(nodes: RowNodes, mu: FloatArray, tau: FloatArray) -> FloatArray:
    """Log likelihood of the row at pairs mu, tau (pair,)."""
    V = nodes.a * nodes.c + tau[:, None] ** 2 * nodes.b
    away = nodes.m - (mu - nodes.offset)[:, None]
    log_f = (nodes.log_weight + _log_q(nodes, tau))[..., None] + nodes.log_m
    log_f = log_f - 0.5 * (np.log(2 * np.pi * V)[..., None] + away[:, None, :] ** 2 / V[..., None])
    out: FloatArray = np.logaddexp.reduce(log_f.reshape(len(tau), -1), axis=-1)
    return out
