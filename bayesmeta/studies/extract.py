"""The arrays of a study table, taken from the rows of its frame: one row per study each."""

import numpy as np
import pandas as pd

from bayesmeta.scales import FloatArray
from bayesmeta.studies.arrays import (
    Contrasts,
    Correlations,
    IntArray,
    Pairs,
    SingleCounts,
    SingleRates,
    TwoArmCounts,
    TwoArmMeans,
    TwoArmRates,
)
from bayesmeta.studies.trial_design import TrialDesign

type Studies = tuple[str, ...]


def two_arm_counts(
    study: Studies, treated: pd.DataFrame, control: pd.DataFrame, design: TrialDesign
) -> TwoArmCounts:
    """Take counts of two arms; shared control arms divided, where the design says so."""
    share = design.control_share
    return TwoArmCounts(
        study=study,
        events_treated=_integers(treated["events"]),
        n_treated=_integers(treated["n"]),
        events_control=_shares(control["events"], share),
        n_control=_shares(control["n"], share),
        design_effect=design.design_effect if design.clustered else None,
        correlated=design.correlated,
    )


def two_arm_means(
    study: Studies, treated: pd.DataFrame, control: pd.DataFrame, design: TrialDesign
) -> TwoArmMeans:
    """Take means, standard deviations and sizes of two arms."""
    return TwoArmMeans(
        study=study,
        mean_treated=_floats(treated["mean"]),
        sd_treated=_floats(treated["sd"]),
        n_treated=_integers(treated["n"]),
        mean_control=_floats(control["mean"]),
        sd_control=_floats(control["sd"]),
        n_control=_shares(control["n"], design.control_share),
    )


def two_arm_rates(
    study: Studies, treated: pd.DataFrame, control: pd.DataFrame, design: TrialDesign
) -> TwoArmRates:
    """Take events and person-time of two arms."""
    share = design.control_share
    return TwoArmRates(
        study=study,
        events_treated=_integers(treated["events"]),
        time_treated=_floats(treated["time"]),
        events_control=_shares(control["events"], share),
        time_control=_floats(control["time"] * share),
    )


def pairs(study: Studies, frame: pd.DataFrame) -> Pairs:
    """Take the two measurements of the persons of one group."""
    names = ("mean_post", "sd_post", "mean_pre", "sd_pre", "r")
    return Pairs(study=study, n=_integers(frame["n"]), **{x: _floats(frame[x]) for x in names})


def single_counts(study: Studies, frame: pd.DataFrame) -> SingleCounts:
    """Take counts of one group."""
    return SingleCounts(study=study, events=_integers(frame["events"]), n=_integers(frame["n"]))


def single_rates(study: Studies, frame: pd.DataFrame) -> SingleRates:
    """Take events and person-time of one group."""
    return SingleRates(study=study, events=_integers(frame["events"]), time=_floats(frame["time"]))


def correlations(study: Studies, frame: pd.DataFrame) -> Correlations:
    """Take correlations and their numbers of pairs."""
    return Correlations(study=study, r=_floats(frame["r"]), n=_integers(frame["n"]))


def contrasts(study: Studies, frame: pd.DataFrame, provenance: pd.DataFrame) -> Contrasts:
    """Take estimates and variances, with where they come from."""
    return Contrasts(
        study=study,
        estimate=_floats(frame["estimate"]),
        variance=_floats(frame["variance"]),
        se_low=_floats(provenance["se_low"]),
        se_high=_floats(provenance["se_high"]),
        how=tuple(provenance["how"]),
        notes=tuple(provenance["note"]),
    )


def _shares(column: pd.Series, share: FloatArray) -> IntArray | FloatArray:
    """Copy a column of counts, each times a share: whole numbers where all shares are 1."""
    return _integers(column) if (share == 1).all() else _floats(column * share)


def _integers(column: pd.Series) -> IntArray:
    """Copy a column into a read-only array of int64."""
    array = column.to_numpy(dtype=np.int64, copy=True)
    array.setflags(write=False)
    return array


def _floats(column: pd.Series) -> FloatArray:
    """Copy a column into a read-only array of float64."""
    array = column.to_numpy(dtype=np.float64, copy=True)
    array.setflags(write=False)
    return array
