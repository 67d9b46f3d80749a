"""The command line: run, fit, pool, effects, check, data."""

import contextlib
import io
import json as json_format
import sys
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from cyclopts import App, CycloptsError, Parameter

from bayesmeta import __version__
from bayesmeta.effects import MEASURES, Correction, compute_effects, get_measure
from bayesmeta.errors import BayesmetaError, BayesmetaWarning, ComparisonError, ModelError
from bayesmeta.frequentist import IntervalMethod
from bayesmeta.frequentist import pool as pool_studies
from bayesmeta.frequentist.intervals import require_level
from bayesmeta.inference.fit import NutsOptions
from bayesmeta.inference.fit import fit as fit_model
from bayesmeta.inference.nuts import Progress, silent
from bayesmeta.likelihoods import LIKELIHOODS
from bayesmeta.model import Model, likelihood_options
from bayesmeta.report import plain, tables
from bayesmeta.report.crosscheck_table import crosscheck_table
from bayesmeta.run import find_jobs, run_job
from bayesmeta.studies import HELD, StudyTable, available, load, read_studies

if TYPE_CHECKING:
    from rich.console import RenderableType

DONE, FAILED_CHECK, BAD_INPUT = 0, 1, 2
BASELINE = "normal(0, 10)"  # documented default prior of the control arm's log odds

type EngineChoice = Literal["exact", "nuts"]

app = App(
    name="bayesmeta",
    help="Meta-analysis by three independent roads: exact posterior, NUTS and frequentist.",
    version=__version__,
    default_parameter=Parameter(negative=()),
)


class UsageError(BayesmetaError):
    """A command that cannot be read."""


def main(tokens: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    tokens : sequence of str, optional
        Words after the program's name; those of this process if not given.

    Returns
    -------
    int
        Exit status: 0 done, 1 done but something failed its check, 2 bad input.
    """
    words = list(sys.argv[1:] if tokens is None else tokens)
    for stream in (sys.stdout, sys.stderr):  # a study's name must not break a narrow encoding
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", BayesmetaWarning)  # the notes say the same
            status = app(
                words, exit_on_error=False, print_error=False, result_action="return_value"
            )
    except CycloptsError as error:
        return _refuse(UsageError(f"{error} See bayesmeta --help."), words)
    except BayesmetaError as error:
        return _refuse(error, words)
    return status if isinstance(status, int) else DONE


@app.command
def run(
    *paths: Path,
    out: Path | None = None,
    nuts: Annotated[bool, Parameter(negative="--no-nuts")] = True,
) -> int:
    """Run comparison files: a cross-check table for each outcome, and files with --out.

    Parameters
    ----------
    paths
        TOML files, or folders of them.
    out
        Folder for estimates.csv, posterior.nc, forest.png and the resolved comparison.
    nuts
        Sample each model too, and hold the exact posterior against it.
    """
    failed = False
    for job in find_jobs(_given(paths)):
        with _progress() as progress:
            results = run_job(job, out, nuts=nuts, progress=progress)
        for result in results:
            _print(crosscheck_table(result, title=job.comparison.title))
            failed = failed or result.failed
        if out is not None:
            _print(f"Written to {out / job.folder}")
    return FAILED_CHECK if failed else DONE


@app.command
def fit(
    table: str,
    /,
    *,
    measure: str | None = None,
    likelihood: str = "normal",
    effect_prior: str | None = None,
    tau_prior: str | None = None,
    baseline_prior: str | None = None,
    engine: EngineChoice = "exact",
    draws: int | None = None,
    seed: int | None = None,
    level: float = 0.95,
    arms: tuple[str, str] | None = None,
    outcome: str | None = None,
    correction: Correction | None = None,
    json: bool = False,
) -> int:
    """Fit one model, exactly or by NUTS.

    Parameters
    ----------
    table
        CSV file, or name of a bundled table (see bayesmeta data).
    measure
        OR, RR, RD or GEN; GEN for contrasts if not given.
    likelihood
        normal (if not given), or one of those that take the data as they are: binomial.
    effect_prior
        Of the mean effect on the analysis scale, such as "normal(0, 2.82)".
    tau_prior
        Of the SD of the true effects, such as "half_normal(0.5)".
    baseline_prior
        Of a study's level of risk, in log odds, binomial likelihood; "normal(0, 10)" if not given.
    engine
        Quadrature or sampling.
    draws
        Draws per chain, nuts only.
    seed
        Seed, nuts only; 1 if not given.
    level
        Probability of the intervals: 0.95 for 95%.
    arms
        Names of the treated and the control arm.
    outcome
        Outcome to analyse, where the table has several.
    correction
        Zero-cell rule of the normal likelihood: only0 (if not given), all or none.
    json
        Print one JSON object and nothing else.
    """
    require_level(level)
    studies = _studies(table, arms, outcome)
    name = _measure(studies, measure)
    texts = _priors(studies, name, likelihood, effect_prior, tau_prior, baseline_prior)
    if correction is not None and likelihood != "normal":
        raise ModelError(f"The {likelihood} likelihood corrects nothing. Leave --correction out.")
    model = Model.from_text(
        measure=name,
        likelihood=likelihood,
        correction=correction or "only0",
        **{part: text for part, (text, _) in texts.items()},
    )
    options = NutsOptions() if draws is None else NutsOptions(draws=draws)
    rng = 1 if engine == "nuts" and seed is None else seed
    with _progress(wanted=engine == "nuts") as progress:
        posterior = fit_model(model, studies, engine=engine, rng=rng, progress=progress, **options)
    told = [f"{part} ~ {text}{' (default)' if default else ''}"
            for part, (text, default) in texts.items()]  # fmt: skip
    notes = [*studies.notes, *posterior.bound.data.notes, *posterior.notes]
    if json:
        notes = list(dict.fromkeys(notes))
        _print_json(
            plain.posterior_as_data(posterior, level=level, notes=notes, version=__version__)
        )
    else:
        _print(tables.posterior_tables(posterior, level=level), f"Priors: {', '.join(told)}")
    return DONE if posterior.ok else FAILED_CHECK


@app.command
def pool(
    table: str,
    /,
    *,
    measure: str | None = None,
    method: str | None = None,
    interval: IntervalMethod = "wald",
    level: float = 0.95,
    arms: tuple[str, str] | None = None,
    outcome: str | None = None,
    correction: Correction = "only0",
    json: bool = False,
) -> int:
    """Pool as RevMan, Stata or metafor would.

    Parameters
    ----------
    table
        CSV file, or name of a bundled table (see bayesmeta data).
    measure
        OR, RR, RD or GEN; GEN for contrasts if not given.
    method
        One of EE, MH, MH-RM, DL, REML; all that fit the data if not given.
    interval
        Normal quantile, t quantile, Hartung-Knapp, or that never narrower than the plain one.
    level
        Coverage of the intervals: 0.95 for 95%.
    arms
        Names of the treated and the control arm.
    outcome
        Outcome to analyse, where the table has several.
    correction
        Where 1/2 is added to the cells of 2x2 tables.
    json
        Print one JSON object and nothing else.
    """
    studies = _studies(table, arms, outcome)
    reference = pool_studies(
        studies,
        _measure(studies, measure),
        methods=method,
        interval=interval,
        level=level,
        correction=correction,
    )
    if not json:
        _print(tables.reference_table(reference))
    elif method is None:
        _print_json(plain.reference_as_data(reference, version=__version__))
    else:
        _print_json(plain.pooled_as_data(reference[method], version=__version__))
    return DONE


@app.command
def effects(
    table: str,
    /,
    *,
    measure: str | None = None,
    arms: tuple[str, str] | None = None,
    outcome: str | None = None,
    correction: Correction = "only0",
    json: bool = False,
) -> int:
    """Compute the effect of every study.

    Parameters
    ----------
    table
        CSV file, or name of a bundled table (see bayesmeta data).
    measure
        OR, RR, RD or GEN; GEN for contrasts if not given.
    arms
        Names of the treated and the control arm.
    outcome
        Outcome to analyse, where the table has several.
    correction
        Where 1/2 is added to the cells of 2x2 tables.
    json
        Print one JSON object and nothing else.
    """
    studies = _studies(table, arms, outcome)
    found = compute_effects(studies, _measure(studies, measure), correction=correction)
    if json:
        notes = [*studies.notes, *found.notes]
        _print_json(plain.effects_as_data(found, notes=notes, version=__version__))
    else:
        _print(tables.effects_table(found), *(f"Note: {note}" for note in studies.notes))
    return DONE


@app.command
def check(*paths: Path) -> int:
    """Check comparison files, and that they fit their data; nothing is fitted.

    Parameters
    ----------
    paths
        TOML files, or folders of them.
    """
    for job in find_jobs(_given(paths)):
        models = ", ".join(str(model.likelihood) for model in job.comparison.models)
        _print(f"{job.folder}: {job.comparison.title}: {models}; nothing to complain of")
        for outcome, studies in zip(job.comparison.outcomes, job.studies, strict=True):
            _print(f"  {outcome.name}: {studies.k} studies, {outcome.better} is better")
    return DONE


@app.command
def data(name: str | None = None, /) -> int:
    """List the bundled tables, or print one of them.

    Parameters
    ----------
    name
        Of the table to print.
    """
    if name is None:
        _print(tables.listing(available()))
        return DONE
    table = load(name)
    _print(tables.frame_table(table.frame), table.citation)
    _print(*(f"Note: {note}" for note in table.notes))
    return DONE


# --- input ---------------------------------------------------------------------------------------


def _given(paths: tuple[Path, ...]) -> tuple[Path, ...]:
    if not paths:
        raise ComparisonError("No comparison file was given. Name one, such as models/bcg.toml.")
    return paths


def _studies(table: str, arms: tuple[str, str] | None, outcome: str | None) -> StudyTable:
    """Read a bundled table or a file, and choose arms and outcome."""
    studies = load(table) if table in available() else read_studies(table)
    return studies.select(outcome=outcome, arms=arms)


def _measure(studies: StudyTable, name: str | None) -> str:
    """Give the measure asked for, or that of a table of contrasts."""
    if name is not None:
        return get_measure(name).name
    if studies.layout == "contrast":
        return studies.measure or "GEN"
    fitting = (measure for measure in MEASURES.values() if measure.layout == studies.layout)
    known = ", ".join(measure.name for measure in fitting)
    raise ModelError(f"{studies.source} holds {HELD[studies.layout]}, which have several measures. "
                     f"Give --measure, one of {known}.")  # fmt: skip


def _priors(
    studies: StudyTable,
    measure_name: str,
    likelihood: str,
    effect: str | None,
    tau: str | None,
    baseline: str | None,
) -> dict[str, tuple[str, bool]]:
    """Give the text of each prior by its name in the model, and whether it is the default."""
    measure = get_measure(measure_name)
    choices = {
        "effect": (effect, measure.default_effect_prior),
        "heterogeneity": (tau, measure.default_heterogeneity_prior),
    }
    if likelihood in LIKELIHOODS and "baseline" in likelihood_options(LIKELIHOODS[likelihood]):
        choices["baseline"] = (baseline, BASELINE)
    elif baseline is not None:
        raise ModelError(
            f"The {likelihood} likelihood has no baseline. Leave --baseline-prior out."
        )
    texts = {name: (given or default or "", given is None) for name, (given, default) in
             choices.items()}  # fmt: skip
    if not all(text for text, _ in texts.values()):
        y = compute_effects(studies, measure_name).y
        wide, spread = (float(f"{10 * size:.0e}") for size in (np.abs(y).max(), np.std(y) / 10))
        raise ModelError(
            f"{measure.name} has no default prior: its unit is that of the data. Give "
            "--effect-prior and --tau-prior. For effects as large as these, one might write "
            f'--effect-prior "normal(0, {wide or 1:g})" --tau-prior "half_normal({spread or 1:g})".'
        )
    return texts


# --- output --------------------------------------------------------------------------------------


def _print(*parts: "RenderableType") -> None:
    """Print for people."""
    from rich.console import Console

    console = Console(highlight=False, markup=False)
    console.width = max(console.width, 100)  # on a narrow terminal lines wrap; no number is cut
    for part in parts:
        console.print(part)


def _print_json(content: dict[str, Any]) -> None:
    print(json_format.dumps(content, indent=2, allow_nan=False, ensure_ascii=False))


def _refuse(error: BayesmetaError, words: Sequence[str]) -> int:
    """Tell an error where it is looked for: in the JSON object, or on standard error."""
    if "--json" in words:
        _print_json(plain.error_as_data(error))
    else:
        print(f"bayesmeta: {error}", file=sys.stderr)
    return BAD_INPUT


class _Stages:
    """Progress on a terminal: the stage, and the time since it began."""

    def __init__(self, bar: Any) -> None:
        self._bar = bar
        self._task = bar.add_task("reading", total=None)

    def advance(self, label: str) -> None:
        """Show what begins now."""
        self._bar.reset(self._task, description=label)


@contextlib.contextmanager
def _progress(*, wanted: bool = True) -> Iterator[Progress]:
    """Show progress on standard error while something runs, if that is a terminal."""
    if not wanted or not sys.stderr.isatty():
        yield silent
        return
    from rich.console import Console
    from rich.progress import Progress as Bar
    from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        yield _Stages(bar)
