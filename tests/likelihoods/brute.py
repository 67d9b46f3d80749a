"""Posteriors the long way round: one plain rectangle of (mu, tau), sums over even theta."""

import numpy as np

import bayesmeta as bm

TAU = bm.Truncated(bm.HalfNormal(0.8), 0.15, 2.2)  # wide enough for plain sums


def rectangle(log_g, theta, effect, tau=TAU, mu=(-9.0, 9.0), points=301, bounded=False):
    """Evidence and moments of (mu, tau), from log g (study, node) at even theta (node,).

    `bounded`: N(mu, tau^2) is cut to the range of theta and normalised. tau must resolve the nodes.
    """
    low, high = tau.support
    z, w = np.polynomial.legendre.leggauss(48)
    t = (low + high) / 2 + (high - low) / 2 * z
    m = np.linspace(*mu, points)
    step = m[1] - m[0]
    top = log_g.max(axis=1)
    kernel = np.exp(-0.5 * ((theta - m[:, None, None]) / t[:, None]) ** 2)
    if not bounded:
        kernel = kernel / (t[:, None] * np.sqrt(2 * np.pi)) * (theta[1] - theta[0])
    else:
        kernel = kernel / kernel.sum(axis=-1, keepdims=True)
    L = np.einsum("mtj,ij->imt", kernel, np.exp(log_g - top[:, None]))
    log = np.log(L).sum(axis=0) + effect.logpdf(m)[:, None] + tau.logpdf(t)
    peak = log.max()
    density = np.exp(log - peak) * (w * (high - low) / 2) * step
    total = density.sum()
    of_mu, of_tau = density.sum(axis=1) / total, density.sum(axis=0) / total
    mean, mean_tau = of_mu @ m, of_tau @ t
    return {
        "evidence": np.log(total) + peak + top.sum(),
        "mu": mean,
        "sd": np.sqrt(of_mu @ (m - mean) ** 2),
        "tau": mean_tau,
    }


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
