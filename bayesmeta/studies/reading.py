"""What a reader of a study table may be told, where the table itself does not say it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, TypedDict

type ContrastScale = Literal["analysis", "ratio"]
type Conversion = Literal["luo-wan", "quantile-estimation"]
type SharedControl = Literal["split", "covariance"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How a study table is to be read.

    Attributes
    ----------
    columns : mapping of str to str
        Known column name to the name that the table gives it, such as {"events": "deaths"}.
    measure : str or None
        Measure of the estimates of a contrast-level table, such as "HR".
    scale : {"analysis", "ratio"} or None
        Scale of estimates and intervals: as they are pooled (logarithms of ratios), or ratios.
        None: as the column names say it, else "analysis".
    level : float or None
        Coverage of the intervals of a contrast-level table; None: its column `level`, else 0.95.
    correlation : float or None
        Correlation of two measurements of one person, where a study tells none; an assumption.
    conversion : {"luo-wan", "quantile-estimation"} or None
        How means and standard deviations are made out of medians, quartiles and ranges; None: the
        documented default.
    shared : {"split", "covariance"} or None
        What is done about a control arm that several rows share.
    """

    columns: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    measure: str | None = None
    scale: ContrastScale | None = None
    level: float | None = None
    correlation: float | None = None
    conversion: Conversion | None = None
    shared: SharedControl | None = None


class ReadingOptions(TypedDict, total=False):
    """Keywords of `read_studies`: the fields of `Reading`."""

    columns: Mapping[str, str]
    measure: str | None
    scale: ContrastScale | None
    level: float | None
    correlation: float | None
    conversion: Conversion | None
    shared: SharedControl | None
