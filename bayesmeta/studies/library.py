"""The bundled tables, by name."""

import io
from dataclasses import replace
from typing import Unpack

import pandas as pd

from bayesmeta.errors import Problem, StudyTableError
from bayesmeta.studies.bundled import available, bundled_frames, bundled_tables
from bayesmeta.studies.read import read_bytes
from bayesmeta.studies.reading import Reading, ReadingOptions
from bayesmeta.studies.refusal import did_you_mean
from bayesmeta.studies.table import StudyTable

__all__ = ["available", "load", "load_frame"]


def load(name: str, **told: Unpack[ReadingOptions]) -> StudyTable:
    """Load a bundled table.

    Parameters
    ----------
    name : str
        One of `available()`.
    **told : optional
        What the table itself does not say; see `Reading`. It goes before what the table's
        source.toml says.

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
    >>> load("zhou_2019_lupus_nephritis/binary").select(
    ...     arms=("TAC+MMF+GC", "CYC+GC"), outcome="complete remission").k
    2
    """
    tables = bundled_tables()
    if name not in tables:
        problem = Problem(
            value=name, what="no bundled table has this name", fix=did_you_mean(name, tables)
        )
        raise StudyTableError("No table was read; nothing was fitted.", [problem])
    file, source = tables[name].file, tables[name].source
    reading = Reading(**{**source.get("reading", {}), **told})
    table = read_bytes(file.read_bytes(), source=name, reading=reading)
    notes = table.notes
    if "treated" in source:
        notes = (*notes, f"treated: {source['treated']}; control: {source['control']}")
    measure = source.get("measure", table.measure)
    return replace(table, notes=notes, citation=source["citation"], measure=measure)


def load_frame(name: str) -> pd.DataFrame:
    """Load a bundled file as it stands, every cell the text that it was given.

    Parameters
    ----------
    name : str
        FOLDER/NAME of any CSV file of the bundled data, study table or not: characteristics of
        studies, single patients, grouped times, medians over time.

    Returns
    -------
    DataFrame
        Texts; a missing cell is "".

    Raises
    ------
    StudyTableError
        No bundled file has this name.

    Examples
    --------
    >>> load_frame("tani_2018_sle_cohort/time_to_response")["events"].tolist()
    ['15', '4', '0', '21', '0']
    """
    frames = bundled_frames()
    if name not in frames:
        problem = Problem(
            value=name, what="no bundled file has this name", fix=did_you_mean(name, frames)
        )
        raise StudyTableError("No table was read; nothing was fitted.", [problem])
    text = frames[name].read_text(encoding="utf-8")
    return pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False)
