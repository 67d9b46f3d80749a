"""Pooling of events in person-time on the raw counts: Mantel-Haenszel."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from bayesmeta.frequentist.counts.tables import (
    CountEstimate,
    require_positive,
    require_separate_controls,
)
from bayesmeta.scales import FloatArray
from bayesmeta.studies.arrays import TwoArmRates
from bayesmeta.studies.trial_design import TrialDesign

type BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PersonTime:
    """Events and person-time as Mantel and Haenszel's sums want them; batch axes first.

    Attributes
    ----------
    x1, t1, x2, t2 : (..., study)
        Events and person-time of the treated, then of the control arm.
    """

    x1: FloatArray
    t1: FloatArray
    x2: FloatArray
    t2: FloatArray

    @classmethod
    def of(cls, rates: TwoArmRates, design: TrialDesign) -> Self:
        """Take the cells from the rates of two arms, those of cluster trials over design effects.

        Raises
        ------
        NotEstimableError
            Studies share a control arm that is not split.
        """
        require_separate_controls(correlated=design.correlated)
        effect = design.design_effect
        return cls(
            x1=rates.events_treated / effect,
            t1=rates.time_treated / effect,
            x2=rates.events_control / effect,
            t2=rates.time_control / effect,
        )

    @property
    def has_zero(self) -> BoolArray:
        """Mark (..., study) studies with an arm without events."""
        return np.asarray((self.x1 == 0) | (self.x2 == 0))

    @property
    def double_zero(self) -> BoolArray:
        """Mark (..., study) studies without events in either arm."""
        return np.asarray((self.x1 == 0) & (self.x2 == 0))


def mantel_haenszel_irr(cells: PersonTime) -> CountEstimate:
    """Pool the log incidence rate ratio by Mantel and Haenszel; nothing is added to the events.

    Parameters
    ----------
    cells : PersonTime
        Events and person-time (..., study).

    Returns
    -------
    CountEstimate
        Log rate ratio, treated against control, with the Greenland-Robins error.

    Raises
    ------
    NotEstimableError
        An arm has no event in any study.

    References
    ----------
    Rothman, Greenland and Lash (2008), Modern Epidemiology, 3rd ed., chapter 15; the variance,
    Greenland and Robins (1985), Biometrics 41:55.

    Examples
    --------
    >>> cells = [np.array([x]) for x in (10.0, 100.0, 20.0, 100.0)]
    >>> one = PersonTime(x1=cells[0], t1=cells[1], x2=cells[2], t2=cells[3])
    >>> pooled = mantel_haenszel_irr(one)
    >>> round(float(np.exp(pooled.estimate)), 6), round(float(pooled.se**2), 6)
    (0.5, 0.15)
    """
    share1, share2 = _shares(cells)
    R, S = (cells.x1 * share2).sum(-1), (cells.x2 * share1).sum(-1)
    require_positive(R, "the weighted sum of the treated arms' events")
    require_positive(S, "the weighted sum of the control arms' events")
    variance = (share1 * share2 * (cells.x1 + cells.x2)).sum(-1) / (R * S)
    return CountEstimate(estimate=np.asarray(np.log(R / S)), se=np.asarray(np.sqrt(variance)))


def mantel_haenszel_ird(cells: PersonTime) -> CountEstimate:
    """Pool the incidence rate difference by Mantel and Haenszel.

    Parameters
    ----------
    cells : PersonTime
        Events and person-time (..., study).

    Returns
    -------
    CountEstimate
        Rate of the treated minus rate of the controls, per unit of the person-time.

    Raises
    ------
    NotEstimableError
        No study has an event.

    References
    ----------
    Rothman, Greenland and Lash (2008), Modern Epidemiology, 3rd ed., chapter 15; the variance,
    Greenland and Robins (1985), Biometrics 41:55.

    Examples
    --------
    >>> cells = [np.array([x]) for x in (10.0, 100.0, 20.0, 100.0)]
    >>> one = PersonTime(x1=cells[0], t1=cells[1], x2=cells[2], t2=cells[3])
    >>> pooled = mantel_haenszel_ird(one)
    >>> round(float(pooled.estimate), 6), round(float(pooled.se**2), 6)
    (-0.1, 0.003)
    """
    share1, share2 = _shares(cells)
    weight = (share1 * cells.t2).sum(-1)
    difference = (cells.x1 * share2 - cells.x2 * share1).sum(-1) / weight
    variance = (cells.x1 * share2**2 + cells.x2 * share1**2).sum(-1) / weight**2
    require_positive(variance, "the variance of the rate difference")
    return CountEstimate(estimate=np.asarray(difference), se=np.asarray(np.sqrt(variance)))


def _shares(cells: PersonTime) -> tuple[FloatArray, FloatArray]:
    """Give the arms' shares of each study's person-time."""
    total = cells.t1 + cells.t2
    return np.asarray(cells.t1 / total), np.asarray(cells.t2 / total)
