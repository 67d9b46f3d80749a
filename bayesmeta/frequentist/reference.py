"""The result of a frequentist analysis: a row per method, and the table of them."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Literal

import numpy as np
import pandas as pd

from bayesmeta.effects import get_measure

type IntervalMethod = Literal["wald", "t", "hksj", "hksj-adhoc", "henmi-copas", "profile"]
type PredictionMethod = Literal["metafor", "hts", "nagashima"]
type Tau2IntervalMethod = Literal["q-profile", "generalised-q"]

_NOT_IN_JSON = ("label", "level")
_ON_BOTH_SCALES = ("estimate", "ci_low", "ci_high", "pi_low", "pi_high")


@dataclass(frozen=True, slots=True, kw_only=True)
class PooledEstimate:
    """One pooled estimate, all numbers on the analysis scale (log for ratios); nan is undefined.

    Attributes
    ----------
    method, label : str
        Key in `METHODS`, or a rule that chooses between two of them; and what it stands for.
    measure : str
        Effect measure, "OR" for example.
    k : int
        Studies pooled; what a method leaves out is named in `notes`.
    estimate, se, ci_low, ci_high, p_value : float
        Pooled effect, its standard error, interval, and the two-sided test that it is 0.
    level : float
        Coverage of every interval of the row.
    interval : str
        How interval and p-value were made: "wald", "t", "hksj", "hksj-adhoc", "henmi-copas" or
        "profile".
    tau2, tau2_ci_low, tau2_ci_high : float
        Between-study variance and its interval; 0 by assumption, without an interval, where the
        method has a common effect.
    tau2_interval : str or None
        How the interval of tau2 was made: "q-profile" or "generalised-q"; None without one.
    i2, i2_ci_low, i2_ci_high, h2, h2_ci_low, h2_ci_high : float
        I2 in percent, and H2; from tau2 where it is estimated, else from Q. Their intervals are
        that of tau2, transformed.
    q, q_df, q_p : float, int, float
        Cochran's Q, its degrees of freedom and p-value.
    pi_low, pi_high, pi_method : float, float, str or None
        Prediction interval for the effect of a new study, and its formula.
    notes : tuple of str
        What should be known about this row.
    """

    method: str
    label: str
    measure: str
    k: int
    estimate: float
    se: float
    ci_low: float
    ci_high: float
    p_value: float
    level: float
    interval: IntervalMethod
    tau2: float
    tau2_ci_low: float
    tau2_ci_high: float
    tau2_interval: Tau2IntervalMethod | None
    i2: float
    i2_ci_low: float
    i2_ci_high: float
    h2: float
    h2_ci_low: float
    h2_ci_high: float
    q: float
    q_df: int | None
    q_p: float
    pi_low: float
    pi_high: float
    pi_method: str | None
    notes: tuple[str, ...]

    def as_dict(self) -> dict[str, object]:
        """Give the row as plain data for JSON; undefined numbers are None."""
        row: dict[str, object] = {
            "measure": self.measure,
            "scale": get_measure(self.measure).scale.name,
            "method": self.method,
            "interval": self.interval,
        }
        rest = (field.name for field in fields(self) if field.name not in _NOT_IN_JSON)
        return row | {name: _plain(getattr(self, name)) for name in rest if name not in row}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """Pooled estimates of the same studies by several methods.

    Attributes
    ----------
    rows : tuple of PooledEstimate
        One per method, in the order asked for.
    measure : str
        Effect measure of all rows.
    notes : tuple of str
        What should be known about the effects that were pooled.
    """

    rows: tuple[PooledEstimate, ...]
    measure: str
    notes: tuple[str, ...]

    def __iter__(self) -> Iterator[PooledEstimate]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, method: str) -> PooledEstimate:
        for row in self.rows:
            if row.method == method:
                return row
        raise KeyError(f"{method!r} was not asked for; there are {', '.join(self.methods)}")

    @property
    def methods(self) -> tuple[str, ...]:
        """Keys of the rows."""
        return tuple(row.method for row in self.rows)

    def to_frame(self) -> pd.DataFrame:
        """Give a tidy frame, one row per method.

        Returns
        -------
        DataFrame
            The fields of `PooledEstimate`, on the analysis scale named in `scale`; the natural
            scale named in `natural_scale` has columns of its own, `natural_estimate` and so on.
        """
        measure = get_measure(self.measure)
        names = [field.name for field in fields(PooledEstimate)]
        frame = pd.DataFrame([[getattr(row, n) for n in names] for row in self.rows], columns=names)
        frame["q_df"] = frame["q_df"].astype("Int64")
        frame["notes"] = ["; ".join(row.notes) for row in self.rows]
        frame.insert(names.index("k"), "scale", measure.scale.name)
        frame["natural_scale"] = measure.name
        for name in _ON_BOTH_SCALES:
            values = frame[name].to_numpy(dtype=np.float64)
            frame[f"natural_{name}"] = measure.scale.to_natural(values)
        return frame


def _plain(value: object) -> object:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return list(value) if isinstance(value, tuple) else value
