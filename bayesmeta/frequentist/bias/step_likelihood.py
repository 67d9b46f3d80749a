"""The likelihood of a step-function selection model, with its gradient and Hessian."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from bayesmeta.scales import FloatArray

type Alternative = Literal["greater", "less", "two-sided"]

_SIDES = {"greater": (1.0,), "less": (-1.0,), "two-sided": (1.0, -1.0)}
_LOG_2PI = float(np.log(2.0 * np.pi))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StepLikelihood:
    """Effects, and the intervals of p-values in which studies are published alike.

    A study with p-value in interval j is published with a chance proportional to delta_j; delta_1
    is 1. Its effect then has the density delta_j(i) N(y | mu, s^2) / A_i with s^2 = v + tau2 and
    A_i = sum_j delta_j P(p in interval j). Parameters are (mu, tau2, log delta_2, ...).

    Attributes
    ----------
    y, v : (study,)
        Effects and sampling variances.
    interval : (study,)
        Index of the interval that each p-value is in.
    bound : (cut, study)
        Effect, or size of it, at which the p-value of each study equals each cut.
    sides : tuple of float
        1 for large effects, -1 for small ones, both for two-sided p-values.

    References
    ----------
    Vevea and Hedges (1995), Psychometrika 60:419, eq. 4 to 8; Iyengar and Greenhouse (1988),
    Statistical Science 3:109.
    """

    y: FloatArray
    v: FloatArray
    interval: NDArray[np.intp]
    bound: FloatArray
    sides: tuple[float, ...]

    @classmethod
    def of(
        cls, y: FloatArray, v: FloatArray, *, cuts: tuple[float, ...], alternative: Alternative
    ) -> "StepLikelihood":
        """Sort the p-values into the intervals between the cuts.

        Parameters
        ----------
        y, v : (study,)
            Effects and sampling variances.
        cuts : tuple of float
            Rising p-values in (0, 1); a p-value on a cut belongs below it.
        alternative : {"greater", "less", "two-sided"}
            What the p-values test.
        """
        sides = _SIDES[alternative]
        error = np.sqrt(v)
        z = np.abs(y) / error if len(sides) == 2 else sides[0] * y / error
        p = len(sides) * ndtr(-z)
        cut = np.asarray(cuts)
        return cls(
            y=y,
            v=v,
            interval=np.searchsorted(cut, p, side="left"),
            bound=-ndtri(cut / len(sides))[:, None] * error,
            sides=sides,
        )

    @property
    def size(self) -> int:
        """Number of parameters."""
        return 2 + len(self.bound)

    def value(self, at: FloatArray) -> FloatArray:
        """Give the log likelihood at (..., parameter)."""
        mu, tau2, log_delta = self._parts(at)
        s2 = self.v + tau2
        density = -0.5 * (_LOG_2PI + np.log(s2) + (self.y - mu) ** 2 / s2)
        return np.asarray(
            (log_delta[..., self.interval] + density - np.log(self._chance(mu, s2, log_delta))).sum(
                -1
            )
        )

    def derivatives(self, at: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Give gradient (parameter,) and Hessian (parameter, parameter) at (parameter,)."""
        mu, tau2, log_delta = self._parts(at)
        s2 = self.v + tau2
        delta, cuts = np.exp(log_delta), len(self.bound)
        fall = (delta[:-1] - delta[1:])[:, None]  # (cut, 1)
        A = self._chance(mu, s2, log_delta)
        below, slope, bend = self._cumulative(mu, s2)  # (cut, study), (2, ...), (2, 2, ...)
        # first and second derivatives of A by (mu, tau2, log delta)
        first = np.zeros((2 + cuts, len(self.y)))
        second = np.zeros((2 + cuts, 2 + cuts, len(self.y)))
        first[:2] = (fall * slope).sum(1)
        second[:2, :2] = (fall * bend).sum(2)
        ends = np.concatenate([below, np.ones((1, len(self.y)))])
        first[2:] = delta[1:, None] * np.diff(ends, axis=0)
        slopes = np.concatenate([slope, np.zeros((2, 1, len(self.y)))], axis=1)
        mixed = delta[1:, None] * np.diff(slopes, axis=1)  # (2, cut, study)
        second[:2, 2:], second[2:, :2] = mixed, mixed.swapaxes(0, 1)
        second[range(2, 2 + cuts), range(2, 2 + cuts)] = first[2:]

        share = first / A
        gradient = -share.sum(-1)
        hessian = -(second / A).sum(-1) + share @ share.T
        residual = self.y - mu
        gradient[0] += (residual / s2).sum()
        gradient[1] += 0.5 * (residual**2 / s2**2 - 1.0 / s2).sum()
        gradient[2:] += np.bincount(self.interval, minlength=1 + cuts)[1:]
        cross = (residual / s2**2).sum()
        hessian[0, 0] -= (1.0 / s2).sum()
        hessian[0, 1] -= cross
        hessian[1, 0] -= cross
        hessian[1, 1] += (0.5 / s2**2 - residual**2 / s2**3).sum()
        return gradient, hessian

    def _parts(self, at: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        zero = np.zeros((*at.shape[:-1], 1))
        return at[..., 0:1], at[..., 1:2], np.concatenate([zero, at[..., 2:]], axis=-1)

    def _chance(self, mu: FloatArray, s2: FloatArray, log_delta: FloatArray) -> FloatArray:
        """Give A (..., study), the relative chance that a study of this size is published."""
        mu, s2 = mu[..., None, :], s2[..., None, :]
        total = np.zeros(())
        for side in self.sides:
            edge = (side * mu - self.bound) / np.sqrt(s2)  # (..., cut, study), rising with the cut
            ends = [np.full_like(edge[..., :1, :], end) for end in (-np.inf, np.inf)]
            edges = np.concatenate([ends[0], edge, ends[1]], axis=-2)
            total = total + _normal_between(edges[..., :-1, :], edges[..., 1:, :])
        if len(self.sides) == 2:  # the last interval holds the small effects once, not from inf
            inside = _normal_between(
                (-self.bound[-1:] - mu) / np.sqrt(s2), (self.bound[-1:] - mu) / np.sqrt(s2)
            )
            total = np.concatenate([total[..., :-1, :], inside], axis=-2)
        return np.asarray((np.exp(log_delta)[..., None] * total).sum(-2))

    def _cumulative(
        self, mu: FloatArray, s2: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Give P(p below each cut) (cut, study) and its derivatives by (mu, tau2)."""
        s = np.sqrt(s2)
        shape = self.bound.shape
        below, slope, bend = np.zeros(shape), np.zeros((2, *shape)), np.zeros((2, 2, *shape))
        for side in self.sides:
            t = (side * mu - self.bound) / s
            by = np.stack([np.broadcast_to(side / s, shape), -t / (2 * s2)])
            mixed = np.broadcast_to(-side / (2 * s**3), shape)
            twice = np.stack(
                [np.stack([np.zeros(shape), mixed]), np.stack([mixed, 3 * t / (4 * s2**2)])]
            )
            height = np.exp(-0.5 * t**2 - 0.5 * _LOG_2PI)
            below += ndtr(t)
            slope += height * by
            bend += height * (twice - t * by[:, None] * by[None])
        return below, slope, bend


def _normal_between(low: FloatArray, high: FloatArray) -> FloatArray:
    """Give P(low < Z < high) without cancelling in the upper tail."""
    upper = low > 0
    return np.asarray(
        np.where(upper, ndtr(-low), ndtr(high)) - np.where(upper, ndtr(-high), ndtr(low))
    )
