"""The arrays that computations take from a study table; all of them read-only."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bayesmeta.scales import FloatArray

type IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TwoArmCounts:
    """Counts of two-arm studies.

    Attributes
    ----------
    study : tuple of str
        Labels, in the order of the table.
    events_treated, n_treated, events_control, n_control : (study,)
        Patients with the event, and all patients, of each arm; fractions where a control arm is
        divided among the studies that share it.
    design_effect : (study,) or None
        Factor of the sampling variance of cluster trials; None: all 1.
    correlated : bool
        Some studies share their control arm.
    """

    study: tuple[str, ...]
    events_treated: IntArray
    n_treated: IntArray
    events_control: IntArray | FloatArray
    n_control: IntArray | FloatArray
    design_effect: FloatArray | None = None
    correlated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Contrasts:
    """One estimate per study.

    Attributes
    ----------
    study : tuple of str
        Labels, in the order of the table.
    estimate : (study,)
        Estimates, on the analysis scale.
    variance : (study,)
        Sampling variances, in squared units of `estimate`.
    se_low, se_high : (study,)
        Between which the printed digits leave the standard error; NaN where they are not known.
    how : tuple of str
        Where the standard error comes from, in words.
    notes : tuple of str
        What to know of each row; "" where there is nothing to say.
    """

    study: tuple[str, ...]
    estimate: FloatArray
    variance: FloatArray
    se_low: FloatArray
    se_high: FloatArray
    how: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TwoArmMeans:
    """Means of two-arm studies.

    Attributes
    ----------
    study : tuple of str
        Labels, in the order of the table.
    mean_treated, sd_treated, mean_control, sd_control : (study,)
        Mean and standard deviation (of persons, not of the mean) of each arm, in the unit of the
        outcome.
    n_treated, n_control : (study,)
        Persons of each arm.
    """

    study: tuple[str, ...]
    mean_treated: FloatArray
    sd_treated: FloatArray
    n_treated: IntArray
    mean_control: FloatArray
    sd_control: FloatArray
    n_control: IntArray | FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TwoArmRates:
    """Events and person-time of two-arm studies.

    Attributes
    ----------
    study : tuple of str
        Labels, in the order of the table.
    events_treated, events_control : (study,)
        Events of each arm.
    time_treated, time_control : (study,)
        Person-time of each arm, in one unit.
    """

    study: tuple[str, ...]
    events_treated: IntArray
    time_treated: FloatArray
    events_control: IntArray | FloatArray
    time_control: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SingleCounts:
    """Counts of studies of one group.

    Attributes
    ----------
    study : tuple of str
        Labels, in the order of the table.
    events, n : (study,)
        Persons with the event, and all persons.
    """

    study: tuple[str, ...]
    events: IntArray
    n: IntArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SingleRates:
    """Events and person-time of studies of one group.

    Attributes
    ----------
    study : tuple of str
        Labels, in the order of the table.
    events : (study,)
        Events.
    time : (study,)
        Person-time, in one unit.
    """

    study: tuple[str, ...]
    events: IntArray
    time: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Correlations:
    """One correlation per study.

    Attributes
    ----------
    study : tuple of str
        Labels, in the order of the table.
    r : (study,)
        Pearson correlations, in (-1, 1).
    n : (study,)
        Pairs of observations.
    """

    study: tuple[str, ...]
    r: FloatArray
    n: IntArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pairs:
    """Two measurements of the same persons, one group per study.

    Attributes
    ----------
    study : tuple of str
        Labels, in the order of the table.
    mean_post, sd_post, mean_pre, sd_pre : (study,)
        Mean and standard deviation of persons after (or under treatment) and before (or under
        control), in the unit of the outcome.
    n : (study,)
        Persons.
    r : (study,)
        Correlation of the two measurements, in (-1, 1).
    """

    study: tuple[str, ...]
    mean_post: FloatArray
    sd_post: FloatArray
    mean_pre: FloatArray
    sd_pre: FloatArray
    n: IntArray
    r: FloatArray
