"""A comparison as a file: strict TOML to models and choices, and back."""

import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, cast, get_args

from bayesmeta.checks.crosscheck import METHODS_OF, Direction, Software
from bayesmeta.checks.published_row import PublishedModel, PublishedRow
from bayesmeta.effects import CORRECTIONS, MEASURES, Correction
from bayesmeta.errors import BayesmetaError, ComparisonError, ModelError, Problem, StudyTableError
from bayesmeta.frequentist import METHODS
from bayesmeta.likelihoods import LIKELIHOODS
from bayesmeta.model import Model, read_likelihood
from bayesmeta.printed import Printed
from bayesmeta.priors import Prior, parse_prior
from bayesmeta.random_effects import RANDOM_EFFECTS
from bayesmeta.studies import StudyTable, available, load, read_studies
from bayesmeta.studies.refusal import did_you_mean

RECORD = "record"  # what a run writes about itself into its copy of the file; never read back


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One outcome of a comparison.

    Attributes
    ----------
    name : str
        As in the study table, where that names outcomes.
    better : {"higher", "lower"}
        Which direction of the effect is good for the patient.
    published : PublishedRow or None
        What the publication prints for it.
    """

    name: str
    better: Direction
    published: PublishedRow | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How NUTS is run; draws and tuning steps are per chain."""

    draws: int = 2000
    tune: int = 1000
    chains: int = 4
    seed: int = 1
    target_accept: float = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One comparison: data, arms, one model per likelihood, outcomes and choices.

    Attributes
    ----------
    name : str
        Stem of the file's name; not part of the file.
    title : str
        For people.
    data : str or Path
        Name of a bundled table, or the path of a CSV file.
    arms : (str, str) or None
        Treated and control arm; None for contrast-level data.
    models : tuple of Model
        They differ in their likelihood only.
    outcomes : tuple of Outcome
        In the order of the file.
    software : {"metafor", "RevMan 5"}
        Whose form of Mantel-Haenszel the reference shows where `methods` does not say.
    methods : tuple of str or None
        Frequentist methods, keys of `METHODS`; None for those that fit the data.
    sampling : Sampling
        Settings of NUTS.

    Raises
    ------
    ComparisonError
        The models differ in more than their likelihood.
    """

    name: str = field(default="comparison", compare=False)
    title: str
    data: str | Path
    arms: tuple[str, str] | None = None
    models: tuple[Model, ...]
    outcomes: tuple[Outcome, ...]
    software: Software = "metafor"
    methods: tuple[str, ...] | None = None
    sampling: Sampling = Sampling()

    def __post_init__(self) -> None:
        first = self.models[0]
        if any(replace(model, likelihood=first.likelihood) != first for model in self.models):
            raise ComparisonError(
                "The models of a comparison differ in their likelihood only. Write one comparison "
                "for each set of priors."
            )

    def load(self) -> tuple[StudyTable, ...]:
        """Give the studies of each outcome, arms chosen.

        Raises
        ------
        StudyTableError
            The table cannot be read, or has no such outcome or arm.
        """
        table = load(self.data) if isinstance(self.data, str) else read_studies(self.data)
        return tuple(
            table.select(outcome=outcome.name if table.outcomes else None, arms=self.arms)
            for outcome in self.outcomes
        )


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
    comparison = _read_file(_Section(values=_parse(path), path="", problems=problems), path)
    if comparison is not None and not problems:
        problems.extend(_data_problems(comparison, path))
    if comparison is None or problems:
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        raise ComparisonError(f"{path} has {count}; nothing was fitted.", problems)
    return comparison


def write_comparison(
    comparison: Comparison,
    path: str | os.PathLike[str],
    *,
    record: Mapping[str, Any] | None = None,
) -> None:
    """Write a comparison with every default spelt out; `read_comparison` gives an equal one.

    Parameters
    ----------
    comparison : Comparison
        What to write; the path of its data is written relative to the new file.
    path : path
        File to write.
    record : mapping, optional
        What should be known of a run, such as versions; goes into a table that is not read back.
    """
    import tomli_w

    path = Path(path)
    content = _as_toml(comparison, path.parent) | ({RECORD: dict(record)} if record else {})
    path.write_bytes(tomli_w.dumps(content).encode())


# --- reading -----------------------------------------------------------------------------------


@dataclass(kw_only=True)
class _Section:
    """One table of the file: keys are taken by name and kind; what is left over is unknown."""

    values: Mapping[str, Any]
    path: str
    problems: list[Problem]
    known: list[str] = field(default_factory=list)
    missing: dict[str, Problem] = field(default_factory=dict)

    def place(self, key: str) -> str:
        return f"{self.path}.{key}" if self.path else key

    def fault(self, key: str, what: str, fix: str) -> None:
        """Note a fault of a key, with the value it has."""
        shown = self.values.get(key)
        text = None if shown is None or isinstance(shown, dict | list) else f"{shown!r}"
        self.problems.append(Problem(column=self.place(key), value=text, what=what, fix=fix))

    def take(self, key: str, kind: type, example: str, *, required: bool = True) -> Any:
        """Give the value of a key if it is there and of the kind; else None, and note why."""
        self.known.append(key)
        if key not in self.values:
            if required:
                self.missing[key] = Problem(
                    column=self.place(key), what="missing", fix=f"Add {key} = {example}."
                )
            return None
        value = self.values[key]
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            self.fault(key, f"not {_KINDS[kind]}", f"Write {key} = {example}.")
            return None
        return value

    def text(self, key: str, example: str, *, required: bool = True) -> str | None:
        value = self.take(key, str, f'"{example}"', required=required)
        if value is not None and not value.strip():
            self.fault(key, "empty", f'Write {key} = "{example}".')
            return None
        return cast("str | None", value)

    def choice(
        self, key: str, known: Sequence[str], *, default: str | None = None
    ) -> str | None:
        """Give one of the known words."""
        value = self.text(key, known[0], required=default is None)
        if value is not None and value not in known:
            self.fault(key, "not known here", did_you_mean(value, known))
            return None
        return default if value is None and key not in self.values else value

    def texts(self, key: str, example: str, *, required: bool = True) -> tuple[str, ...] | None:
        """Give a list of texts, none twice."""
        values = self.take(key, list, example, required=required)
        if values is None:
            return None
        if not values or not all(isinstance(value, str) for value in values):
            self.fault(key, "not a list of texts", f"Write {key} = {example}.")
            return None
        if len(set(values)) < len(values):
            self.fault(key, "names one thing twice", "Name each once.")
            return None
        return tuple(values)

    def choices(
        self, key: str, known: Sequence[str], example: str, *, required: bool = True
    ) -> tuple[str, ...] | None:
        """Give a list of known words."""
        values = self.texts(key, example, required=required)
        for i, value in enumerate(values or ()):
            if value not in known:
                at, fix = f"{self.place(key)}[{i}]", did_you_mean(value, known)
                self.problems.append(
                    Problem(column=at, value=f"{value!r}", what="not known here", fix=fix)
                )
                values = None
        return values

    def section(self, key: str, *, required: bool = True) -> "_Section | None":
        values = self.take(key, dict, "...", required=required)
        if key in self.missing:
            self.missing[key] = replace(self.missing[key], fix=f"Add a table [{self.place(key)}].")
        if values is None:
            return None
        return _Section(values=values, path=self.place(key), problems=self.problems)

    def close(self) -> None:
        """Note keys that nobody took, and keys that are missing and not just misspelt."""
        for key in self.values:
            if key not in self.known:
                near = get_close_matches(key.lower(), self.known, n=1)
                if near and near[0] not in self.values:
                    self.missing.pop(near[0], None)
                self.problems.append(
                    Problem(
                        column=self.place(key),
                        what="unknown key",
                        fix=did_you_mean(key, self.known),
                    )
                )
        self.problems.extend(self.missing.values())


_KINDS = {
    str: 'a text in "..."',
    int: "a whole number",
    float: "a number",
    list: "a list in [...]",
    dict: "a table",
}


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


def _read_file(file: _Section, path: Path) -> Comparison | None:
    """Read the whole file; None if a part that others need is missing or wrong."""
    title = file.text("title", "Drug v placebo in asthma")
    data = _read_data(file, path)
    arms = _read_arms(file)
    models = _read_models(file.section("model"))
    software, methods = _read_reference(file.section("reference", required=False))
    outcomes = _read_outcomes(file)
    sampling = _read_sampling(file.section("sampling", required=False))
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
        software=software,
        methods=methods,
        sampling=sampling,
    )


def _read_data(file: _Section, path: Path) -> str | Path | None:
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


def _read_arms(file: _Section) -> tuple[str, str] | None:
    arms = file.texts("arms", '["treated", "control"]', required=False)
    if arms is not None and len(arms) != 2:
        file.fault("arms", f"{len(arms)} arms where two are wanted", "Write [treated, control].")
        return None
    return None if arms is None else (arms[0], arms[1])


def _read_models(section: _Section | None) -> tuple[Model, ...]:
    if section is None:
        return ()
    measure = section.choice("measure", tuple(MEASURES))
    likelihoods = section.choices("likelihoods", tuple(LIKELIHOODS), '["normal"]')
    priors = MEASURES[measure] if measure else MEASURES["OR"]
    effect = _read_prior(section, "effect", priors.default_effect_prior or "normal(0, 1)")
    example = priors.default_heterogeneity_prior or "half_normal(0.5)"
    heterogeneity = _read_prior(section, "heterogeneity", example)
    correction = section.choice("correction", tuple(CORRECTIONS), default="only0")
    form = section.choice("random_effects", tuple(RANDOM_EFFECTS), default="normal")
    wanting = [name for name in likelihoods or () if "baseline" in _fields(LIKELIHOODS[name])]
    baseline = section.text("baseline", "normal(0, 10)", required=bool(wanting))
    if baseline is not None and likelihoods and not wanting:
        section.fault(
            "baseline", f"not used by {', '.join(likelihoods)}", "Remove it, or add binomial."
        )
    if baseline is not None:
        _read_prior(section, "baseline", "normal(0, 10)")
    section.close()
    if section.problems:
        return ()

    models = []
    for name in likelihoods or ():
        try:
            likelihood = read_likelihood(name, baseline if name in wanting else None)
        except ModelError as error:
            section.problems.append(_at(section.place("baseline"), error))
            continue
        try:
            models.append(
                Model(
                    measure=measure or "",
                    likelihood=likelihood,
                    effect=cast(Prior, effect),
                    heterogeneity=cast(Prior, heterogeneity),
                    random_effects=RANDOM_EFFECTS[form or ""](),
                    correction=cast(Correction, correction),
                )
            )
        except ModelError as error:
            section.problems.append(_at(section.place("heterogeneity"), error))
            return ()
    return tuple(models)


def _read_prior(section: _Section, key: str, example: str) -> Prior | None:
    text = section.text(key, example)
    if text is None:
        return None
    try:
        return parse_prior(text)
    except ModelError as error:
        section.problems.append(_at(section.place(key), error))
        return None


def _read_reference(section: _Section | None) -> tuple[Software, tuple[str, ...] | None]:
    if section is None:
        return "metafor", None
    software = cast(
        Software, section.choice("software", get_args(Software.__value__), default="metafor")
    )
    methods = section.choices("methods", tuple(METHODS), '["DL", "REML"]', required=False)
    if software == "RevMan 5" and methods and "MH" in methods:
        what = 'MH is metafor\'s form, and software is "RevMan 5"'
        section.fault("methods", what, "Write MH-RM, or another software.")
    if "rule" in section.values:
        section.known.append("rule")
        section.fault("rule", "not offered yet", "Remove it, and name methods.")
    section.close()
    return software, methods


def _read_outcomes(file: _Section) -> tuple[Outcome, ...]:
    tables = file.take("outcome", list, "...")
    if "outcome" in file.missing:
        fix = "Add a table [[outcome]] with name and better."
        file.missing["outcome"] = replace(file.missing["outcome"], fix=fix)
    outcomes = []
    for i, values in enumerate(tables or ()):
        path = f"outcome[{i}]"
        if not isinstance(values, dict):
            file.problems.append(
                Problem(column=path, what="not a table", fix="Write [[outcome]] above its keys.")
            )
            continue
        section = _Section(values=values, path=path, problems=file.problems)
        name = section.text("name", "mortality")
        better = section.choice("better", get_args(Direction.__value__))
        published = _read_published(section.section("published", required=False))
        section.close()
        if name is not None and name in [outcome.name for outcome in outcomes]:
            section.fault("name", "given twice", "Write each outcome once.")
        if name is not None and better is not None:
            outcomes.append(
                Outcome(name=name, better=cast(Direction, better), published=published)
            )
    if tables == []:
        file.fault("outcome", "no outcome", "Add a table [[outcome]] with name and better.")
    return tuple(outcomes)


def _read_published(section: _Section | None) -> PublishedRow | None:
    if section is None:
        return None
    model = section.choice("model", get_args(PublishedModel.__value__))
    k = section.take("k", int, "2", required=False)
    if k is not None and k < 1:
        section.fault("k", "not a number of studies", "Write k = 2.")
    estimate = _read_printed(section, "estimate", required=True)
    numbers = {key: _read_printed(section, key) for key in ("p", "q", "q_p", "i2", "tau2")}
    ci = _read_interval(section)
    section.close()
    if model is None or estimate is None:
        return None
    return PublishedRow(model=cast(PublishedModel, model), estimate=estimate, ci=ci, k=k, **numbers)


_AS_PRINTED = "digits and < carry information that a number loses"


def _read_printed(section: _Section, key: str, *, required: bool = False) -> Printed | None:
    if isinstance(section.values.get(key), int | float):
        section.known.append(key)
        value = section.values[key]
        section.fault(key, f"a number, and {_AS_PRINTED}", f'Write {key} = "{value}" as printed.')
        return None
    text = section.text(key, "0.10", required=required)
    return None if text is None else _as_printed(section, key, text)


def _read_interval(section: _Section) -> tuple[Printed, Printed] | None:
    limits = section.take("ci", list, '["0.75", "35.02"]', required=False)
    if limits is None:
        return None
    if len(limits) != 2 or not all(isinstance(limit, str) for limit in limits):
        what = f"not two texts ({_AS_PRINTED})"
        section.fault("ci", what, 'Write ci = ["0.75", "35.02"] as printed.')
        return None
    low, high = (_as_printed(section, "ci", limit) for limit in limits)
    if low is None or high is None:
        return None
    if low.value > high.value:
        section.fault("ci", f"{low.text} is above {high.text}", "Are the limits swapped?")
    return low, high


def _as_printed(section: _Section, key: str, text: str) -> Printed | None:
    try:
        return Printed.parse(text)
    except ValueError as error:
        section.fault(key, str(error), "Write it as printed, with a decimal point.")
        return None


def _read_sampling(section: _Section | None) -> Sampling:
    if section is None:
        return Sampling()
    default = Sampling()
    least = {"draws": 4, "tune": 0, "chains": 1, "seed": 0}
    whole = {
        key: section.take(key, int, str(getattr(default, key)), required=False) for key in least
    }
    for key, value in whole.items():
        if value is not None and value < least[key]:
            section.fault(key, f"below {least[key]}", f"Write {key} = {getattr(default, key)}.")
    accept = section.take("target_accept", float, "0.9", required=False)
    if accept is not None and not 0 < accept < 1:
        section.fault("target_accept", "not between 0 and 1", "Write target_accept = 0.9.")
    section.close()
    given = whole | {"target_accept": accept}
    return replace(default, **{key: value for key, value in given.items() if value is not None})


def _data_problems(comparison: Comparison, path: Path) -> list[Problem]:
    """Hold arms, outcomes and models against the data."""
    data = comparison.data
    table = load(data) if isinstance(data, str) else read_studies(data)
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
            problems.append(_at(f"outcome[{i}].name", error))
            continue
        try:
            chosen = chosen.select(arms=comparison.arms)
        except StudyTableError as error:
            problems.append(_at("arms", error))
            continue
        for model in comparison.models:
            try:
                model.bind(chosen)
            except ModelError as error:
                problems.append(_at(f"model.measure ({model.likelihood} likelihood)", error))
    return list(dict.fromkeys(problems))


def _at(place: str, error: BayesmetaError) -> Problem:
    """Tell an error of a part as a problem of the file."""
    if not error.problems:
        what, _, fix = error.message.rstrip(".").partition(". ")
        return Problem(column=place, what=what, fix=f"{fix}." if fix else "Change it.")
    first = error.problems[0]
    further = [f"{problem.what}. {problem.fix}" for problem in error.problems[1:]]
    return replace(first, row=None, column=place, fix=" ".join([first.fix, *further]))


def _fields(kind: type[Any]) -> list[str]:
    return [part.name for part in fields(kind)]


# --- writing -----------------------------------------------------------------------------------


def _as_toml(comparison: Comparison, folder: Path) -> dict[str, Any]:
    data = comparison.data
    if isinstance(data, Path):
        data = Path(os.path.relpath(data, folder.resolve())).as_posix()
    model: dict[str, Any] = {}
    for each in comparison.models:
        model = each.as_text() | model  # one with a baseline adds it
    model["likelihoods"] = [str(each.likelihood) for each in comparison.models]
    order = ("measure", "likelihoods", "effect", "heterogeneity", "baseline")
    reference: dict[str, Any] = {"software": comparison.software}
    if comparison.methods is not None:
        reference["methods"] = list(comparison.methods)
    content: dict[str, Any] = {"title": comparison.title, "data": data}
    if comparison.arms is not None:
        content["arms"] = list(comparison.arms)
    return content | {
        "model": {key: model[key] for key in (*order, "correction", "random_effects") if key in model},
        "reference": reference,
        "sampling": {key: getattr(comparison.sampling, key) for key in _fields(Sampling)},
        "outcome": [_outcome_as_toml(outcome) for outcome in comparison.outcomes],
    }


def _outcome_as_toml(outcome: Outcome) -> dict[str, Any]:
    content: dict[str, Any] = {"name": outcome.name, "better": outcome.better}
    if outcome.published is not None:
        row = outcome.published
        values = {key: getattr(row, key) for key in _fields(PublishedRow)}
        content["published"] = {
            key: _printed_as_toml(value) for key, value in values.items() if value is not None
        }
    return content


def _printed_as_toml(value: object) -> object:
    if isinstance(value, tuple):
        return [part.text for part in value]
    return value.text if isinstance(value, Printed) else value


