"""Distributions of counts given a linear predictor: values and two derivatives, for GLMMs."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.special import expit, gammaln, xlogy

from bayesmeta.errors import NotEstimableError
from bayesmeta.scales import FloatArray

_CHUNK = 400_000  # numbers of the hypergeometric sum that are handled at once
_STEPS = 100  # of Newton's search for the single studies' conditional maxima


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Curve:
    """Log probability and its first two derivatives in the linear predictor."""

    value: FloatArray
    slope: FloatArray
    bend: FloatArray


class Outcome(Protocol):
    """What was counted, arm by arm; log-concave in the linear predictor."""

    def at(self, eta: FloatArray) -> Curve:
        """Give the log probability at `eta` (study, arm, node), all constants included."""
        ...

    def saturated(self) -> FloatArray:
        """Give the highest log probability (study,), each arm with a predictor of its own."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Binomial:
    """Events among persons; the linear predictor is the log odds.

    Attributes
    ----------
    events, n : (study, arm)
        Events, and persons.

    Examples
    --------
    >>> toss = Binomial(events=np.array([[1.0]]), n=np.array([[2.0]]))
    >>> float(np.exp(toss.at(np.zeros((1, 1, 1))).value[0, 0, 0]).round(12))
    0.5
    """

    events: FloatArray
    n: FloatArray

    def at(self, eta: FloatArray) -> Curve:
        """Give the log probability at `eta` (study, arm, node), and its derivatives."""
        x, n = self.events[..., None], self.n[..., None]
        p, q = expit(eta), expit(-eta)
        value = _log_choose(n, x) - x * np.logaddexp(0.0, -eta) - (n - x) * np.logaddexp(0.0, eta)
        return Curve(value=value, slope=x * q - (n - x) * p, bend=-n * p * q)

    def saturated(self) -> FloatArray:
        """Give the log probability (study,) at the observed proportions."""
        x, n = self.events, self.n
        share = np.where(n > 0, x / np.where(n > 0, n, 1.0), 0.5)
        kept = xlogy(x, share) + xlogy(n - x, 1.0 - share)
        return np.asarray((_log_choose(n, x) + kept).sum(-1))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Poisson:
    """Events; the linear predictor is the log of their expected number.

    Attributes
    ----------
    events : (study, arm)
        Events; the log of the person-time is an offset of the model.

    Examples
    --------
    >>> none = Poisson(events=np.array([[0.0]]))
    >>> float(none.at(np.zeros((1, 1, 1))).value[0, 0, 0])
    -1.0
    """

    events: FloatArray

    def at(self, eta: FloatArray) -> Curve:
        """Give the log probability at `eta` (study, arm, node), and its derivatives."""
        x = self.events[..., None]
        with np.errstate(over="ignore"):  # a log probability of -inf is what that means
            mean = np.exp(eta)
        return Curve(value=x * eta - mean - gammaln(x + 1.0), slope=x - mean, bend=-mean)

    def saturated(self) -> FloatArray:
        """Give the log probability (study,) at the observed rates."""
        x = self.events
        return np.asarray((xlogy(x, x) - x - gammaln(x + 1.0)).sum(-1))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Hypergeometric:
    """Events of the treated, given the margins; the linear predictor is the log odds ratio.

    Fisher's non-central hypergeometric distribution.

    Attributes
    ----------
    events, n, other_n, total : (study, 1)
        Events and persons of the treated arm, persons of the control arm, events of both.

    Examples
    --------
    >>> one = [np.array([[x]]) for x in (1.0, 2.0, 2.0, 2.0)]
    >>> table = Hypergeometric(events=one[0], n=one[1], other_n=one[2], total=one[3])
    >>> float(np.exp(table.at(np.zeros((1, 1, 1))).value[0, 0, 0]).round(12))  # 2 2 / 6
    0.666666666667
    """

    events: FloatArray
    n: FloatArray
    other_n: FloatArray
    total: FloatArray

    @property
    def lowest(self) -> FloatArray:
        """Give the fewest events (study, 1) that the margins allow the treated."""
        return np.maximum(0.0, self.total - self.other_n)

    @property
    def highest(self) -> FloatArray:
        """Give the most events (study, 1) that the margins allow the treated."""
        return np.minimum(self.n, self.total)

    def at(self, eta: FloatArray) -> Curve:
        """Give the log probability at `eta` (study, 1, node), and its derivatives."""
        theta = eta[:, 0, :]
        parts = [_moments(block, log_c, theta) for block, log_c in self._blocks(theta.shape[-1])]
        log_sum, mean, variance = (np.concatenate(part) for part in zip(*parts, strict=True))
        own = _log_choose(self.n, self.events) + _log_choose(self.other_n, self.total - self.events)
        value = own + self.events * theta - log_sum
        return Curve(
            value=value[:, None, :],
            slope=(self.events - mean)[:, None, :],
            bend=-variance[:, None, :],
        )

    def saturated(self) -> FloatArray:
        """Give the log probability (study,) where the expected count is the observed one."""
        at_end = (self.events == self.lowest) | (self.events == self.highest)
        inside = Hypergeometric(
            **{name: getattr(self, name)[~at_end[:, 0]]
               for name in ("events", "n", "other_n", "total")}
        )  # fmt: skip
        best = np.zeros(len(self.events))  # at an end its probability tends to 1
        if len(inside.events):
            best[~at_end[:, 0]] = inside._highest_inside()
        return best

    def _highest_inside(self) -> FloatArray:
        rest = self.n - self.events, self.total - self.events
        odds = (self.events + 0.5) * (self.other_n - rest[1] + 0.5)
        theta = np.log(odds / ((rest[0] + 0.5) * (rest[1] + 0.5)))
        for _ in range(_STEPS):
            curve = self.at(theta[..., None])
            step = -(curve.slope / curve.bend)[..., 0]
            theta = theta + np.clip(step, -2.0, 2.0)
            if np.all(np.abs(step) < 1e-9):
                return self.at(theta[..., None]).value[:, 0, 0]
        raise NotEstimableError(
            f"The conditional likelihood of a single study did not reach its maximum in {_STEPS} "
            "steps. UM.FS has the same estimand."
        )

    def _blocks(self, nodes: int) -> Iterator[tuple[slice, tuple[FloatArray, FloatArray]]]:
        """Give studies, a few at a time, with the counts (study, count) and log weights."""
        low, high = self.lowest, self.highest
        width = int((high - low).max(initial=0.0)) + 1
        together = max(1, _CHUNK // (width * nodes))
        for first in range(0, len(low), together):
            some = slice(first, first + together)
            count = low[some] + np.arange(int((high - low)[some].max(initial=0.0)) + 1)
            within = count <= high[some]
            count = np.minimum(count, high[some])
            log_c = _log_choose(self.n[some], count) + _log_choose(
                self.other_n[some], self.total[some] - count
            )
            yield some, (count, np.where(within, log_c, -np.inf))


def _moments(
    some: slice, weights: tuple[FloatArray, FloatArray], theta: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Give the log of the sum, and mean and variance of the count, at theta (study, node)."""
    count, log_c = weights
    log_term = log_c[:, None, :] + theta[some][..., None] * count[:, None, :]
    peak = log_term.max(-1)
    term = np.exp(log_term - peak[..., None])
    total = term.sum(-1)
    mean = np.einsum("snc,sc->sn", term, count) / total
    term *= (count[:, None, :] - mean[..., None]) ** 2
    return peak + np.log(total), mean, term.sum(-1) / total


def _log_choose(n: FloatArray, x: FloatArray) -> FloatArray:
    return np.asarray(gammaln(n + 1.0) - gammaln(x + 1.0) - gammaln(n - x + 1.0))
