"""What a reader of a study table may be told, where the table itself does not say it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from numbers import Real
from types import MappingProxyType
from typing import Literal, TypedDict, get_args

from bayesmeta.errors import Problem, StudyTableError
from bayesmeta.studies.refusal import did_you_mean

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
        Coverage of the intervals of a contrast-level table, 0.9 or 90; None: its column `level`, or
        the name of a limit ("95% CI lower"), else 0.95.
    correlation : float or None
        Correlation of two measurements of one person, where a study tells none; an assumption.
    conversion : {"luo-wan", "quantile-estimation"} or None
        How means and standard deviations are made out of medians, quartiles and ranges; None: the
        documented default.
    shared : {"split", "covariance"} or None
        What is done about a control arm that several rows share.
    analysis : str or None
        Analysis of a file that RevMan wrote, by its number ("1.2") or name; None: all of them,
        which must hold data of one kind.

    Raises
    ------
    StudyTableError
        A word that is not known here, or a number out of its range; all of them at once.
    """

    columns: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    measure: str | None = None
    scale: ContrastScale | None = None
    level: float | None = None
    correlation: float | None = None
    conversion: Conversion | None = None
    shared: SharedControl | None = None
    analysis: str | None = None

    def __post_init__(self) -> None:
        problems = list(_problems(self))
        if problems:
            raise StudyTableError("This is no way to read a table; nothing was read.", problems)
        object.__setattr__(self, "columns", MappingProxyType(dict(self.columns)))
        if self.level is not None:
            object.__setattr__(self, "level", as_level(self.level))


CHOICES: Mapping[str, tuple[str, ...]] = {
    "scale": get_args(ContrastScale.__value__),
    "conversion": get_args(Conversion.__value__),
    "shared": get_args(SharedControl.__value__),
}


def as_level(number: float) -> float:
    """Read a coverage that is given as a share or in percent.

    Raises
    ------
    ValueError
        Not a coverage between 0.5 and 1.

    Examples
    --------
    >>> as_level(90), as_level(0.9)
    (0.9, 0.9)
    """
    share = number / 100 if 1 < number < 100 else number
    if not 0.5 < share < 1:
        raise ValueError(f"{number} is not a coverage between 0.5 and 1")
    return share


def unused(reading: Reading, name: str, why: str, fix: str = "Leave it out.") -> Problem:
    """Say that something was told for which the table has no use."""
    value = repr(getattr(reading, name))
    return Problem(column=name, value=value, what=f"told, but {why}", fix=fix)


def _problems(reading: Reading) -> Iterator[Problem]:
    columns = reading.columns
    texts = isinstance(columns, Mapping) and all(
        isinstance(word, str) for pair in columns.items() for word in pair
    )
    if not texts:
        fix = "Write columns={'events': 'deaths'}, for example."
        what = "not a mapping of known names to names of columns"
        yield Problem(column="columns", value=repr(columns), what=what, fix=fix)
    for name, example in (("measure", "HR"), ("analysis", "1.2")):
        value = getattr(reading, name)
        if value is not None and not isinstance(value, str):
            fix = f"Write {example!r}, in quotation marks."
            yield Problem(column=name, value=repr(value), what="not a text", fix=fix)
    for name, known in CHOICES.items():
        value = getattr(reading, name)
        if value is not None and value not in known:
            fix = did_you_mean(str(value), known)
            yield Problem(column=name, value=repr(value), what="not known here", fix=fix)
    if reading.level is not None:
        try:
            as_level(reading.level)
        except (ValueError, TypeError):
            what = "not a coverage between 0.5 and 1"
            fix = "Write 0.95 for a 95% interval, not the error rate 0.05."
            yield Problem(column="level", value=repr(reading.level), what=what, fix=fix)
    correlation = reading.correlation
    if correlation is not None and not (isinstance(correlation, Real) and -1 < correlation < 1):
        what, fix = "not a correlation between -1 and 1", "Write 0.5, for example."
        yield Problem(column="correlation", value=repr(correlation), what=what, fix=fix)


class ReadingOptions(TypedDict, total=False):
    """Keywords of `read_studies`: the fields of `Reading`."""

    columns: Mapping[str, str]
    measure: str | None
    scale: ContrastScale | None
    level: float | None
    correlation: float | None
    conversion: Conversion | None
    shared: SharedControl | None
    analysis: str | None
