"""Special functions that keep their digits where the usual forms cancel."""

import numpy as np
from scipy.special import expit, gammaln, xlogy

from bayesmeta.scales import FloatArray


def log_choose(n: FloatArray, r: FloatArray) -> FloatArray:
    """Log of the binomial coefficient, to its last digits for large n too."""
    with np.errstate(divide="ignore", invalid="ignore"):  # 0 times infinity where r = n
        entropy = -xlogy(r, r / n) - np.where(r < n, (n - r) * np.log1p(-r / n), 0.0)
    out: FloatArray = entropy + stirling_rest(n) - stirling_rest(r) - stirling_rest(n - r)
    return out


def stirling_rest(x: FloatArray) -> FloatArray:
    """Log x! - x log x + x, without cancellation."""
    z = np.maximum(x, 15.0)
    far = 0.5 * np.log(2 * np.pi * z) + 1 / (12 * z) - 1 / (360 * z**3) + 1 / (1260 * z**5)
    far = far - 1 / (1680 * z**7)
    near = np.minimum(x, 15.0)
    return np.where(x > 15, far, gammaln(near + 1) - xlogy(near, near) + near)


def softplus(x: FloatArray) -> FloatArray:
    """log(1 + exp(x)) without overflow; relative accuracy at both ends."""
    if x.max(initial=0.0) < 700:
        return np.log1p(np.exp(x))
    out: FloatArray = np.abs(x)
    np.negative(out, out=out)
    np.log1p(np.exp(out, out=out), out=out)
    out += np.maximum(x, 0)
    return out


def log_beta(a: FloatArray, b: FloatArray) -> FloatArray:
    """Log of the beta function, to its last digits for large arguments too."""
    total = a + b
    powers = xlogy(a - 1, a / total) + xlogy(b - 1, b / total)
    rest = stirling_rest(a) + stirling_rest(b) - stirling_rest(total)
    out: FloatArray = powers + rest - np.log(total)
    return out


def log_gamma_step(z: FloatArray) -> FloatArray:
    """Log Gamma(z + 1/2) - log Gamma(z), to its last digits for large z too.

    References
    ----------
    Tricomi and Erdelyi (1951), Pacific Journal of Mathematics 1:133-142, for the series.
    """
    big = np.maximum(z, 30.0)
    series = -1 / (8 * big) + 1 / (192 * big**3) - 1 / (640 * big**5) + 17 / (14336 * big**7)
    near = np.minimum(z, 30.0)
    return np.where(z > 30, 0.5 * np.log(big) + series, gammaln(near + 0.5) - gammaln(near))


def log_binomial(x: FloatArray, n: FloatArray, log_odds: FloatArray) -> FloatArray:
    """Log binomial density at real x, accurate for large n.

    References
    ----------
    Loader (2000), Fast and accurate computation of binomial probabilities: the deviance apart from
    what Stirling's formula lacks.
    """
    p, q = expit(log_odds), expit(-log_odds)
    out = stirling_rest(n) - stirling_rest(x) - stirling_rest(n - x)
    return out - _deviance(x, n * p) - _deviance(n - x, n * q)


def _deviance(x: FloatArray, m: FloatArray) -> FloatArray:
    """X log(x / m) + m - x, which is (x - m)^2 / (2 m) near m, without cancellation."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        away = (x - m) / m
        near = m * ((1 + away) * np.log1p(away) - away)
        far = xlogy(x, x) - xlogy(x, m) + m - x
    return np.where(x == 0, m, np.where(np.abs(away) < 0.5, near, far))
