"""Binomial likelihood of 2x2 tables, the level of risk integrated out."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, cast, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from bayesmeta.effects import Correction, Measure
from bayesmeta.errors import ModelError
from bayesmeta.likelihoods.nuisance import (
    IndexArray,
    LogIntegrand,
    integrate_peak,
    prior_landmarks,
)
from bayesmeta.likelihoods.replicate import draw_nuisance
from bayesmeta.likelihoods.requirements import require_baseline, require_measure
from bayesmeta.likelihoods.risks import (
    RISK_MEASURES,
    RiskMeasure,
    arms_in_pymc,
    half_log_odds_ratio,
    log_odds_of_arms,
    nuisance_at,
)
from bayesmeta.likelihoods.special import softplus
from bayesmeta.likelihoods.tables import BinomialData
from bayesmeta.likelihoods.whitened import whitened_baseline, whitened_effects
from bayesmeta.priors import Normal, Prior
from bayesmeta.scales import FloatArray
from bayesmeta.studies import StudyTable

if TYPE_CHECKING:
    from pytensor.tensor.variable import TensorVariable

    type Tensor = TensorVariable[Any, Any]

type BaselineOf = Literal["control", "average"]


@dataclass(frozen=True, slots=True)
class BinomialLikelihood:
    """Exact binomial likelihood of a 2x2 table; OR, RR or RD as effect.

    Both arms' events are binomial. Besides the effect a study has a level of risk, with an
    independent prior in each study, which is integrated out: the control arm's log odds (OR), or
    the average of the two arms' log odds phi (RR and RD; OR on request). With phi every effect has
    one valid pair of risks, and exchanging the arms only changes signs. Zero cells need no
    correction and contribute what they contribute.

    Parameters
    ----------
    baseline : Prior
        Proper prior of a study's level of risk, in log odds; ``normal(0, 10)`` is that of the
        command line.
    baseline_of : {"control", "average"}, optional
        Whose log odds that is. Not given: "control" for OR, the field's convention, and "average"
        for RR and RD, which have no other.

    Examples
    --------
    >>> import bayesmeta as bm
    >>> str(BinomialLikelihood(baseline=bm.Normal(0, 10)).baseline)
    'normal(0, 10)'
    """

    baseline: Prior
    baseline_of: BaselineOf | None = None
    name: ClassVar[str] = "binomial"

    def __post_init__(self) -> None:
        require_baseline(self.baseline, self.name, "log-odds")
        if self.baseline_of not in (None, *get_args(BaselineOf.__value__)):
            raise ModelError(
                f'baseline_of = {self.baseline_of!r} is not known. Give "control" (OR only) or '
                '"average"'
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
        require_measure(self.name, measure, *RISK_MEASURES)
        if self.baseline_of == "control" and measure.name != "OR":
            raise ModelError(
                f"For {measure.name} the baseline is the average of the arms' log odds: a prior of "
                "the control arm's alone would not let every effect have valid risks. Give "
                'baseline_of = "average", or leave it out'
            )
        return BinomialData.of(studies, cast(RiskMeasure, measure.name), likelihood=self.name)

    def _of_control(self, data: BinomialData) -> bool:
        return data.measure == "OR" and self.baseline_of != "average"

    def log_g(self, data: BinomialData, theta: FloatArray) -> FloatArray:
        """Log probability of each table given theta (study, node), the level of risk integrated.

        The integrand is integrated about its own peak, wherever theta puts it. For OR it is
        log-concave under a log-concave prior; elsewhere a second mode of the prior's making is
        looked for.
        """
        study = np.repeat(np.arange(len(data.studies)), theta.shape[1])
        log_integrand, start, width = self._integrand(data, study, theta.reshape(-1))
        concave = data.measure == "OR" and isinstance(self.baseline, Normal)
        landmarks = None if concave else prior_landmarks(self.baseline)
        alike = theta.shape[1]
        integral = integrate_peak(log_integrand, start, width, landmarks=landmarks, alike=alike)
        return integral.reshape(theta.shape) + data.log_coefficient[:, None]

    def _log_odds(
        self, data: BinomialData, theta: FloatArray, level: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Log odds of the treated and of the control arm."""
        if self._of_control(data):
            return level + theta, level
        return log_odds_of_arms(data.measure, theta, level)

    def _integrand(
        self, data: BinomialData, study: IndexArray, theta: FloatArray
    ) -> tuple[LogIntegrand, FloatArray, FloatArray]:
        """Log density of (table, level) for pairs (pair,), and about where and how wide it is."""
        r_t, n_t = data.events_treated[study], data.n_treated[study]
        r_c, n_c = data.events_control[study], data.n_control[study]

        def log_integrand(level: FloatArray, pair: IndexArray) -> FloatArray:
            i = pair[:, None]
            treated, control = self._log_odds(data, theta[i], level)
            out = _log_odds_likelihood(r_t[i], n_t[i], treated)
            out += _log_odds_likelihood(r_c[i], n_c[i], control)
            out += self.baseline.logpdf(level)
            return out

        # the peak lies between the levels that the arms ask for: begin at the best of some places
        p_t, p_c = (r_t + 0.5) / (n_t + 1), (r_c + 0.5) / (n_c + 1)
        i_t, i_c = n_t * p_t * (1 - p_t), n_c * p_c * (1 - p_c)
        if self._of_control(data):
            logit_t, logit_c = np.log(p_t / (1 - p_t)), np.log(p_c / (1 - p_c))
            places = [logit_c, logit_t - theta]
        else:
            places = [
                nuisance_at(data.measure, theta, p_c),
                nuisance_at(data.measure, -theta, p_t),
            ]
        both = (i_c * places[0] + i_t * places[1]) / (i_c + i_t)
        starts = np.stack([both, *places], axis=1)
        everything = np.arange(len(study))
        start = starts[everything, log_integrand(starts, everything).argmax(axis=1)]
        return log_integrand, start, np.sqrt(1 / (i_c + i_t))

    def replicate(
        self, data: BinomialData, theta: FloatArray, rng: np.random.Generator
    ) -> dict[str, FloatArray]:
        """Draw events of both arms given theta (..., study), each (..., study).

        The level of risk is drawn from its posterior given theta and the observed table.
        """
        study = np.broadcast_to(np.arange(len(data.studies)), theta.shape).reshape(-1)
        flat = theta.reshape(-1)
        level = draw_nuisance(*self._integrand(data, study, flat), rng)
        out = {}
        for arm, log_odds in zip(
            ("treated", "control"), self._log_odds(data, flat, level), strict=True
        ):
            n = getattr(data, f"n_{arm}")[study].astype(np.int64)
            events = rng.binomial(n, expit(log_odds)).astype(np.float64)
            out[f"events_{arm}"] = events.reshape(theta.shape)
        return out

    def vanishes(self, data: BinomialData) -> NDArray[np.bool_]:
        """0 at an end unless the counts agree with the risks to which that end leads.

        With the control arm's log odds as baseline these are a treated risk of 0 (or 1) whatever
        the control risk is, so g tends to a constant where the treated arm has no event (or no
        non-event). With the average as baseline, which the prior keeps from going along, the
        treated risk goes to 0 and the control risk to 1 (or the reverse): only opposite arms full
        of events and empty of them agree with that, and a double-zero table does not.
        """
        no_event, all_events = data.events_treated == 0, data.events_treated == data.n_treated
        if self._of_control(data):
            return ~np.stack([no_event, all_events], axis=1)
        none_control, all_control = data.events_control == 0, data.events_control == data.n_control
        return ~np.stack([no_event & all_control, all_events & none_control], axis=1)

    def observe(
        self,
        data: BinomialData,
        mu: "Tensor",
        tau: "Tensor",
        *,
        common: bool,
    ) -> None:
        """Add the arms to the PyMC model in context, with theta and the level of risk explicit.

        theta is whitened by its own conditional normal. Given theta the level lies on a line, by
        the arms' informations at their observed log odds, and is whitened about that. Where no
        patient (or every patient) had the event, nothing but the baseline prior ends its tail on
        that side, and the coordinates lean towards it.
        """
        import pymc as pm

        theta = whitened_effects(mu, tau, data.y, data.se, common=common, domain=data.domain)
        a, b, c, d = data.cells
        i_t, i_c = a * b / (a + b), c * d / (c + d)
        logit_t, logit_c = np.log(a / b), np.log(c / d)
        if self._of_control(data):
            middle, rises, falls = logit_c, np.ones((2, len(a))), np.array([1.0, 0.0])[:, None]
        else:
            middle = (logit_t + logit_c) / 2
            by_phi, by_theta = _slopes(data, middle)
            rises, falls = np.stack([1 + by_phi, 1 - by_phi]), np.stack([by_theta, -by_theta])
        weight = np.stack([i_t, i_c]) * rises
        information = (weight * rises).sum(axis=0)
        share = (weight * falls).sum(axis=0) / information
        level = whitened_baseline(
            "a" if self._of_control(data) else "phi",
            self.baseline,
            location=middle + share * (data.y - theta),
            wall=np.sqrt(1 / information),
            side=data.one_sided,
        )
        if self._of_control(data):
            arms = {"control": {"logit_p": level}, "treated": {"logit_p": level + theta}}
        else:
            arms = arms_in_pymc(data.measure, theta, level)
        for arm, risk in arms.items():
            pm.Binomial(
                f"events_{arm}",
                getattr(data, f"n_{arm}").astype(np.int64),
                observed=getattr(data, f"events_{arm}").astype(np.int64),
                dims="study",
                **risk,
            )


def _log_odds_likelihood(r: FloatArray, n: FloatArray, log_odds: FloatArray) -> FloatArray:
    """Log of p^r (1 - p)^(n - r) of one arm; 0 far out where the arm agrees with a risk of 1."""
    out = r * log_odds
    unless = softplus(log_odds)
    unless *= n
    out -= unless
    return out


def _slopes(data: BinomialData, phi: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Differentiate half the log odds ratio in phi and in theta, at the data."""
    step, y = 1e-4, data.y

    def half(theta: FloatArray, phi: FloatArray) -> FloatArray:
        return half_log_odds_ratio(data.measure, theta, phi)

    by_phi = (half(y, phi + step) - half(y, phi - step)) / (2 * step)
    unit = step * data.se  # within (-1, 1) for a risk difference
    by_theta = (half(y + unit, phi) - half(y - unit, phi)) / (2 * unit)
    return by_phi, by_theta
