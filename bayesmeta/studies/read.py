"""From a file or a frame to a validated study table."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import Unpack

import pandas as pd

from bayesmeta.errors import Problem
from bayesmeta.studies.assemble import (
    TREATED_CONTROL,
    binary_frame,
    covariate_frame,
    group_frame,
    parse_numbers,
)
from bayesmeta.studies.bundled import bundled_tables
from bayesmeta.studies.cells import Cells, cells_of_csv, cells_of_frame
from bayesmeta.studies.columns import (
    covariate_columns,
    number_columns,
    taken_names,
    with_columns_by_hand,
    with_known_names,
    with_studies,
    without_empty_outcome,
)
from bayesmeta.studies.correlations_within import within_correlations
from bayesmeta.studies.derived import Derived, derived_frame, made_before
from bayesmeta.studies.design_columns import design_effects, reserved_names, shared_controls
from bayesmeta.studies.estimates.columns import (
    EstimateColumns,
    contradictions,
    find_estimates,
    imprecise,
    unasked,
)
from bayesmeta.studies.estimates.frames import estimate_frames
from bayesmeta.studies.estimates.parse import Estimates, parse_estimates
from bayesmeta.studies.estimates.rules import estimate_problems
from bayesmeta.studies.layouts import Layout, find_layout, unreadable
from bayesmeta.studies.medians.rows import means_of_medians, with_blank_means
from bayesmeta.studies.reading import Reading, ReadingOptions
from bayesmeta.studies.refusal import refusal
from bayesmeta.studies.revman.web import with_plain_rows
from bayesmeta.studies.rules import Sheet, problems_of
from bayesmeta.studies.table import StudyTable

DERIVE: tuple[Callable[[Sheet, Reading], Derived], ...] = (
    made_before,
    means_of_medians,
    within_correlations,
    design_effects,
    shared_controls,
)


def read_studies(
    source: str | os.PathLike[str] | pd.DataFrame,
    *,
    name: str | None = None,
    **told: Unpack[ReadingOptions],
) -> StudyTable:
    """Read a study table and validate it.

    Known layouts (further columns are kept as covariates and not used):

    - ``study, arm, events, n``: one row per study and arm;
    - ``study, arm, mean, sd, n`` and ``study, arm, events, time`` (person-time) likewise;
    - ``ai, bi, ci, di`` or ``ai, n1i, ci, n2i``: both arms in one row, as in R's metafor;
    - ``m1i, sd1i, n1i, m2i, sd2i, n2i`` (means) and ``x1i, t1i, x2i, t2i`` (rates) likewise;
    - ``mean_post, sd_post, mean_pre, sd_pre, n`` or ``m1i, sd1i, m2i, sd2i, ni``: two measurements
      of the same persons, with their correlation ``r``, or ``sd_change``, ``t`` or ``p``; with
      ``arm``, one row per study and arm;
    - ``median`` with ``q1, q3`` or ``min, max`` in place of mean and sd;
    - ``xi, ni``: events of one group; ``xi, ti``: the same in person-time; ``ri, ni``: a
      correlation and its number of pairs;
    - ``estimate`` (``yi``, or a measure: ``or``, ``log_or``, ``hr``, ``smd``, ...) with one or more
      of ``se``, ``vi``, ``ci_low, ci_high`` (Wald, 95% unless ``level`` says otherwise) and ``p``
      (two-sided, Wald): one contrast per study. A column named after a ratio holds ratios, any
      other the analysis scale (logarithms of ratios) unless `scale` says otherwise;
    - the data rows that RevMan exports, which become one of these.

    ``icc`` and ``cluster_size``, or ``design_effect``, tell of cluster trials; ``shared_control``
    which rows have one control arm; ``derived`` what in a row was made, not reported.

    ``outcome`` may name the outcome in all of them. The study label may also be called trial,
    author, authors, studlab or slab.

    Parameters
    ----------
    source : path or DataFrame
        Comma-separated UTF-8 file with a header and decimal points, or a frame.
    name : str, optional
        Name to use in messages; the file name, or "DataFrame", if not given.
    **told : optional
        What the table itself does not say: `columns`, `measure`, `scale`, `level`, `analysis`,
        `correlation`, `conversion`, `shared`; see `Reading`.

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
    reading = Reading(**told)
    if isinstance(source, pd.DataFrame):
        return _read(cells_of_frame(source, name or "DataFrame"), reading)
    path = Path(source)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise refusal(name or str(path), [_unopened(path, error)]) from None
    return read_bytes(data, source=name or path.name, reading=reading)


def read_bytes(
    data: bytes,
    *,
    source: str,
    reading: Reading | None = None,
) -> StudyTable:
    """Read the bytes of a comma-separated file; see `read_studies`."""
    return _read(cells_of_csv(data, source), reading or Reading())


def _read(cells: Cells, reading: Reading) -> StudyTable:
    cells, by_hand = with_columns_by_hand(cells, reading.columns)
    cells, exported, own = with_plain_rows(cells, reading)
    cells, renamed = with_known_names(cells)
    cells, emptied = without_empty_outcome(cells)
    cells = with_blank_means(cells)
    layout, form = _recognise(cells, reading)
    cells, numbered = with_studies(cells)
    numbers = {} if form else parse_numbers(cells, number_columns(cells, layout))
    sheet = Sheet(cells=cells, layout=layout, numbers=numbers)
    estimates = None if form is None else parse_estimates(cells, form)
    derived = [derive(sheet, reading) for derive in DERIVE]
    used = frozenset().union(*(part.used for part in derived))
    for part in derived:
        sheet = replace(sheet, numbers={**sheet.numbers, **part.numbers})
    covariates = [name for name in covariate_columns(cells, layout) if name not in used]
    problems = _problems(sheet, reading, estimates, derived, covariates)
    if problems:
        raise refusal(cells.source, _in_order(problems, {**own, **reading.columns}))

    told = layout.told if form is None else form.told
    notes = (told, *by_hand, *exported, *renamed, *emptied, *numbered, *cells.notes)
    notes = (*notes, *(note for part in derived for note in part.notes))
    if covariates:
        notes = (*notes, f"kept as covariates, not used: {', '.join(covariates)}")
    provenance = None
    if estimates is not None:
        frame, provenance = estimate_frames(estimates)
    else:
        frame = (binary_frame if layout.arms else group_frame)(sheet)
    frame = frame.join(covariate_frame(cells.frame, covariates))
    frame = frame.join(derived_frame(derived, cells.frame.index))
    written = layout.kind == "contrast" and set(layout.numbers) <= cells.written
    return StudyTable(
        layout=layout.kind,
        source=cells.source,
        arms=TREATED_CONTROL if layout.wide else None,
        notes=notes,
        measure=None if form is None else form.measure,
        ratios=form is not None and form.ratio,
        shared=reading.shared,
        _frame=frame.reset_index(drop=True),
        _printed=cells.frame[list(layout.numbers)] if written else None,
        _provenance=provenance,
    )


def _problems(
    sheet: Sheet,
    reading: Reading,
    estimates: Estimates | None,
    derived: Sequence[Derived],
    covariates: Sequence[str],
) -> list[Problem]:
    """Collect what is wrong with a table, and with what was told about it."""
    cells, layout = sheet.cells, sheet.layout
    used = frozenset().union(*(part.used for part in derived))
    form = None if estimates is None else estimates.columns
    problems = [
        *(p for p in taken_names(cells, layout) if p.column not in used),
        *reserved_names(covariates, layout.kind),
        *unasked(reading, layout, form),
        *(problem for part in derived for problem in part.problems),
        *problems_of(sheet),
    ]
    if estimates is not None:
        problems += contradictions(cells, estimates.columns, reading)
        problems += estimate_problems(sheet, estimates)
    return problems


def _recognise(cells: Cells, reading: Reading) -> tuple[Layout, EstimateColumns | None]:
    """Find the layout by the columns; of estimates, also which of them plays which part."""
    layout, form = find_layout(cells.frame.columns), None
    if layout is None or layout.kind == "contrast":
        form = find_estimates(cells, reading)
        layout = None if form is None else Layout(kind="contrast", numbers=form.columns)
    if layout is None:
        problem = imprecise(cells) or unreadable(tuple(cells.frame.columns))
        raise refusal(cells.source, [*cells.problems, problem])
    return layout, form


def _in_order(problems: Iterable[Problem], own: Mapping[str, str]) -> list[Problem]:
    """Sort problems by row, and name columns as their author did."""
    named = [
        one if one.column is None else replace(one, column=own.get(one.column, one.column))
        for one in problems
    ]
    return sorted(named, key=lambda problem: -1 if problem.row is None else problem.row)


def _unopened(path: Path, error: OSError) -> Problem:
    bundled = bundled_tables()
    if str(path) in bundled:
        fix = f"It is a bundled table: load({str(path)!r})."
    elif near := get_close_matches(path.stem.lower(), bundled, n=1):
        fix = f"Check the path; or did you mean the bundled table {near[0]!r}?"
    else:
        fix = "Check the path."
    missing = isinstance(error, FileNotFoundError)
    reason = "no such file" if missing else f"the file cannot be read ({error.strerror})"
    return Problem(value=str(path), what=reason, fix=fix)
