"""What a command may say about its study table, and the table read so."""

from dataclasses import dataclass
from typing import Annotated, Any

from cyclopts import Group, Parameter

from bayesmeta.effects import MEASURES, get_measure
from bayesmeta.errors import ModelError, Problem, StudyTableError
from bayesmeta.studies import HELD, StudyTable, available, load, read_studies
from bayesmeta.studies.reading import ContrastScale, Conversion, SharedControl

READER = Group("Reading the table", help="What a CSV file does not say itself.", sort_key=1)


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class TableWords:
    """Options of every command that takes a table: what is analysed, and how it is read.

    Those of the group `READER` are told to the reader; see `bayesmeta.studies.Reading`.
    """

    measure: Annotated[
        str | None,
        Parameter(
            help="Such as OR or MD; of estimates, what their column says if not given, else GEN."
        ),
    ] = None
    arms: Annotated[
        tuple[str, str] | None, Parameter(help="Names of the treated and the control arm.")
    ] = None
    outcome: Annotated[
        str | None, Parameter(help="Outcome to analyse, where the table has several.")
    ] = None
    solution: Annotated[
        str | None, Parameter(help="Which of several solutions, where the table has a column so.")
    ] = None
    columns: Annotated[
        tuple[str, ...],
        Parameter(
            group=READER,
            help="A column by another name, such as events=deaths; may be repeated.",
            show_default=False,
        ),
    ] = ()
    scale: Annotated[
        ContrastScale | None,
        Parameter(
            group=READER,
            help="Scale of estimates and their intervals; as column names say if not given.",
        ),
    ] = None
    data_level: Annotated[
        float | None,
        Parameter(group=READER, help="Coverage of the table's intervals; 0.95 if not given."),
    ] = None
    analysis: Annotated[
        str | None,
        Parameter(group=READER, help="Analysis of a RevMan file, such as 1.2; all if not given."),
    ] = None
    correlation: Annotated[
        float | None,
        Parameter(group=READER, help="Assumed correlation of two measurements of one person."),
    ] = None
    conversion: Annotated[
        Conversion | None,
        Parameter(group=READER, help="How medians and quartiles become means and SDs."),
    ] = None
    shared: Annotated[
        SharedControl | None,
        Parameter(group=READER, help="What is done about a shared control arm."),
    ] = None

    def read(self, table: str) -> tuple[StudyTable, str]:
        """Read a table, and find the measure.

        Parameters
        ----------
        table : str
            Name of a bundled table, or path of a file.

        Returns
        -------
        StudyTable
            With arms and outcome chosen.
        str
            The measure asked for, or that of a table of estimates; a key of `MEASURES`.

        Raises
        ------
        StudyTableError
            The table cannot be read so, or has no such arms or outcome.
        ModelError
            An unknown measure; or none is given, and the table has several.

        Examples
        --------
        >>> studies, measure = TableWords(measure="OR").read("bcg")
        >>> studies.k, measure
        (13, 'OR')
        """
        studies = self._load(table).select(outcome=self.outcome, arms=self.arms)
        studies = studies.select(solution=self.solution)
        return studies, _find_measure(studies, self.measure)

    def _load(self, table: str) -> StudyTable:
        options: dict[str, Any] = {
            "scale": self.scale,
            "level": self.data_level,
            "analysis": self.analysis,
            "correlation": self.correlation,
            "conversion": self.conversion,
            "shared": self.shared,
        }
        told = {name: value for name, value in options.items() if value not in (None, ())}
        if self.columns:
            told["columns"] = _split(self.columns)
        return (load if table in available() else read_studies)(table, **told)


AS_IT_IS = TableWords()  # nothing is said about the table


def _split(words: tuple[str, ...]) -> dict[str, str]:
    """Split events=deaths."""
    pairs = [word.partition("=") for word in words]
    names = [name for name, _, _ in pairs]
    problems = []
    for word, pair in zip(words, pairs, strict=True):
        if not all(pair):
            what, fix = "not NAME=COLUMN", "Write --columns events=deaths."
        elif names.count(pair[0]) > 1:
            what, fix = f"{pair[0]} is given twice", "Name one column for it."
        else:
            continue
        problems.append(Problem(column="--columns", value=word, what=what, fix=fix))
    if problems:
        raise StudyTableError("The columns cannot be named so; nothing was read.", problems)
    return {name: column for name, _, column in pairs}


def _find_measure(studies: StudyTable, name: str | None) -> str:
    """Give the measure asked for, or that of a table of contrasts."""
    if name is not None:
        return get_measure(name).name
    if studies.layout == "contrast":
        return studies.measure or "GEN"
    fitting = (measure for measure in MEASURES.values() if measure.layout == studies.layout)
    known = ", ".join(measure.name for measure in fitting)
    raise ModelError(f"{studies.source} holds {HELD[studies.layout]}, which have several measures. "
                     f"Give --measure, one of {known}.")  # fmt: skip
