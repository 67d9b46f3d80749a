"""Poisson likelihood of events in person-time, the control arm's rate integrated out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from bayesmeta.effects import Correction, Measure
from bayesmeta.effects.rates import log_rate_ratio
from bayesmeta.likelihoods.nuisance import (
    IndexArray,
    LogIntegrand,
    integrate_peak,
    prior_landmarks,
)
from bayesmeta.likelihoods.replicate import draw_nuisance
from bayesmeta.likelihoods.requirements import (
    require_baseline,
    require_independence,
    require_measure,
)
from bayesmeta.likelihoods.special import log_binomial, stirling_rest
from bayesmeta.likelihoods.tables import take_rows
from bayesmeta.likelihoods.whitened import whitened_baseline, whitened_effects
from bayesmeta.priors import Normal, Prior
from bayesmeta.scales import FloatArray
from bayesmeta.studies import StudyTable

if TYPE_CHECKING:
    from pytensor.tensor.variable import TensorVariable

    type Tensor = TensorVariable[Any, Any]

_NUMBERS = ("events_treated", "time_treated", "events_control", "time_control")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PoissonData:
    """Events and person-time of two arms, one row a study; all arrays (study,).

    `y` and `se` are the log rate ratio and its standard error with 1/2 added to the events of both
    arms: where the engines look first, never what they compute.
    """

    studies: tuple[str, ...]
    events_treated: FloatArray
    time_treated: FloatArray
    events_control: FloatArray
    time_control: FloatArray
    y: FloatArray
    se: FloatArray
    notes: tuple[str, ...] = ()

    def take(self, index: Sequence[int] | NDArray[np.intp]) -> "PoissonData":
        """Give the studies at `index`, in that order."""
        return take_rows(self, index)

    def constants(self) -> dict[str, NDArray[Any]]:
        """Give events and person-time, as observed."""
        return {name: getattr(self, name) for name in _NUMBERS}


@dataclass(frozen=True, slots=True)
class PoissonLikelihood:
    """Exact Poisson likelihood of the events of two arms, with the log rate ratio as effect.

    x_control ~ Poisson(t_control exp(a)), x_treated ~ Poisson(t_treated exp(a + theta)), with an
    independent prior of the control arm's log rate `a` in each study, integrated out.

    Parameters
    ----------
    baseline : Prior
        Proper prior of a study's control log rate, per unit of the table's person-time;
        ``normal(0, 10)`` is that of the command line. Changing the unit of time by a factor f moves
        the log rates by log f against it: under so wide a prior that hardly shows, but where a
        control arm has no event the prior decides how small its rate may be. Give the person-time
        in a unit in which rates are neither very small nor very large, or move the prior along.

    Examples
    --------
    >>> import bayesmeta as bm
    >>> data = PoissonLikelihood(bm.Normal(0, 10)).prepare(
    ...     bm.load("nielweise2008"), bm.MEASURES["IRR"], "none")
    >>> data.y.round(2)[:2]
    array([-0.04, -0.09])
    """

    baseline: Prior
    name: ClassVar[str] = "poisson"

    def __post_init__(self) -> None:
        require_baseline(self.baseline, self.name, "log-rate")

    def __str__(self) -> str:
        return self.name

    def prepare(
        self,
        studies: StudyTable,
        measure: Measure,
        correction: Correction,  # noqa: ARG002
    ) -> PoissonData:
        """Take events and person-time as they are; no correction is ever applied."""
        require_measure(self.name, measure, "IRR")
        require_independence(self.name, studies)
        rates = studies.rates()
        x1, x2 = (x.astype(np.float64) for x in (rates.events_treated, rates.events_control))
        y, v = log_rate_ratio(x1 + 0.5, rates.time_treated, x2 + 0.5, rates.time_control)
        return PoissonData(
            studies=rates.study,
            events_treated=x1,
            time_treated=rates.time_treated,
            events_control=x2,
            time_control=rates.time_control,
            y=y,
            se=np.sqrt(v),
        )

    def log_g(self, data: PoissonData, theta: FloatArray) -> FloatArray:
        """Log probability of the events given theta (study, node), the control rate integrated out.

        With x all events and T(theta) = t_c + t_t exp(theta), it is that of x, Poisson with mean
        T exp(a), times the binomial one of their split. In w = a + log T - log x the former is
        exp(-x (exp(w) - 1 - w)) times its value at w = 0, so that no digits cancel.
        """
        study = np.repeat(np.arange(len(data.studies)), theta.shape[1])
        place = _place(data, study, theta.reshape(-1))
        log_integrand, start, width = self._integrand(data, study, place)
        landmarks = None
        if not isinstance(self.baseline, Normal):
            landmarks = prior_landmarks(self.baseline)[None] - place[:, None]
        alike = theta.shape[1]
        integral = integrate_peak(log_integrand, start, width, landmarks=landmarks, alike=alike)
        x_t = data.events_treated[:, None]
        x = x_t + data.events_control[:, None]
        log_odds = theta + np.log(data.time_treated / data.time_control)[:, None]
        split = np.where(x > 0, log_binomial(x_t, np.maximum(x, 1.0), log_odds), 0.0)
        return integral.reshape(theta.shape) + split - stirling_rest(x)

    def _integrand(
        self, data: PoissonData, study: IndexArray, place: FloatArray
    ) -> tuple[LogIntegrand, FloatArray, FloatArray]:
        """Log density of w for pairs (pair,), up to a constant, and where and how wide it is."""
        x = (data.events_treated + data.events_control)[study]

        def log_integrand(w: FloatArray, pair: IndexArray) -> FloatArray:
            i = pair[:, None]
            near = np.minimum(w, 600.0)
            fall = np.where(x[i] > 0, x[i] * (np.expm1(near) - near), np.exp(near))
            out: FloatArray = self.baseline.logpdf(w + place[i])
            return out - fall

        # begin at the data's rate, or where the prior is: the better of them
        by_data = np.log((x + 0.5) / np.maximum(x, 1.0))
        starts = np.stack([by_data, self.baseline.quantile(np.array(0.5)) - place], 1)
        everything = np.arange(len(study))
        start = starts[everything, log_integrand(starts, everything).argmax(axis=1)]
        return log_integrand, start, 1 / np.sqrt(x + 0.5)

    def replicate(
        self, data: PoissonData, theta: FloatArray, rng: np.random.Generator
    ) -> dict[str, FloatArray]:
        """Draw events of both arms given theta (..., study), each (..., study).

        The control rate is drawn from its posterior given theta and the observed events.
        """
        study = np.broadcast_to(np.arange(len(data.studies)), theta.shape).reshape(-1)
        place = _place(data, study, theta.reshape(-1))
        w = draw_nuisance(*self._integrand(data, study, place), rng)
        level = (w + place).reshape(theta.shape)
        means = {"treated": data.time_treated * np.exp(level + theta),
                 "control": data.time_control * np.exp(level)}  # fmt: skip
        return {f"events_{arm}": rng.poisson(mean).astype(np.float64) for arm, mean in
                means.items()}  # fmt: skip

    def vanishes(self, data: PoissonData) -> NDArray[np.bool_]:
        """0 at +inf always; at -inf unless the treated arm has no event.

        As theta -> inf the control rate must go to 0 for the treated one to stay finite, and its
        prior does not let it.
        """
        return np.stack([data.events_treated > 0, np.ones(len(data.y), dtype=bool)], axis=1)

    def observe(self, data: PoissonData, mu: "Tensor", tau: "Tensor", *, common: bool) -> None:
        """Add the arms to the PyMC model in context, with theta and the control log rate explicit.

        theta is whitened by its own conditional normal, the control log rate by its own given
        theta; without events it leans towards the prior's lower tail.
        """
        import pymc as pm

        theta = whitened_effects(mu, tau, data.y, data.se, common=common)
        a, c = data.events_treated + 0.5, data.events_control + 0.5
        level = whitened_baseline(
            "a",
            self.baseline,
            location=np.log(c / data.time_control) + a / (a + c) * (data.y - theta),
            wall=np.sqrt(1 / (a + c)),
            side=-1.0 * (a + c == 1),
        )
        for arm, log_rate in (("control", level), ("treated", level + theta)):
            pm.Poisson(
                f"events_{arm}",
                getattr(data, f"time_{arm}") * pm.math.exp(log_rate),
                observed=getattr(data, f"events_{arm}").astype(np.int64),
                dims="study",
            )


def _place(data: PoissonData, study: IndexArray, theta: FloatArray) -> FloatArray:
    """Log of x / (t_c + t_t exp(theta)) for pairs (pair,): the control log rate less w."""
    treated = np.log(data.time_treated)[study] + theta
    events = np.maximum(data.events_treated + data.events_control, 1.0)
    return np.log(events)[study] - np.logaddexp(np.log(data.time_control)[study], treated)
