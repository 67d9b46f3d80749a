"""How k studies weigh in a published row, up to the precision that they have in common.

Study i has the variance v_i = c/n_i, with known sizes n_i (all 1: equal precision) and unknown c.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammainc, gammaincc, gammaln

from bayesmeta.scales import FloatArray

_NARROW = 1e-3  # intervals of Q relatively narrower than this are integrated by a rule
_RULE = np.polynomial.legendre.leggauss(5)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StudyWeights:
    """Sizes of the studies, with what the weights of a row follow from.

    Attributes
    ----------
    n : (study,)
        Sizes, of mean 1.
    spread : float
        sum(n) - sum(n^2)/sum(n): DerSimonian and Laird's tau2 is c (Q - k + 1)/spread.
    """

    n: FloatArray
    spread: float

    @classmethod
    def build(cls, sizes: "int | FloatArray") -> "StudyWeights":
        """From sizes (study,), or from a number of equal studies."""
        n = np.ones(sizes) if isinstance(sizes, int) else np.asarray(sizes, dtype=float)
        n = n / n.mean()
        return cls(n=n, spread=float(n.sum() - (n**2).sum() / n.sum()) if len(n) > 1 else 0.0)

    @property
    def k(self) -> int:
        """Number of studies."""
        return len(self.n)

    def _random(self, q: FloatArray) -> FloatArray:
        """DerSimonian and Laird's weights for c = 1 and Q = q (...), (..., study)."""
        tau2 = np.maximum(q - (self.k - 1), 0.0) / self.spread if self.k > 1 else np.zeros_like(q)
        out: FloatArray = 1 / (1 / self.n + tau2[..., None])
        return out

    def precision(self, q: ArrayLike) -> FloatArray:
        """Give c/se^2 of a row, for Q = q; 0 to k - 1 for a fixed row."""
        out: FloatArray = self._random(np.asarray(q, dtype=float)).sum(axis=-1)
        return out

    def shares(self, q: ArrayLike) -> tuple[FloatArray, FloatArray]:
        """Give a and b: a row's estimate has the variance a c + b tau^2."""
        w = self._random(np.asarray(q, dtype=float))
        w = w / w.sum(axis=-1, keepdims=True)
        return (w**2 / self.n).sum(axis=-1), (w**2).sum(axis=-1)

    def _gamma(self, c: FloatArray, tau: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Shape and scale of the gamma distribution with the mean and variance of Q."""
        t = tau**2 / c
        s1, s2, s3 = (float((self.n**r).sum()) for r in (1, 2, 3))
        mean = self.k - 1 + self.spread * t
        quadratic = s2 - 2 * s3 / s1 + (s2 / s1) ** 2
        variance = 2 * (self.k - 1) + 4 * self.spread * t + 2 * quadratic * t**2
        return mean**2 / variance, variance / mean

    def log_density(self, q: FloatArray, c: FloatArray, tau: FloatArray) -> FloatArray:
        """Log density of Q at q, given c and tau; arrays that broadcast.

        References
        ----------
        Biggerstaff and Tweedie (1997), Statistics in Medicine 16:753-768: mean and variance of
        Q, and the gamma distribution with these. For equal sizes Q c/(c + tau^2) is chi-squared.
        """
        shape, scale = self._gamma(c, tau)
        x = q / scale
        out: FloatArray = (shape - 1) * np.log(x) - x - gammaln(shape) - np.log(scale)
        return out

    def log_probability(
        self, low: float, high: float, c: FloatArray, tau: FloatArray
    ) -> FloatArray:
        """Log P(low < Q < high) given c and tau, to relative accuracy in both tails."""
        if high - low < _NARROW * (1 + low):
            x, weight = _RULE
            q = 0.5 * (low + high) + 0.5 * (high - low) * x
            log_f = self.log_density(q, c[..., None], tau[..., None])
            top = log_f.max(axis=-1)
            inner = np.exp(log_f - top[..., None]) @ weight
            narrow: FloatArray = top + np.log(0.5 * (high - low) * inner)
            return narrow
        shape, scale = self._gamma(c, tau)
        below = gammainc(shape, high / scale) - gammainc(shape, low / scale)
        above = gammaincc(shape, low / scale) - gammaincc(shape, high / scale)
        with np.errstate(divide="ignore"):
            out: FloatArray = np.log(np.where(low > shape * scale, above, below))
        return out
