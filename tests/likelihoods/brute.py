"""Posteriors the long way round: one plain rectangle of (mu, tau), sums over even theta."""

import numpy as np

import bayesmeta as bm

TAU = bm.Truncated(bm.HalfNormal(0.8), 0.15, 2.2)  # wide enough for plain sums


def rectangle(log_g, theta, effect, tau=TAU, mu=(-9.0, 9.0), points=301, weight=None):
    """Evidence and moments of (mu, tau), from log g (study, node) at even theta (node,).

    `weight` (node,) of theta that is bounded: N(mu, tau^2) is cut to its range and normalised, and
    mu has that range too. tau must resolve the nodes.
    """
    low, high = tau.support
    z, w = np.polynomial.legendre.leggauss(48)
    t = (low + high) / 2 + (high - low) / 2 * z
    if weight is None:
        m = np.linspace(*mu, points)
        step = np.full(points, m[1] - m[0])
    else:
        m, step = between(*mu, points)
    top = log_g.max(axis=1)
    kernel = np.exp(-0.5 * ((theta - m[:, None, None]) / t[:, None]) ** 2)
    if weight is None:
        kernel = kernel / (t[:, None] * np.sqrt(2 * np.pi)) * (theta[1] - theta[0])
    else:
        kernel = kernel * weight
        kernel = kernel / kernel.sum(axis=-1, keepdims=True)
    L = np.einsum("mtj,ij->imt", kernel, np.exp(log_g - top[:, None]))
    log = np.log(L).sum(axis=0) + effect.logpdf(m)[:, None] + tau.logpdf(t)
    peak = log.max()
    density = np.exp(log - peak) * (w * (high - low) / 2) * step[:, None]
    total = density.sum()
    of_mu, of_tau = density.sum(axis=1) / total, density.sum(axis=0) / total
    mean, mean_tau = of_mu @ m, of_tau @ t
    return {
        "evidence": np.log(total) + peak + top.sum(),
        "mu": mean,
        "sd": np.sqrt(of_mu @ (m - mean) ** 2),
        "tau": mean_tau,
    }


def between(low, high, points):
    """Gauss-Legendre nodes and weights."""
    x, w = np.polynomial.legendre.leggauss(points)
    return (low + high) / 2 + (high - low) / 2 * x, w * (high - low) / 2


def reported(post):
    return {
        "evidence": post.log_marginal_likelihood,
        "mu": float(post.mu.mean),
        "sd": float(post.mu.sd),
        "tau": float(post.tau.mean),
    }


def mix(log_f, points):
    """Log of the sum of exp(log_f) over the last axis, which are even points."""
    top = log_f.max(axis=-1)
    return top + np.log(np.exp(log_f - top[..., None]).sum(axis=-1) * (points[1] - points[0]))
