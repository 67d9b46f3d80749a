"""Binomial likelihood of 2x2 tables, the control arm's risk integrated out."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaln, expit

from bayesmeta.effects import Correction, Measure
from bayesmeta.errors import ModelError
from bayesmeta.likelihoods.nuisance import IndexArray, integrate_peak
from bayesmeta.likelihoods.replicate import draw_nuisance
from bayesmeta.likelihoods.whitened import whitened, whitened_effects
from bayesmeta.priors import Prior
from bayesmeta.scales import FloatArray
from bayesmeta.studies import StudyTable

if TYPE_CHECKING:
    from pytensor.tensor.variable import TensorVariable


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BinomialData:
    """Events and sizes of two arms, one row a study; all arrays (study,).

    `y` and `se` are the log odds ratio and its standard error with 1/2 added to every cell: where
    the engines look first, never what they compute.
    """

    studies: tuple[str, ...]
    events_treated: FloatArray
    n_treated: FloatArray
    events_control: FloatArray
    n_control: FloatArray
    notes: tuple[str, ...] = ()

    @property
    def _cells(self) -> FloatArray:
        a, c = self.events_treated, self.events_control
        return np.stack([a, self.n_treated - a, c, self.n_control - c]) + 0.5

    @property
    def y(self) -> FloatArray:
        """Approximate log odds ratios, (study,)."""
        a, b, c, d = np.log(self._cells)
        out: FloatArray = a - b - c + d
        return out

    @property
    def se(self) -> FloatArray:
        """Their approximate standard errors, (study,)."""
        out: FloatArray = np.sqrt((1 / self._cells).sum(axis=0))
        return out

    def take(self, index: Sequence[int] | NDArray[np.intp]) -> "BinomialData":
        """Give the studies at `index`, in that order."""
        i = np.asarray(index, dtype=np.intp)
        return BinomialData(
            studies=tuple(self.studies[j] for j in i),
            events_treated=self.events_treated[i],
            n_treated=self.n_treated[i],
            events_control=self.events_control[i],
            n_control=self.n_control[i],
            notes=self.notes,
        )

    def constants(self) -> dict[str, NDArray[Any]]:
        """Give the counts, as observed."""
        names = ("events_treated", "n_treated", "events_control", "n_control")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True, slots=True)
class BinomialLikelihood:
    """Exact binomial likelihood of a 2x2 table, with the log odds ratio as effect.

    r_control ~ Bin(n_control, expit(a)), r_treated ~ Bin(n_treated, expit(a + theta)), with an
    independent prior of the control arm's log odds `a` in each study, integrated out. Zero cells
    need no correction and contribute what they contribute.

    Parameters
    ----------
    baseline : Prior
        Proper prior of a study's control log odds; ``normal(0, 10)`` is the documented default.

    Examples
    --------
    >>> import bayesmeta as bm
    >>> str(BinomialLikelihood(baseline=bm.Normal(0, 10)).baseline)
    'normal(0, 10)'
    """

    baseline: Prior
    name: ClassVar[str] = "binomial"

    def __post_init__(self) -> None:
        if not self.baseline.proper or self.baseline.support != (-math.inf, math.inf):
            raise ModelError(
                f"The binomial likelihood needs a proper baseline prior on the whole line, not "
                f"{self.baseline}. Use normal(0, 10), which is wide on the log-odds scale"
            )

    def __str__(self) -> str:
        return self.name

    def prepare(
        self,
        studies: StudyTable,
        measure: Measure,
        correction: Correction,  # noqa: ARG002
    ) -> BinomialData:
        """Take the counts as they are; no correction is ever applied."""
        if measure.name != "OR":
            raise ModelError(
                f"The binomial likelihood is offered for OR here, not for {measure.name}. "
                "Use measure OR, or the normal likelihood"
            )
        counts = studies.two_arm()
        return BinomialData(
            studies=counts.study,
            events_treated=counts.events_treated.astype(np.float64),
            n_treated=counts.n_treated.astype(np.float64),
            events_control=counts.events_control.astype(np.float64),
            n_control=counts.n_control.astype(np.float64),
        )

    def log_g(self, data: BinomialData, theta: FloatArray) -> FloatArray:
        """Log probability of each table given theta (study, node), the control risk integrated out.

        The integrand is log-concave in `a` for a log-concave baseline: it is integrated about its
        own peak, wherever theta puts it.
        """
        study = np.repeat(np.arange(len(data.studies)), theta.shape[1])
        r_t, n_t = data.events_treated[study], data.n_treated[study]
        r_c, n_c = data.events_control[study], data.n_control[study]
        shift = theta.reshape(-1)

        def log_integrand(a: FloatArray, pair: IndexArray) -> FloatArray:
            i = pair[:, None]
            b = a + shift[i]
            arms = r_c[i] * a - n_c[i] * _softplus(a) + r_t[i] * b - n_t[i] * _softplus(b)
            out: FloatArray = arms + self.baseline.logpdf(a)
            return out

        # the peak lies between the arms' own log odds: begin at the best of three places
        p_t, p_c = (r_t + 0.5) / (n_t + 1), (r_c + 0.5) / (n_c + 1)
        i_t, i_c = n_t * p_t * (1 - p_t), n_c * p_c * (1 - p_c)
        logit_t, logit_c = np.log(p_t / (1 - p_t)), np.log(p_c / (1 - p_c))
        both = (i_c * logit_c + i_t * (logit_t - shift)) / (i_c + i_t)
        starts = np.stack([both, logit_c, logit_t - shift], axis=1)
        best = log_integrand(starts, np.arange(len(study))).argmax(axis=1)
        start = starts[np.arange(len(study)), best]
        integral = integrate_peak(log_integrand, start, np.sqrt(1 / (i_c + i_t)))
        integral = integral.reshape(theta.shape)
        coefficient = _log_choose(data.n_treated, data.events_treated)
        coefficient = coefficient + _log_choose(data.n_control, data.events_control)
        return integral + coefficient[:, None]

    def vanishes(self, data: BinomialData) -> NDArray[np.bool_]:
        """0 at an end unless the treated arm's counts agree with a risk of 0 (or 1) there.

        As theta -> -inf the treated risk goes to 0 whatever the control risk is, so g tends to a
        constant where the treated arm has no event, and to 0 elsewhere; at +inf the same with
        non-events.
        """
        return np.stack([data.events_treated > 0, data.events_treated < data.n_treated], axis=1)

    def observe(
        self,
        data: BinomialData,
        mu: "TensorVariable[Any, Any]",
        tau: "TensorVariable[Any, Any]",
        *,
        common: bool,
    ) -> None:
        """Add the arms to the PyMC model in context, with theta and the control log odds explicit.

        theta is whitened by its own conditional normal. Given theta the control log odds lie about
        ``pooled - share * theta``, with `share` the treated arm's part of the information, and are
        whitened about that. Where no patient (or every patient) had the event, nothing but the
        baseline prior ends their tail on that side, and the coordinates lean towards it.
        """
        import pymc as pm

        theta = whitened_effects(mu, tau, data.y, data.se, common=common)
        a, b, c, d = data._cells
        i_t, i_c = a * b / (a + b), c * d / (c + d)
        share = i_t / (i_t + i_c)
        wall = np.sqrt(1 / (i_t + i_c))
        low, high = self.baseline.quantile(np.array([0.16, 0.84]))
        tail = np.maximum((high - low) / 2, wall)
        events = data.events_treated + data.events_control
        side = 1.0 * (events == data.n_treated + data.n_control) - (events == 0)
        lean = side * np.log(tail / wall) / 2
        kind, arguments = self.baseline.pymc_form()
        control = whitened(
            "a",
            distribution=lambda: getattr(pm, kind).dist(**arguments),
            draw=lambda rng, size: self.baseline.quantile(rng.random(size)),
            location=np.log(c / d) + share * (data.y - theta),
            scale=wall * np.exp(np.abs(lean)),
            lean=lean,
            dims=("study",),
        )
        arms = {
            "control": (control, data.events_control, data.n_control),
            "treated": (control + theta, data.events_treated, data.n_treated),
        }
        for arm, (log_odds, events, n) in arms.items():
            pm.Binomial(
                f"events_{arm}",
                n.astype(np.int64),
                logit_p=log_odds,
                observed=events.astype(np.int64),
                dims="study",
            )

    def replicate(
        self, data: BinomialData, theta: FloatArray, rng: np.random.Generator
    ) -> dict[str, FloatArray]:
        """Draw events of both arms given theta (..., study), each (..., study).

        The control log odds are drawn from their posterior given theta and the observed table.
        """
        names = ("events_treated", "n_treated", "events_control", "n_control")
        r_t, n_t, r_c, n_c = (
            np.broadcast_to(getattr(data, name), theta.shape).reshape(-1) for name in names
        )
        shift = theta.reshape(-1)

        def log_density(a: FloatArray, pair: IndexArray) -> FloatArray:
            i = pair[:, None]
            b = a + shift[i]
            arms = r_c[i] * a - n_c[i] * _softplus(a) + r_t[i] * b - n_t[i] * _softplus(b)
            out: FloatArray = arms + self.baseline.logpdf(a)
            return out

        p_t, p_c = (r_t + 0.5) / (n_t + 1), (r_c + 0.5) / (n_c + 1)
        i_t, i_c = n_t * p_t * (1 - p_t), n_c * p_c * (1 - p_c)
        logit_t, logit_c = np.log(p_t / (1 - p_t)), np.log(p_c / (1 - p_c))
        center = (i_c * logit_c + i_t * (logit_t - shift)) / (i_c + i_t)
        control = draw_nuisance(log_density, center, np.sqrt(1 / (i_c + i_t)), rng)
        arms = {"treated": (n_t, control + shift), "control": (n_c, control)}
        return {
            f"events_{arm}": rng.binomial(n.astype(np.int64), expit(log_odds))
            .astype(np.float64)
            .reshape(theta.shape)
            for arm, (n, log_odds) in arms.items()
        }


def _softplus(x: FloatArray) -> FloatArray:
    """log(1 + exp(x)) without overflow; relative accuracy at both ends."""
    out: FloatArray = np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))
    return out


def _log_choose(n: FloatArray, r: FloatArray) -> FloatArray:
    out: FloatArray = -np.log1p(n) - betaln(r + 1, n - r + 1)
    return out
