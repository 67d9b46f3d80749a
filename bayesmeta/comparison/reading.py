"""The table `reading`: what the reader of the data is told."""

from collections.abc import Mapping
from typing import Any

from bayesmeta.comparison.section import Section
from bayesmeta.effects import MEASURES
from bayesmeta.errors import StudyTableError
from bayesmeta.studies.reading import CHOICES, Reading


def read_reading(section: Section | None) -> Reading:
    """Read what the reader is told; nothing where there is no such table, or it is wrong."""
    if section is None:
        return Reading()
    told: dict[str, Any] = {"columns": _read_columns(section)}
    told["measure"] = _read_choice(section, "measure", tuple(MEASURES))
    for key, known in CHOICES.items():
        told[key] = _read_choice(section, key, known)
    for key, example in (("level", "0.95"), ("correlation", "0.5")):
        told[key] = section.number(key, example)
    told["analysis"] = section.text("analysis", "1.1", required=False)
    section.close()
    given = {key: value for key, value in told.items() if value is not None}
    try:
        return Reading(**given)
    except StudyTableError as error:
        for problem in error.problems:
            section.fault(problem.column or "", problem.what, problem.fix)
        return Reading()


def _read_choice(section: Section, key: str, known: tuple[str, ...]) -> str | None:
    if key not in section.values:
        section.known.append(key)
        return None
    return section.choice(key, known)


def _read_columns(section: Section) -> Mapping[str, str]:
    """Read names of columns: a table of texts."""
    columns = section.take("columns", dict, '{ events = "deaths" }', required=False)
    wrong = [key for key, name in (columns or {}).items() if not isinstance(name, str)]
    for key in wrong:
        section.fault("columns", f"{key} is no text", f'Write columns = {{ {key} = "its name" }}.')
    return {} if columns is None or wrong else columns
