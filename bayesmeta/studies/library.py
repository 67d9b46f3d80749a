"""The bundled tables, by name."""

from dataclasses import replace

from bayesmeta.errors import Problem, StudyTableError
from bayesmeta.studies.bundled import available, bundled_folders, read_source
from bayesmeta.studies.read import read_bytes
from bayesmeta.studies.refusal import did_you_mean
from bayesmeta.studies.table import StudyTable

__all__ = ["available", "load"]


def load(name: str) -> StudyTable:
    """Load a bundled table.

    Parameters
    ----------
    name : str
        One of `available()`.

    Returns
    -------
    StudyTable
        Validated like any other table; `citation` says where it comes from.

    Raises
    ------
    StudyTableError
        No bundled table has this name.

    Examples
    --------
    >>> load("bcg").k
    13
    """
    folders = bundled_folders()
    if name not in folders:
        problem = Problem(
            value=name, what="no bundled table has this name", fix=did_you_mean(name, folders)
        )
        raise StudyTableError("No table was read; nothing was fitted.", [problem])
    source = read_source(folders[name])
    table = read_bytes((folders[name] / "studies.csv").read_bytes(), source=name)
    notes = table.notes
    if "treated" in source:
        notes = (*notes, f"treated: {source['treated']}; control: {source['control']}")
    return replace(table, notes=notes, citation=source["citation"], measure=source.get("measure"))
