"""Conditional likelihood of an odds ratio: a 2x2 table given both of its margins."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from bayesmeta.effects import Correction, Measure
from bayesmeta.errors import AccuracyError, ModelError
from bayesmeta.likelihoods.replicate import draw_log_concave
from bayesmeta.likelihoods.requirements import require_measure
from bayesmeta.likelihoods.special import log_binomial, log_choose
from bayesmeta.likelihoods.tables import BinomialData
from bayesmeta.likelihoods.whitened import whitened_effects
from bayesmeta.scales import FloatArray
from bayesmeta.studies import StudyTable

if TYPE_CHECKING:
    from pytensor.tensor.variable import TensorVariable

    type Tensor = TensorVariable[Any, Any]

_SMOOTH = 5.0  # SD of the treated events from which a sum over integers is an integral
_PER_SD = 2.5  # nodes of that integral in an SD
_TERMS, _MOST = 24, 100_000  # terms on each side of the mode: at first, and at most
_LOST = 1e-17  # share of the sum that the last terms may have
_SHORT = 2000  # sums of no more terms are taken as they stand
_LONGEST_SAMPLED = 20_000
_CHUNK = 1 << 15


@dataclass(frozen=True, slots=True)
class ConditionalLikelihood:
    """Non-central hypergeometric likelihood of the log odds ratio, given the margins of a table.

    The level of risk drops out, and no prior of it is needed. A study without an event (or without
    a non-event) in both arms says nothing.

    References
    ----------
    Cornfield (1956), Third Berkeley Symposium 4:135-148; van Houwelingen, Zwinderman and Stijnen
    (1993), Statistics in Medicine 12:2273-2284, for its use with random effects.

    Examples
    --------
    >>> import bayesmeta as bm
    >>> data = ConditionalLikelihood().prepare(bm.load("hine1989"), bm.MEASURES["OR"], "none")
    >>> np.exp(ConditionalLikelihood().log_g(data, np.zeros((6, 1)))).round(4)[0]
    array([0.3598])
    """

    name: ClassVar[str] = "conditional"

    def __str__(self) -> str:
        return self.name

    def prepare(
        self,
        studies: StudyTable,
        measure: Measure,
        correction: Correction,  # noqa: ARG002
    ) -> BinomialData:
        """Take the counts as they are; no correction is ever applied."""
        require_measure(self.name, measure, "OR")
        return BinomialData.of(studies, "OR", likelihood=self.name)

    def log_g(self, data: BinomialData, theta: FloatArray) -> FloatArray:
        """Log probability of the treated events given all events, at theta (study, node).

        It is f(r) over the sum of f(x), x all treated events that the margins allow, with
        f(x) = Bin(x | n_t, p_t) Bin(s - x | n_c, p_c) for any two risks of log odds ratio theta;
        here those that the margins lead to expect, so that no digits cancel. Where the SD of x is
        above 5 and the ends of its range do not matter, the sum is the integral of f (their
        difference falls as exp(-2 pi^2 SD^2)), taken by the trapezoid rule. Terms are added until
        the last ones are below 1e-17 of the sum.
        """
        study = np.repeat(np.arange(len(data.studies)), theta.shape[1])
        out = np.zeros(len(study))
        low, high = _ends(data)
        short = np.flatnonzero(high - low < _SHORT)
        for i in short:  # tables whose sum is short, each of its own length
            log_ways, more = _all_ways(data.take([int(i)]))
            log_f = log_ways + more * theta[i, :, None]
            top = log_f.max(axis=-1)
            out[study == i] = -top - np.log(np.exp(log_f - top[:, None]).sum(axis=-1))
        todo = np.flatnonzero((high - low >= _SHORT)[study])
        at, terms, whole = theta.reshape(-1), _TERMS, np.zeros(len(study), dtype=bool)
        while len(todo):
            if terms > _MOST:
                raise AccuracyError("The conditional likelihood of a table did not settle")
            left = []
            chunk = max(1, _CHUNK // terms)
            for begin in range(0, len(todo), chunk):
                part = todo[begin : begin + chunk]
                out[part], smooth, good = _log_share(
                    data, study[part], at[part], terms, whole[part]
                )
                whole[part] |= smooth & ~good
                left.append(part[~good])
            todo, terms = np.concatenate(left), 2 * terms
        return out.reshape(theta.shape)

    def replicate(
        self, data: BinomialData, theta: FloatArray, rng: np.random.Generator
    ) -> dict[str, FloatArray]:
        """Draw tables with the observed margins given theta (..., study): events of both arms."""
        shape, studies = theta.shape, len(data.studies)
        flat = theta.reshape(-1, studies).T  # (study, draw)
        observed = self.log_g(data, flat)
        n_t, n_c, r = (x[:, None] for x in (data.n_treated, data.n_control, data.events_treated))
        events = r + data.events_control[:, None]
        low, high = (end[:, None] for end in _ends(data))

        def log_p(x: FloatArray) -> FloatArray:
            inside = (x >= low) & (x <= high)
            x = np.clip(x, low, high)
            more = log_choose(n_t, x) + log_choose(n_c, events - x)
            more = more - log_choose(n_t, r) - log_choose(n_c, events - r)
            return np.where(inside, observed + more + (x - r) * flat, -np.inf)

        # f(x) = f(x - 1) at the mean of a table with one more of all treated and all events
        mode = np.floor(_balance(n_t + 1, n_c - events, events + 1, flat))
        drawn = draw_log_concave(log_p, np.clip(mode, low, high), rng)
        treated = drawn.T.reshape(shape)
        return {"events_treated": treated, "events_control": events[:, 0] - treated}

    def vanishes(self, data: BinomialData) -> NDArray[np.bool_]:
        """0 at an end unless the treated events are as few (or as many) as the margins allow."""
        low, high = _ends(data)
        return np.stack([data.events_treated > low, data.events_treated < high], axis=1)

    def observe(self, data: BinomialData, mu: "Tensor", tau: "Tensor", *, common: bool) -> None:
        """Add the tables to the PyMC model in context: the sum over all terms, in the graph.

        Raises
        ------
        ModelError
            A table allows more than 20,000 values of its treated events.
        """
        import pymc as pm

        low, high = _ends(data)
        if (high - low).max() > _LONGEST_SAMPLED:
            name = data.studies[int(np.argmax(high - low))]
            raise ModelError(
                f"The sum over the tables that the margins of {name!r} allow is too long for NUTS. "
                'Use engine="exact", or the binomial likelihood'
            )
        theta = whitened_effects(mu, tau, data.y, data.se, common=common)
        log_ways, more = _all_ways(data)
        log_sum = pm.math.logsumexp(log_ways + more * theta[:, None], axis=1)
        pm.Potential("conditional", -log_sum, dims="study")


def _ends(data: BinomialData) -> tuple[FloatArray, FloatArray]:
    """Fewest and most treated events that the margins allow, (study,)."""
    events = data.events_treated + data.events_control
    return np.maximum(0.0, events - data.n_control), np.minimum(data.n_treated, events)


def _all_ways(data: BinomialData) -> tuple[FloatArray, FloatArray]:
    """Log ways of every number of treated events over those of the observed, and its excess.

    Both (study, number); -inf and 0 beyond the longest range of a study.
    """
    low, high = (end[:, None] for end in _ends(data))
    x = low + np.arange((high - low).max() + 1)
    inside = x <= high
    n_t, n_c, r = data.n_treated[:, None], data.n_control[:, None], data.events_treated[:, None]
    events = r + data.events_control[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):  # beyond the range
        ratio = (n_t - x) * (events - x) / ((x + 1) * (n_c - events + x + 1))
        steps = np.where(inside[:, 1:], np.log(ratio[:, :-1]), 0.0)
    log_ways = np.concatenate([np.zeros_like(low), np.cumsum(steps, axis=1)], axis=1)
    log_ways = log_ways - np.take_along_axis(log_ways, (r - low).astype(np.intp), axis=1)
    return np.where(inside, log_ways, -np.inf), np.where(inside, x - r, 0.0)


def _log_share(
    data: BinomialData, i: NDArray[np.intp], theta: FloatArray, terms: int, whole: NDArray[np.bool_]
) -> tuple[FloatArray, NDArray[np.bool_], NDArray[np.bool_]]:
    """Log of f(r) over the sum of f; whether it is an integral, and good enough; all (pair,).

    `whole` says where the sum must go over the integers.
    """
    n_t, n_c, r = data.n_treated[i], data.n_control[i], data.events_treated[i]
    events = r + data.events_control[i]
    low, high = (end[i] for end in _ends(data))
    treated, control, sd = _risks(n_t, n_c, events, low, high, theta)

    def log_f(x: FloatArray) -> FloatArray:
        inside = (x >= low[:, None]) & (x <= high[:, None])
        x = np.clip(x, low[:, None], high[:, None])
        value = log_binomial(x, n_t[:, None], treated[:, None])
        value = value + log_binomial(events[:, None] - x, n_c[:, None], control[:, None])
        return np.where(inside, value, -np.inf)

    middle = n_t * expit(treated)
    smooth = (sd > _SMOOTH) & ~whole
    step = np.where(smooth, sd / _PER_SD, 1.0)
    middle = np.where(smooth, middle, np.clip(np.round(middle), low, high))
    f = log_f(middle[:, None] + step[:, None] * np.arange(-terms, terms + 1.0))
    top = f.max(axis=1)
    mass = np.exp(f - top[:, None])
    total = mass.sum(axis=1)
    ends = np.exp(log_f(np.stack([low, high], axis=1)) - top[:, None]).sum(axis=1)
    lost = mass[:, 0] + mass[:, -1] + np.where(smooth, ends * sd, 0.0)
    moved = np.abs(2 * mass[:, ::2].sum(axis=1) / total - 1)
    good = (lost < _LOST * total) & (~smooth | (moved < 1e-7))
    return log_f(r[:, None])[:, 0] - top - np.log(total * step), smooth, good


def _risks(
    n_t: FloatArray,
    n_c: FloatArray,
    events: FloatArray,
    low: FloatArray,
    high: FloatArray,
    theta: FloatArray,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Log odds of both arms that are theta apart and lead to expect about `events`; SD of x.

    The mean x of the treated events solves x (n_c - s + x) = exp(theta) (n_t - x) (s - x).
    """
    x = _balance(n_t, n_c - events, events, theta)
    room = np.minimum(0.25, (high - low) / 4)
    x = np.clip(np.where(np.isfinite(x), x, (low + high) / 2), low + room, high - room)
    p_t, p_c = x / n_t, (events - x) / n_c
    by_control = n_c * p_c * (1 - p_c) > n_t * p_t * (1 - p_t)
    control = np.where(by_control, logit(p_c), logit(p_t) - theta)
    treated = np.where(by_control, logit(p_c) + theta, logit(p_t))
    i_t, i_c = (n * expit(a) * expit(-a) for n, a in ((n_t, treated), (n_c, control)))
    return treated, control, np.sqrt(i_t * i_c / np.maximum(i_t + i_c, 1e-300))


def _balance(n: FloatArray, rest: FloatArray, s: FloatArray, theta: FloatArray) -> FloatArray:
    """Solve x (rest + x) = exp(theta) (n - x) (s - x) for x; may not be finite at the far ends."""
    psi = np.exp(np.clip(theta, -300, 300))
    b = rest + psi * (n + s)
    root = np.sqrt(np.maximum(b**2 + 4 * (1 - psi) * psi * n * s, 0.0))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(b > 0, 2 * psi * n * s / (b + root), (root - b) / (2 * (1 - psi)))
