"""From a TOML file to a comparison, with every fault of the file told at once."""

import os
import re
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any, cast, get_args

from bayesmeta.checks.crosscheck import Direction
from bayesmeta.comparison.comparison import Comparison, Outcome, Sampling
from bayesmeta.comparison.models import read_models
from bayesmeta.comparison.published import read_published
from bayesmeta.comparison.reading import read_reading
from bayesmeta.comparison.reference import read_reference
from bayesmeta.comparison.section import Section, as_problem
from bayesmeta.errors import ComparisonError, ModelError, Problem, StudyTableError
from bayesmeta.inference.sampler import SamplerName
from bayesmeta.studies import available
from bayesmeta.studies.refusal import did_you_mean

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
    models = read_models(file.section("model"))
    reference = read_reference(file.section("reference", required=False))
    outcomes = _read_outcomes(file)
    sampling = _read_sampling(file.section("sampling", required=False))
    reading = read_reading(file.section("reading", required=False))
    if isinstance(data, str) and "reading" in file.values:
        fix = "Remove it: bundled tables are read as they are."
        file.problems.append(Problem(column="reading", what=f"{data} is a bundled table", fix=fix))
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
        **reference,
    )


def _read_data(file: Section, path: Path) -> str | Path | None:
    data = file.text("data", "trials.csv")
    if data is None or data in available():
        return data
    beside = (path.parent / data).resolve()
    if not beside.is_file():
        file.fault(
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


def _read_outcomes(file: Section) -> tuple[Outcome, ...]:
    tables = file.take("outcome", list, "...")
    if "outcome" in file.missing:
        fix = "Add a table [[outcome]] with name and better."
        file.missing["outcome"] = replace(file.missing["outcome"], fix=fix)
    outcomes: list[Outcome] = []
    for i, values in enumerate(tables or ()):
        path = f"outcome[{i}]"
        if not isinstance(values, dict):
            file.problems.append(
                Problem(column=path, what="not a table", fix="Write [[outcome]] above its keys.")
            )
            continue
        section = Section(values=values, path=path, problems=file.problems)
        name = section.text("name", "mortality")
        better = section.choice("better", get_args(Direction.__value__))
        published = read_published(section.section("published", required=False))
        section.close()
        if name is not None and name in [outcome.name for outcome in outcomes]:
            section.fault("name", "given twice", "Write each outcome once.")
        if name is not None and better is not None:
            outcomes.append(Outcome(name=name, better=cast(Direction, better), published=published))
    if tables == []:
        file.fault("outcome", "no outcome", "Add a table [[outcome]] with name and better.")
    return tuple(outcomes)


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
    table = comparison.table()
    problems = []
    if comparison.arms is None and table.layout == "binary" and table.arms is None:
        arms = ", ".join(f'"{name}"' for name in table.arm_names)
        fix = f"Add arms = [treated, control], out of {arms}."
        problems.append(Problem(column="arms", what="missing", fix=fix))
    if not table.outcomes and len(comparison.outcomes) > 1:
        what = f"{table.source} does not tell outcomes apart"
        problems.append(Problem(column="outcome", what=what, fix="Add a column outcome to it."))
    if problems:
        return problems
    for i, outcome in enumerate(comparison.outcomes):
        try:
            chosen = table.select(outcome=outcome.name) if table.outcomes else table
        except StudyTableError as error:
            problems.append(as_problem(f"outcome[{i}].name", error))
            continue
        try:
            chosen = chosen.select(arms=comparison.arms)
        except StudyTableError as error:
            problems.append(as_problem("arms", error))
            continue
        for model in comparison.models:
            try:
                model.bind(chosen)
            except ModelError as error:
                problems.append(as_problem(f"model.measure ({model.likelihood} likelihood)", error))
    return list(dict.fromkeys(problems))
