"""From a file or a frame to a validated study table."""

import os
from difflib import get_close_matches
from pathlib import Path

import pandas as pd

from bayesmeta.errors import Problem
from bayesmeta.studies.assemble import (
    TREATED_CONTROL,
    binary_frame,
    contrast_frame,
    covariate_frame,
    group_frame,
    parse_numbers,
)
from bayesmeta.studies.bundled import bundled_folders
from bayesmeta.studies.cells import Cells, cells_of_csv, cells_of_frame
from bayesmeta.studies.columns import (
    covariate_columns,
    number_columns,
    taken_names,
    with_known_names,
    with_studies,
)
from bayesmeta.studies.layouts import find_layout, unreadable
from bayesmeta.studies.refusal import refusal
from bayesmeta.studies.rules import Sheet, problems_of
from bayesmeta.studies.table import StudyTable


def read_studies(
    source: str | os.PathLike[str] | pd.DataFrame, *, name: str | None = None
) -> StudyTable:
    """Read a study table and validate it.

    Known layouts (further columns are kept as covariates and not used):

    - ``study, arm, events, n``: one row per study and arm;
    - ``study, arm, mean, sd, n`` and ``study, arm, events, time`` (person-time) likewise;
    - ``ai, bi, ci, di`` or ``ai, n1i, ci, n2i``: both arms in one row, as in R's metafor;
    - ``m1i, sd1i, n1i, m2i, sd2i, n2i`` (means) and ``x1i, t1i, x2i, t2i`` (rates) likewise;
    - ``xi, ni``: events of one group; ``xi, ti``: the same in person-time; ``ri, ni``: a
      correlation and its number of pairs;
    - ``estimate, se``, ``estimate, ci_low, ci_high`` (95%, Wald), ``yi, vi`` or ``yi, sei``: one
      contrast per study, on the analysis scale (logarithms of ratios).

    ``outcome`` may name the outcome in all of them. The study label may also be called trial,
    author or studlab.

    Parameters
    ----------
    source : path or DataFrame
        Comma-separated UTF-8 file with a header and decimal points, or a frame.
    name : str, optional
        Name to use in messages; the file name, or "DataFrame", if not given.

    Returns
    -------
    StudyTable
        `notes` say how it was read.

    Raises
    ------
    StudyTableError
        With every problem of the table, its place and what to do about it.

    Examples
    --------
    >>> frame = pd.DataFrame({"study": ["Hart", "Maki"], "yi": [0.1, 0.3], "vi": [0.04, 0.01]})
    >>> read_studies(frame).frame["se"].tolist()
    [0.2, 0.1]
    """
    if isinstance(source, pd.DataFrame):
        return _read(cells_of_frame(source, name or "DataFrame"))
    path = Path(source)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise refusal(name or str(path), [_unopened(path, error)]) from None
    return read_bytes(data, source=name or path.name)


def read_bytes(data: bytes, *, source: str) -> StudyTable:
    """Read the bytes of a comma-separated file; see `read_studies`."""
    return _read(cells_of_csv(data, source))


def _read(cells: Cells) -> StudyTable:
    cells, renamed = with_known_names(cells)
    layout = find_layout(cells.frame.columns)
    if layout is None:
        problem = unreadable(tuple(cells.frame.columns))
        raise refusal(cells.source, [*cells.problems, problem])
    cells, numbered = with_studies(cells)
    numbers = parse_numbers(cells, number_columns(cells, layout))
    sheet = Sheet(cells=cells, layout=layout, numbers=numbers)
    problems = [*taken_names(cells, layout), *problems_of(sheet)]
    if problems:
        raise refusal(cells.source, problems)

    covariates = covariate_columns(cells, layout)
    notes = (layout.told, *renamed, *numbered, *cells.notes)
    if covariates:
        notes = (*notes, f"kept as covariates, not used: {', '.join(covariates)}")
    assemble = {"binary": binary_frame, "contrast": contrast_frame}.get(layout.kind, group_frame)
    frame = assemble(sheet)
    printed = None
    if layout.kind == "contrast" and set(layout.numbers) <= cells.written:
        printed = cells.frame[list(layout.numbers)]
    return StudyTable(
        layout=layout.kind,
        source=cells.source,
        arms=TREATED_CONTROL if layout.wide else None,
        notes=notes,
        _frame=frame.join(covariate_frame(cells.frame, covariates)).reset_index(drop=True),
        _printed=printed,
    )


def _unopened(path: Path, error: OSError) -> Problem:
    bundled = bundled_folders()
    if str(path) in bundled:
        fix = f"It is a bundled table: load({str(path)!r})."
    elif near := get_close_matches(path.stem.lower(), bundled, n=1):
        fix = f"Check the path; or did you mean the bundled table {near[0]!r}?"
    else:
        fix = "Check the path."
    missing = isinstance(error, FileNotFoundError)
    reason = "no such file" if missing else f"the file cannot be read ({error.strerror})"
    return Problem(value=str(path), what=reason, fix=fix)
