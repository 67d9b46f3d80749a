"""What the command line may tell the reader of a study table, shared by its commands."""

from dataclasses import dataclass, fields
from typing import Annotated, Any

from cyclopts import Parameter

from bayesmeta.errors import Problem, StudyTableError
from bayesmeta.studies import StudyTable, available, load, read_studies
from bayesmeta.studies.reading import ContrastScale, Conversion, SharedControl


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingWords:
    """Options of fit, pool and effects that are told to the reader; see `Reading`."""

    columns: Annotated[
        tuple[str, ...],
        Parameter(
            help="A column by another name, such as events=deaths; may be repeated.",
            show_default=False,
        ),
    ] = ()
    scale: Annotated[
        ContrastScale | None,
        Parameter(help="Scale of estimates and their intervals; as column names say if not given."),
    ] = None
    data_level: Annotated[
        float | None, Parameter(help="Coverage of the table's intervals; 0.95 if not given.")
    ] = None
    analysis: Annotated[
        str | None, Parameter(help="Analysis of a RevMan file, such as 1.2; all if not given.")
    ] = None
    correlation: Annotated[
        float | None, Parameter(help="Assumed correlation of two measurements of one person.")
    ] = None
    conversion: Annotated[
        Conversion | None, Parameter(help="How medians and quartiles become means and SDs.")
    ] = None
    shared: Annotated[
        SharedControl | None, Parameter(help="What is done about a shared control arm.")
    ] = None


def read_table(table: str, words: ReadingWords | None = None) -> StudyTable:
    """Read a bundled table or a file.

    Parameters
    ----------
    table : str
        Name of a bundled table, or path of a file.
    words : ReadingWords, optional
        What is told to the reader.

    Raises
    ------
    StudyTableError
        The table cannot be read so.
    """
    words = words or ReadingWords()
    told: dict[str, Any] = {
        {"data_level": "level"}.get(part.name, part.name): getattr(words, part.name)
        for part in fields(words)
        if getattr(words, part.name) not in (None, ())
    }
    if table in available():
        if told:
            problem = Problem(
                value=", ".join(told), what="told of a bundled table", fix="Leave it out."
            )
            raise StudyTableError("Bundled tables are read as they are.", [problem])
        return load(table)
    return read_studies(table, **told | {"columns": _columns(words.columns)})


def _columns(words: tuple[str, ...]) -> dict[str, str]:
    """Split events=deaths."""
    wrong = [word for word in words if not all(word.partition("="))]
    if wrong:
        problems = [
            Problem(
                column="--columns",
                value=word,
                what="not NAME=COLUMN",
                fix="Write --columns events=deaths.",
            )
            for word in wrong
        ]
        raise StudyTableError("The columns cannot be named so; nothing was read.", problems)
    return {new: old for new, _, old in (word.partition("=") for word in words)}
