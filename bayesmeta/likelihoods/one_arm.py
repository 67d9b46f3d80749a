"""Exact likelihoods of one group per study: events out of n, and events in person-time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, cast

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, xlog1py, xlogy

from bayesmeta.effects import Correction, Measure
from bayesmeta.likelihoods.requirements import require_independence, require_measure
from bayesmeta.likelihoods.special import log_choose, softplus, stirling_rest
from bayesmeta.likelihoods.tables import take_rows
from bayesmeta.likelihoods.whitened import whitened_effects
from bayesmeta.scales import FloatArray
from bayesmeta.studies import StudyTable

if TYPE_CHECKING:
    from pytensor.tensor.variable import TensorVariable

    type Tensor = TensorVariable[Any, Any]

type OneArmMeasure = Literal["PLO", "PR", "IRLN"]

_LOCATION = (
    "probabilities lie in (0, 1): the true ones are normal about mu with SD tau, cut to it and "
    "normalised, and so is the prior of mu; mu is their location, the mean of theta_new theirs"
)
_DROP = 34.0  # log units by which the mass in log odds has fallen where a table ends


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OneArmData:
    """Events of one group, and its size: persons (PLO, PR) or person-time (IRLN); (study,) each.

    `y` and `se` are the effect and its standard error with 1/2 added to the counts: where the
    engines look first, never what they compute.
    """

    studies: tuple[str, ...]
    measure: OneArmMeasure
    events: FloatArray
    size: FloatArray
    y: FloatArray
    se: FloatArray
    notes: tuple[str, ...] = ()

    @property
    def domain(self) -> tuple[float, float] | None:
        """Bounds of the effect, where it has any."""
        return (0.0, 1.0) if self.measure == "PR" else None

    @property
    def ends(self) -> FloatArray | None:
        """How far the likelihood of a probability matters towards 0 and 1, (study, 2).

        In log odds it is no more than the binomial coefficient times the distance to a bound to
        the power of what speaks against the bound, and 1; at these points that is e^-34.
        """
        if self.measure != "PR":
            return None
        against = np.stack([self.events, self.size - self.events], axis=1)
        log_room = -(_DROP + log_choose(self.size, self.events)[:, None]) / (against + 1)
        low, high = np.exp(log_room).T
        return np.stack([low, 1 - high], axis=1)

    def take(self, index: Sequence[int] | NDArray[np.intp]) -> "OneArmData":
        """Give the studies at `index`, in that order."""
        return take_rows(self, index)

    def constants(self) -> dict[str, NDArray[Any]]:
        """Give events and size, as observed."""
        return {"events": self.events, "time" if self.measure == "IRLN" else "n": self.size}


@dataclass(frozen=True, slots=True)
class OneArmLikelihood:
    """Events of one group: binomial (PLO, PR), or Poisson (IRLN).

    theta is the log odds (PLO), the probability itself (PR) or the log rate (IRLN). Probabilities
    lie in (0, 1): their random effects and the prior of mu are cut to it, and normalised. There is
    nothing else to integrate out, and no correction of groups without an event.

    Examples
    --------
    >>> import bayesmeta as bm
    >>> likelihood = OneArmLikelihood()
    >>> data = likelihood.prepare(bm.load("pritz1997"), bm.MEASURES["PLO"], "none")
    >>> likelihood.log_g(data, np.zeros((14, 1))).shape
    (14, 1)
    """

    name: ClassVar[str] = "one_arm"

    def __str__(self) -> str:
        return self.name

    def prepare(
        self,
        studies: StudyTable,
        measure: Measure,
        correction: Correction,  # noqa: ARG002
    ) -> OneArmData:
        """Take the counts as they are; no correction is ever applied."""
        require_measure(self.name, measure, "PLO", "PR", "IRLN")
        require_independence(self.name, studies)
        if measure.name == "IRLN":
            rates = studies.single_rates()
            study, events, size = rates.study, rates.events.astype(np.float64), rates.time
            others = size
        else:
            counts = studies.single()
            study = counts.study
            events, size = counts.events.astype(np.float64), counts.n.astype(np.float64)
            others = size - events + 0.5
        assert measure.compute is not None  # both have a formula
        y, v = measure.compute(events + 0.5, others)
        return OneArmData(
            studies=study,
            measure=cast(OneArmMeasure, measure.name),
            events=events,
            size=size,
            y=y,
            se=np.sqrt(v),
            notes=(_LOCATION,) if measure.name == "PR" else (),
        )

    def log_g(self, data: OneArmData, theta: FloatArray) -> FloatArray:
        """Log probability of the events at theta (study, node)."""
        x, size = data.events[:, None], data.size[:, None]
        if data.measure == "IRLN":
            away = np.minimum(theta - np.log(np.maximum(x, 1.0) / size), 700.0)  # from the peak
            fall = np.where(x > 0, x * (np.expm1(away) - away), np.exp(away))
            return -fall - stirling_rest(x)
        if data.measure == "PR":
            coefficient = log_choose(data.size, data.events)[:, None]
            return xlogy(x, theta) + xlog1py(size - x, -theta) + coefficient
        return x * theta - size * softplus(theta) + log_choose(data.size, data.events)[:, None]

    def replicate(
        self, data: OneArmData, theta: FloatArray, rng: np.random.Generator
    ) -> dict[str, FloatArray]:
        """Draw events given theta (..., study)."""
        if data.measure == "IRLN":
            events = rng.poisson(data.size * np.exp(theta))
        else:
            events = rng.binomial(data.size.astype(np.int64), expit(theta))
        return {"events": events.astype(np.float64)}

    def vanishes(self, data: OneArmData) -> NDArray[np.bool_]:
        """0 at an end unless nobody (or everybody) had the event; a rate vanishes at +inf."""
        full = (data.measure != "IRLN") & (data.events == data.size)
        return ~np.stack([data.events == 0, full], axis=1)

    def observe(self, data: OneArmData, mu: "Tensor", tau: "Tensor", *, common: bool) -> None:
        """Add the groups to the PyMC model in context, theta whitened by its conditional."""
        import pymc as pm

        theta = whitened_effects(mu, tau, data.y, data.se, common=common, domain=data.domain)
        events = data.events.astype(np.int64)
        if data.measure == "IRLN":
            mean = data.size * pm.math.exp(theta)
            pm.Poisson("events", mean, observed=events, dims="study")
            return
        n = data.size.astype(np.int64)
        risk = {"p": theta} if data.measure == "PR" else {"logit_p": theta}
        pm.Binomial("events", n, observed=events, dims="study", **risk)
