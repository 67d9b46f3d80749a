"""GLMM likelihoods from their definitions: scipy's distributions on evenly spaced nodes."""

import numpy as np
from scipy import stats
from scipy.optimize import minimize
from scipy.special import comb, expit, logsumexp

TABLES = np.array([(2, 40, 12, 38), (2, 45, 5, 50), (26, 60, 18, 58)])  # a, n1, c, n2
RATES = np.array([(3, 4.0, 12, 3.8), (1, 2.5, 9, 2.6), (11, 6.0, 5, 5.8)])  # x1, t1, x2, t2
GROUPS = np.array([(3, 40), (1, 25), (11, 60)])  # x, n


def rule(n, end=8.5):
    """Nodes z, and weights times the normal density: evenly spaced, ends left out."""
    z = np.linspace(-end, end, n)
    return z, stats.norm.pdf(z) * (z[1] - z[0])


Z, W = rule(240)


def um_fs(tables, p):
    a, n1, c, n2 = (column[:, None] for column in tables.T)
    own = p[2:, None]
    treated = stats.binom.pmf(a, n1, expit(own + p[0] + p[1] * Z / 2))
    control = stats.binom.pmf(c, n2, expit(own - p[1] * Z / 2))
    return np.log((treated * control * W).sum(1)).sum()


def um_fs_rates(rates, p):
    x1, t1, x2, t2 = (column[:, None] for column in rates.T)
    own = p[2:, None]
    treated = stats.poisson.pmf(x1, t1 * np.exp(own + p[0] + p[1] * Z / 2))
    control = stats.poisson.pmf(x2, t2 * np.exp(own - p[1] * Z / 2))
    return np.log((treated * control * W).sum(1)).sum()


def um_rs(tables, p):
    z, w = rule(100)
    weight = w[:, None] * w
    mu, tau, mean, sigma = p
    total = 0.0
    for a, n1, c, n2 in tables:
        base = mean + sigma * z[:, None]
        treated, control = expit(base + mu + tau * z / 2), expit(base - tau * z / 2)
        given = treated**a * (1 - treated) ** (n1 - a) * control**c * (1 - control) ** (n2 - c)
        total += np.log(comb(n1, a) * comb(n2, c) * (given * weight).sum())
    return total


def cm_el(tables, p):
    total = 0.0
    for a, n1, c, n2 in tables:
        odds = np.exp(p[0] + p[1] * Z)
        pmf = stats.nchypergeom_fisher.pmf(a, n1 + n2, n1, a + c, odds)
        total += np.log((pmf * W).sum())
    return total


def cm_al(tables, p):
    a, n1, c, n2 = (column[:, None] for column in tables.T)
    share = expit(p[0] + p[1] * Z + np.log(n1 / n2))
    return np.log((stats.binom.pmf(a, a + c, share) * W).sum(1)).sum()


def one_group(groups, p):
    x, n = (column[:, None] for column in groups.T)
    return np.log((stats.binom.pmf(x, n, expit(p[0] + p[1] * Z)) * W).sum(1)).sum()


def adaptive(nodes, groups, p):
    """One group by adaptive Gauss-Hermite quadrature, as lme4 has it, without constants."""
    x, n = groups
    z = np.zeros(len(x))
    for _ in range(12):
        q = expit(p[0] + p[1] * z)
        width = (1 + p[1] ** 2 * n * q * (1 - q)) ** -0.5
        z = z + width**2 * (p[1] * (x - n * q) - z)
    return _around(z, width, nodes, lambda at: _binomial(x, n, p[0] + p[1] * at))


def um_fs_adaptive(nodes, tables, p):
    """UM.FS by adaptive Gauss-Hermite quadrature, as lme4 has it, without constants."""
    a, n1, c, n2 = tables
    own, half = p[2:], p[1] / 2
    z = np.zeros(len(a))
    for _ in range(12):
        q1, q2 = expit(own + p[0] + half * z), expit(own - half * z)
        width = (1 + half**2 * (n1 * q1 * (1 - q1) + n2 * q2 * (1 - q2))) ** -0.5
        z = z + width**2 * (half * (a - n1 * q1 - c + n2 * q2) - z)

    def given(at):
        return _binomial(a, n1, own + p[0] + half * at) + _binomial(c, n2, own - half * at)

    return _around(z, width, nodes, given)


def _around(z, width, nodes, given):
    t, w = np.polynomial.hermite_e.hermegauss(nodes)
    at = z + width * t[:, None]
    density = given(at) - at**2 / 2 + t[:, None] ** 2 / 2 + np.log(w / np.sqrt(2 * np.pi))[:, None]
    return (logsumexp(density, axis=0) + np.log(width)).sum()


def _binomial(x, n, eta):
    return x * eta - n * np.logaddexp(0, eta)


def maximise(log_likelihood, data, start):
    """Give the parameters at the maximum, the log likelihood, and the first one's error."""

    def lost(p):
        return -log_likelihood(data, p)

    rough = minimize(lost, start, method="BFGS", options={"gtol": 1e-6})
    found = rough.x
    for _ in range(2):  # Newton on central differences, to the last digits
        g, H = differences(lost, found)
        found = found - np.linalg.solve(H, g)
    _, H = differences(lost, found)
    return found, -lost(found), float(np.sqrt(np.linalg.inv(H)[0, 0]))


def differences(f, p, h=1e-3):
    """Gradient and Hessian by central differences of the fourth order."""
    k = len(p)
    steps = np.eye(k) * h

    def along(s, t):
        return (
            64 * (f(p + s + t) + f(p - s - t) - f(p + s - t) - f(p - s + t))
            - 8 * (f(p + 2 * s + t) + f(p + s + 2 * t) + f(p - 2 * s - t) + f(p - s - 2 * t))
            + 8 * (f(p + 2 * s - t) + f(p + s - 2 * t) + f(p - 2 * s + t) + f(p - s + 2 * t))
            + f(p + 2 * s + 2 * t) + f(p - 2 * s - 2 * t)
            - f(p + 2 * s - 2 * t) - f(p - 2 * s + 2 * t)
        ) / (144 * h * h)  # fmt: skip

    g = gradient(f, p, h)
    H = [[along(s, t) if j >= i else 0.0 for j, t in enumerate(steps)] for i, s in enumerate(steps)]
    return g, np.array(H) + np.triu(H, 1).T


def gradient(f, p, h=1e-3):
    """Gradient by central differences of the fourth order."""
    steps = np.eye(len(p)) * h
    g = [(8 * (f(p + s) - f(p - s)) - (f(p + 2 * s) - f(p - 2 * s))) / (12 * h) for s in steps]
    return np.array(g)
