"""The arrays that computations take from a study table; all of them read-only."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
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
        Patients with the event, and all patients, of each arm.
    """

    study: tuple[str, ...]
    events_treated: IntArray
    n_treated: IntArray
    events_control: IntArray
    n_control: IntArray


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
    """

    study: tuple[str, ...]
    estimate: FloatArray
    variance: FloatArray


def integers(column: pd.Series) -> IntArray:
    """Copy a column into a read-only array of int64."""
    array = column.to_numpy(dtype=np.int64, copy=True)
    array.setflags(write=False)
    return array


def floats(column: pd.Series) -> FloatArray:
    """Copy a column into a read-only array of float64."""
    array = column.to_numpy(dtype=np.float64, copy=True)
    array.setflags(write=False)
    return array
