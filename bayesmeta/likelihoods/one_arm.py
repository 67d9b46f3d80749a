"""Exact likelihoods of one group per study: events out of n, and events in person-time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, cast

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, gammaln

from bayesmeta.effects import Correction, Measure
from bayesmeta.likelihoods.requirements import require_independence, require_measure
from bayesmeta.likelihoods.special import log_choose, softplus
from bayesmeta.likelihoods.tables import take_rows
from bayesmeta.likelihoods.whitened import whitened_effects
from bayesmeta.scales import FloatArray
from bayesmeta.studies import StudyTable

if TYPE_CHECKING:
    from pytensor.tensor.variable import TensorVariable

    type Tensor = TensorVariable[Any, Any]

type OneArmMeasure = Literal["PLO", "IRLN"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OneArmData:
    """Events of one group, and its size: persons (PLO) or person-time (IRLN); (study,) each.

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

    def take(self, index: Sequence[int] | NDArray[np.intp]) -> "OneArmData":
        """Give the studies at `index`, in that order."""
        return take_rows(self, index)

    def constants(self) -> dict[str, NDArray[Any]]:
        """Give events and size, as observed."""
        return {"events": self.events, "time" if self.measure == "IRLN" else "n": self.size}


@dataclass(frozen=True, slots=True)
class OneArmLikelihood:
    """Events of one group: binomial with log odds theta (PLO), Poisson with log rate theta (IRLN).

    There is nothing else to integrate out, and no correction of groups without an event.

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
        require_measure(self.name, measure, "PLO", "IRLN")
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
        )

    def log_g(self, data: OneArmData, theta: FloatArray) -> FloatArray:
        """Log probability of the events at theta (study, node)."""
        x, size = data.events[:, None], data.size[:, None]
        if data.measure == "IRLN":
            log_mean = theta + np.log(size)
            return x * log_mean - np.exp(np.minimum(log_mean, 700.0)) - gammaln(x + 1)
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
        full = (data.measure == "PLO") & (data.events == data.size)
        return ~np.stack([data.events == 0, full], axis=1)

    def observe(self, data: OneArmData, mu: "Tensor", tau: "Tensor", *, common: bool) -> None:
        """Add the groups to the PyMC model in context, theta whitened by its conditional."""
        import pymc as pm

        theta = whitened_effects(mu, tau, data.y, data.se, common=common)
        events = data.events.astype(np.int64)
        if data.measure == "IRLN":
            mean = data.size * pm.math.exp(theta)
            pm.Poisson("events", mean, observed=events, dims="study")
            return
        n = data.size.astype(np.int64)
        pm.Binomial("events", n, logit_p=theta, observed=events, dims="study")
