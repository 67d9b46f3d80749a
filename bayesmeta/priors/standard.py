"""Densities symmetric about 0 with scale 1, through |Z|: what normal and half-normal share."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import (
    betainc,
    betaincc,
    betainccinv,
    betaincinv,
    erf,
    erfc,
    erfinv,
    gammaln,
    ndtri,
)

from bayesmeta.scales import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Standard:
    """A symmetric density; every argument `z` is >= 0.

    Attributes
    ----------
    logpdf : callable
        Log density of Z at `z`.
    within, beyond : callable
        P(abs(Z) <= z) and P(abs(Z) > z), each to its last digits where it is small.
    point : callable
        The `z` at given (within, beyond), two probabilities that add up to 1.
    """

    logpdf: Callable[[FloatArray], FloatArray]
    within: Callable[[FloatArray], FloatArray]
    beyond: Callable[[FloatArray], FloatArray]
    point: Callable[[FloatArray, FloatArray], FloatArray]


NORMAL = Standard(
    logpdf=lambda z: -0.5 * z**2 - 0.5 * math.log(2 * math.pi),
    within=lambda z: erf(z / math.sqrt(2)),
    beyond=lambda z: erfc(z / math.sqrt(2)),
    point=lambda c, t: np.where(c < t, math.sqrt(2) * erfinv(c), -ndtri(t / 2)),
)

CAUCHY = Standard(
    logpdf=lambda z: -math.log(math.pi) - _log1p_square(z),
    within=lambda z: 2 / math.pi * np.arctan(z),
    beyond=lambda z: 2 / math.pi * np.arctan2(1, z),
    point=lambda c, t: np.where(c < t, np.tan(math.pi / 2 * c), 1 / np.tan(math.pi / 2 * t)),
)


def student(df: float) -> Standard:
    """Student's t with `df` degrees of freedom: z^2/(df + z^2) is beta(1/2, df/2).

    That share is used where it is below 1/2, and the rest, df/(df + z^2), where it is above.
    """
    if df == 1:
        return CAUCHY
    a, b, root = 0.5, df / 2, math.sqrt(df)
    constant = _gamma_step(b) - 0.5 * math.log(2 * math.pi)

    def share(z: FloatArray) -> FloatArray:
        return np.sin(np.arctan2(z, root)) ** 2

    def rest(z: FloatArray) -> FloatArray:
        return np.sin(np.arctan2(root, z)) ** 2

    def point(c: FloatArray, t: FloatArray) -> FloatArray:
        x = np.where(c < t, betaincinv(a, b, c), betainccinv(a, b, t))  # share
        y = np.where(c < t, betainccinv(b, a, c), betaincinv(b, a, t))  # rest
        return root * np.sqrt(np.where(x < y, x / (1 - x), (1 - y) / y))

    return Standard(
        logpdf=lambda z: constant - (a + b) * _log1p_square(z / root),
        within=lambda z: np.where(z < root, betainc(a, b, share(z)), betaincc(b, a, rest(z))),
        beyond=lambda z: np.where(z < root, betaincc(a, b, share(z)), betainc(b, a, rest(z))),
        point=point,
    )


def _log1p_square(z: FloatArray) -> FloatArray:
    """Give log(1 + z^2), also where z^2 overflows."""
    return np.where(z < 1, np.log1p(z * z), 2 * np.log(np.hypot(1, z)))


def _gamma_step(b: float) -> float:
    """Give log gamma(b + 1/2) - log gamma(b) - log(b)/2, which vanishes for large `b`."""
    if b < 20:
        return float(gammaln(b + 0.5) - gammaln(b) - 0.5 * math.log(b))
    return -1 / (8 * b) + 1 / (192 * b**3) - 1 / (640 * b**5) + 17 / (14336 * b**7)
