"""From a TOML file to a comparison, with every fault of the file told at once."""

import os
import re
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast, get_args

from bayesmeta.checks.crosscheck import Direction
from bayesmeta.comparison.comparison import (
    PUBLISHED,
    Comparison,
    Outcome,
    Sampling,
    solutions_of,
)
from bayesmeta.comparison.models import read_models
from bayesmeta.comparison.published import read_published
from bayesmeta.comparison.reading import read_reading
from bayesmeta.comparison.reference import read_reference
from bayesmeta.comparison.section import Section, as_problem
from bayesmeta.errors import ComparisonError, ModelError, Problem, StudyTableError
from bayesmeta.inference.sampler import SamplerName
from bayesmeta.model import Model
from bayesmeta.studies import StudyTable, available
from bayesmeta.studies.refusal import did_you_mean

REASONS = ("effect", "heterogeneity", "baseline")  # priors that may have one
RECORD = "record"  # what a run writes about itself into its copy of the file; never read back


def read_comparison(path: str | os.PathLike[str]) -> Comparison:
    """Read a comparison file, and check it against its data.

    Parameters
    ----------
    path : path
        A TOML file.

    Returns
    -------
    Comparison

    Raises
    ------
    ComparisonError
        With every fault of the file, each at its place in it, such as ``outcome[0].better``.
    StudyTableError
        The study table itself is broken.
    """
    path = Path(path)
    problems: list[Problem] = []
    comparison = _read_file(Section(values=_parse(path), path="", problems=problems), path)
    if comparison is not None and not problems:
        problems.extend(_data_problems(comparison))
    if comparison is None or problems:
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        raise ComparisonError(f"{path} has {count}; nothing was fitted.", problems)
    return comparison


def _parse(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"line (\d+)", str(error))
        problem = Problem(
            row=int(line[1]) if line else None,
            what=f"not TOML ({error})",
            fix='Texts stand in "...", lists in [...].',
        )
    except UnicodeDecodeError:
        problem = Problem(what="not UTF-8 text", fix="Save it as UTF-8.")
    except FileNotFoundError:
        problem = Problem(value=str(path), what="no such file", fix="Check the path.")
    except OSError as error:
        problem = Problem(
            value=str(path), what=f"cannot be read ({error.strerror})", fix="Check the path."
        )
    raise ComparisonError(f"{path} cannot be read; nothing was fitted.", [problem])


def _read_file(file: Section, path: Path) -> Comparison | None:
    """Read the whole file; None if a part that others need is missing or wrong."""
    title = file.text("title", "Drug v placebo in asthma")
    data = _read_data(file, path)
    arms = _read_arms(file)
    outcomes = _read_outcomes(file, path)
    own = bool(outcomes) and all(outcome.models for outcome in outcomes)
    models = read_models(file.section("model", required=not own))
    reference = read_reference(file.section("reference", required=False))
    sampling = _read_sampling(file.section("sampling", required=False))
    reading = read_reading(file.section("reading", required=False))
    reasons = _read_reasons(
        file.section("reasons", required=False),
        (*models, *(one for outcome in outcomes for one in outcome.models)),
    )
    file.take(RECORD, dict, "...", required=False)
    file.close()
    if file.problems or title is None or data is None:
        return None
    return Comparison(
        name=path.stem,
        title=title,
        data=data,
        arms=arms,
        models=models,
        outcomes=outcomes,
        sampling=sampling,
        reading=reading,
        reasons=reasons,
        **reference,
    )


def _read_reasons(section: Section | None, models: tuple[Model, ...]) -> dict[str, str]:
    """Read why the priors are what they are."""
    if section is None:
        return {}
    example = "the half-normal(0.5) of Roever et al. (2021)"
    texts = {key: section.text(key, example, required=False) for key in REASONS}
    if texts["baseline"] is not None and not any(
        hasattr(model.likelihood, "baseline") for model in models
    ):
        section.fault("baseline", "no likelihood has a baseline", "Remove it.")
    section.close()
    return {key: text for key, text in texts.items() if text is not None}


def _read_data(section: Section, path: Path, *, required: bool = True) -> str | Path | None:
    data = section.text("data", "trials.csv", required=required)
    if data is None or data == PUBLISHED or data in available():
        return data
    beside = (path.parent / data).resolve()
    if not beside.is_file():
        section.fault(
            "data",
            f"neither a bundled table nor a file ({beside})",
            did_you_mean(data, available()),
        )
        return None
    return beside


def _read_arms(file: Section) -> tuple[str, str] | None:
    arms = file.texts("arms", '["treated", "control"]', required=False)
    if arms is not None and len(arms) != 2:
        file.fault("arms", f"{len(arms)} arms where two are wanted", "Write [treated, control].")
        return None
    return None if arms is None else (arms[0], arms[1])


def _read_outcomes(file: Section, path: Path) -> tuple[Outcome, ...]:
    tables = file.take("outcome", list, "...")
    if "outcome" in file.missing:
        fix = "Add a table [[outcome]] with name and better."
        file.missing["outcome"] = replace(file.missing["outcome"], fix=fix)
    outcomes: list[Outcome] = []
    for i, values in enumerate(tables or ()):
        place = f"outcome[{i}]"
        if not isinstance(values, dict):
            file.problems.append(
                Problem(column=place, what="not a table", fix="Write [[outcome]] above its keys.")
            )
            continue
        section = Section(values=values, path=place, problems=file.problems)
        outcome = _read_outcome(section, path)
        if outcome is not None and outcome.name in [other.name for other in outcomes]:
            section.fault("name", "given twice", "Write each outcome once.")
        if outcome is not None:
            outcomes.append(outcome)
    if tables == []:
        file.fault("outcome", "no outcome", "Add a table [[outcome]] with name and better.")
    return tuple(outcomes)


def _read_outcome(section: Section, path: Path) -> Outcome | None:
    name = section.text("name", "mortality")
    better = section.choice("better", get_args(Direction.__value__))
    published = read_published(section)
    data = _read_data(section, path, required=False)
    models = read_models(section.section("model", required=False))
    section.close()
    if name is None or better is None:
        return None
    direction = cast(Direction, better)
    return Outcome(name=name, better=direction, published=published, data=data, models=models)


def _read_sampling(section: Section | None) -> Sampling:
    if section is None:
        return Sampling()
    default = Sampling()
    least = {"draws": 4, "tune": 1, "chains": 1, "seed": 0}
    whole = {
        key: section.take(key, int, str(getattr(default, key)), required=False) for key in least
    }
    for key, value in whole.items():
        if value is not None and value < least[key]:
            section.fault(key, f"below {least[key]}", f"Write {key} = {getattr(default, key)}.")
    accept = section.take("target_accept", float, "0.9", required=False)
    if accept is not None and not 0 < accept < 1:
        section.fault("target_accept", "not between 0 and 1", "Write target_accept = 0.9.")
    sampler = section.choice("sampler", get_args(SamplerName.__value__), default=default.sampler)
    section.close()
    given = whole | {"target_accept": accept, "sampler": sampler}
    return replace(default, **{key: value for key, value in given.items() if value is not None})


def _data_problems(comparison: Comparison) -> list[Problem]:
    """Hold arms, outcomes and models against the data."""
    problems: list[Problem] = []
    tables: dict[str | Path, StudyTable] = {}
    for i, outcome in enumerate(comparison.outcomes):
        data = outcome.data or comparison.data
        if data == PUBLISHED:
            if outcome.published is None:
                what, fix = "missing, and there are no other data", "Add published = { ... }."
                problems.append(Problem(column=f"outcome[{i}].published", what=what, fix=fix))
            continue
        if data not in tables:
            tables[data] = comparison.table(data)
        problems.extend(_outcome_problems(comparison, i, tables[data]))
    return list(dict.fromkeys(problems))


def _outcome_problems(comparison: Comparison, i: int, table: StudyTable) -> Iterator[Problem]:
    """Hold the arms, and one outcome and its models, against a table."""
    outcome = comparison.outcomes[i]
    if comparison.arms is None and table.layout == "binary" and table.arms is None:
        arms = ", ".join(f'"{name}"' for name in table.arm_names)
        fix = f"Add arms = [treated, control], out of {arms}."
        yield Problem(column="arms", what="missing", fix=fix)
        return
    sharing = [one for one in comparison.outcomes if one.data == outcome.data]
    if not table.outcomes and len(sharing) > 1:
        what = f"{table.source} does not tell outcomes apart"
        yield Problem(column="outcome", what=what, fix="Add a column outcome to it.")
        return
    try:
        named = table.select(outcome=outcome.name) if table.outcomes else table
    except StudyTableError as error:
        yield as_problem(f"outcome[{i}].name", error)
        return
    try:
        chosen = named.select(arms=comparison.arms)
    except StudyTableError as error:
        yield as_problem("arms", error)
        return
    own = f"outcome[{i}]." if outcome.models else ""
    for model in comparison.models_of(outcome):
        try:
            for one in solutions_of(chosen):
                model.bind(one)
        except ModelError as error:
            yield as_problem(f"{own}model.measure ({model.likelihood} likelihood)", error)
