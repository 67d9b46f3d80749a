"""Run comparison files: fit, check, and write what came out."""

import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from bayesmeta.checks.crosscheck import CrossCheck, Direction, crosscheck
from bayesmeta.checks.reanalysis import reanalyse
from bayesmeta.comparison import Comparison, Outcome, read_comparison, write_comparison
from bayesmeta.errors import ComparisonError, Problem
from bayesmeta.inference.nuts import Progress, silent
from bayesmeta.inference.posterior import Diagnostics, Posterior
from bayesmeta.plots.figures import without_pyplot
from bayesmeta.plots.forest_plot import forest
from bayesmeta.published.audit import Audit, audit
from bayesmeta.published.audited import AuditedRow
from bayesmeta.report.html.page import Report
from bayesmeta.report.html.write import write_index, write_report
from bayesmeta.studies import StudyTable

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

RECORDED = ("bayesmeta", "numpy", "scipy", "pandas", "xarray", "arviz", "pymc", "nutpie")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Job:
    """A comparison that was read and found right, with its data and the place of its results.

    Attributes
    ----------
    comparison : Comparison
    studies : tuple of tuple of StudyTable
        For each outcome the tables that could be its data; see `Comparison.load`.
    folder : Path
        Of the results, relative to the output folder.
    """

    comparison: Comparison
    studies: tuple[tuple[StudyTable, ...], ...]
    folder: Path


def find_jobs(paths: Iterable[str | os.PathLike[str]]) -> tuple[Job, ...]:
    """Read comparison files, and all of those in folders; every one before any is run.

    Parameters
    ----------
    paths : iterable of path
        TOML files, or folders that are searched for them, however deep.

    Returns
    -------
    tuple of Job
        In the order given; those of a folder in the order of their names.

    Raises
    ------
    ComparisonError
        A file or folder is missing, holds no comparison, is wrong, or has the name of another.
    StudyTableError
        A study table is broken.
    """
    jobs: dict[Path, Job] = {}
    for path, folder in (found for given in paths for found in _files(Path(given))):
        if folder in jobs:
            problem = Problem(
                value=str(path),
                what=f"a second comparison for the results folder {folder}",
                fix="Rename one of the two files, or run them one by one.",
            )
            raise ComparisonError("Two comparisons have one name; nothing was fitted.", [problem])
        comparison = read_comparison(path)
        jobs[folder] = Job(comparison=comparison, studies=comparison.load(), folder=folder)
    return tuple(jobs.values())


def run_comparison(
    path: str | os.PathLike[str],
    out: str | os.PathLike[str] | None = None,
    *,
    nuts: bool = True,
    progress: Progress = silent,
) -> tuple[CrossCheck, ...]:
    """Run one comparison file, and write its results.

    Parameters
    ----------
    path : path
        A TOML file; see `read_comparison`.
    out : path, optional
        Folder for the results; not given, nothing is written. They go into a folder of the file's
        name: ``report.html``, a page that needs nothing beside it, its tables in ``tables``, and
        ``comparison.toml``, the file with every default spelt out, versions, seeds and errors;
        with several outcomes into one folder for each in it, ``estimates.csv``, ``posterior.nc``,
        ``forest.png`` and a ``comparison.toml`` of its own. They are moved there when all of them
        are complete. ``index.html`` in `out` lists all reports that are there, those first in
        which the conclusion changes.
    nuts : bool
        Whether to sample each model and hold the exact posterior against it.
    progress : Progress
        Told of every step.

    Returns
    -------
    tuple of CrossCheck
        One per outcome.

    Raises
    ------
    ComparisonError, StudyTableError
        The file or its data are wrong, or nothing can be written to `out`.
    ImproperPosteriorError
        The priors leave a posterior improper.
    """
    (job,) = find_jobs([path])
    return run_job(job, out, nuts=nuts, progress=progress)


@without_pyplot()
def run_job(
    job: Job,
    out: str | os.PathLike[str] | None,
    *,
    nuts: bool = True,
    progress: Progress = silent,
    done: Callable[[], None] = lambda: None,
) -> tuple[CrossCheck, ...]:
    """Run a comparison that was read; see `run_comparison`. `done` is called after an outcome."""
    target = None if out is None else Path(out) / job.folder
    if target is not None:
        _require_folder(target)
    results = []
    for outcome, studies in zip(job.comparison.outcomes, job.studies, strict=True):
        results.append(_check(job.comparison, outcome, studies, nuts=nuts, progress=progress))
        done()
    if target is not None:
        progress.advance("writing results")
        forests = []
        for folder, outcome, result in _places(target, job.comparison, results):
            one = replace(job.comparison, outcomes=(outcome,))
            forests.append(forest(result))
            _write_together(folder, partial(_write_files, folder, one, result, forests[-1]))
        progress.advance("writing the report")
        _write_together(target, partial(_write_report, job, tuple(results), tuple(forests)))
        write_index(Path(out or "."))
    return tuple(results)


def audit_job(job: Job) -> Audit:
    """Test the published rows of a comparison against themselves, its rule and its studies."""
    comparison = job.comparison
    rows = [
        AuditedRow(
            name=outcome.name,
            row=outcome.published,
            measure=comparison.models_of(outcome)[0].measure,
            rule=comparison.rule or "",
            studies=studies,
            software=comparison.software,
        )
        for outcome, studies in zip(comparison.outcomes, job.studies, strict=True)
        if outcome.published is not None
    ]
    return audit(rows)


def _check(
    comparison: Comparison,
    outcome: Outcome,
    studies: tuple[StudyTable, ...],
    *,
    nuts: bool,
    progress: Progress,
) -> CrossCheck:
    """Cross-check one outcome: by its studies, all tables that could be theirs, or its row."""
    models, sampling = comparison.models_of(outcome), comparison.sampling
    told: _Told = {"outcome": outcome.name, "better": outcome.better}
    if outcome.published is not None and not studies:
        return reanalyse(
            models[0], outcome.published, rule=comparison.rule, arms=comparison.arms, **told
        )
    first, *others = (
        crosscheck(
            models,
            table,
            methods=comparison.methods,
            software=comparison.software,
            rule=comparison.rule,
            interval=comparison.interval,
            pi=comparison.pi,
            tau2_interval=comparison.tau2_interval,
            published=outcome.published,
            nuts=nuts and i == 0,
            rng=sampling.seed,
            draws=sampling.draws,
            tune=sampling.tune,
            chains=sampling.chains,
            target_accept=sampling.target_accept,
            sampler=sampling.sampler,
            progress=progress,
            **told,
        )
        for i, table in enumerate(studies)
    )
    return replace(first, others=tuple(others))


class _Told(TypedDict):
    """What tables and figures say of an outcome."""

    outcome: str
    better: Direction


def _files(path: Path) -> Iterator[tuple[Path, Path]]:
    """Find the comparison files of a path, each with the folder of its results."""
    if not path.is_dir():
        yield path, Path(path.stem)
        return
    found = sorted(path.rglob("*.toml"))
    if not found:
        problem = Problem(
            value=str(path), what="no .toml file in this folder", fix="Check the path."
        )
        raise ComparisonError("There is no comparison to run.", [problem])
    for file in found:
        yield file, file.relative_to(path).with_suffix("")


def _require_folder(target: Path) -> None:
    """Refuse a place for results that is a file, before any work is done."""
    for place in (target, *target.parents):
        if place.exists():
            if not place.is_dir() or not os.access(place, os.W_OK):
                what = (
                    "not a folder" if not place.is_dir() else "a folder that cannot be written to"
                )
                problem = Problem(value=str(place), what=what, fix="Choose another --out.")
                raise ComparisonError("Nothing can be written; nothing was fitted.", [problem])
            return


def _places(
    target: Path, comparison: Comparison, results: Sequence[CrossCheck]
) -> Iterator[tuple[Path, Outcome, CrossCheck]]:
    """Give each outcome its folder: the comparison's own if it is the only one."""
    for i, (outcome, result) in enumerate(zip(comparison.outcomes, results, strict=True)):
        slug = re.sub(r"[^\w.-]+", "_", outcome.name).strip("._") or "outcome"
        folder = target if len(results) == 1 else target / f"{i + 1:02d}_{slug}"
        yield folder, outcome, result


def _write_together(folder: Path, write: Callable[[Path], None]) -> None:
    """Write all files into a folder beside, and move them when they are complete."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        write(beside)
        for file in sorted(path for path in beside.rglob("*") if path.is_file()):
            place = folder / file.relative_to(beside)
            place.parent.mkdir(exist_ok=True)
            file.replace(place)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _write_report(
    job: Job, results: tuple[CrossCheck, ...], forests: "tuple[Axes, ...]", beside: Path
) -> None:
    """Write the page of all outcomes, and the file that replays them."""
    comparison, spec = job.comparison, beside / "comparison.toml"
    if len(results) == 1:
        _write_spec(comparison, results[0], job.folder.name, spec)
    else:
        failed = any(result.failed for result in results)
        write_comparison(comparison, spec, record={"versions": _versions(), "failed": failed})
    report = Report(
        title=comparison.title,
        results=results,
        audit=audit_job(job),
        spec=spec.read_text(encoding="utf-8"),
        rule=comparison.rule,
        software=comparison.software,
        reasons=comparison.reasons,
        forests=forests,
    )
    write_report(report, beside)


def _write_files(
    folder: Path, comparison: Comparison, result: CrossCheck, drawn: "Axes", beside: Path
) -> None:
    result.to_long().to_csv(beside / "estimates.csv", index=False, lineterminator="\n")
    figure = drawn.get_figure(root=True)
    if figure is not None:
        figure.savefig(beside / "forest.png")
    _write_spec(comparison, result, folder.name, beside / "comparison.toml")
    _tree(comparison, result).to_netcdf(beside / "posterior.nc", engine="h5netcdf")


def _write_spec(comparison: Comparison, result: CrossCheck, name: str, path: Path) -> None:
    """Write a comparison of one outcome, with the methods that were taken and the record."""
    methods = tuple(row.method for row in result.reference) or comparison.methods
    resolved = replace(comparison, name=name, methods=methods)
    write_comparison(resolved, path, record=_record(result))


def _tree(comparison: Comparison, result: CrossCheck) -> "xr.DataTree":
    """Give every posterior a group of its own, such as `exact_normal`, that ArviZ can take."""
    import xarray as xr

    tree = xr.DataTree()
    for label, posterior in result.posteriors.items():
        tree[_group(label)] = posterior.to_datatree(rng=comparison.sampling.seed)
    tree.attrs = {
        "bayesmeta": version("bayesmeta"),
        "title": comparison.title,
        "outcome": result.outcome,
        "measure": result.measure.name,
    }
    return tree


def _group(label: str) -> str:
    """Turn "exact (normal)" into "exact_normal"."""
    return re.sub(r"\W+", "_", label.lower()).strip("_")


def _versions() -> dict[str, str]:
    return {name: version(name) for name in RECORDED}


def _record(result: CrossCheck) -> dict[str, Any]:
    """Say what the numbers were made with, and how good they are."""
    return {
        "versions": _versions(),
        "failed": result.failed,
        "verdicts": [
            f"{'ok' if verdict.ok else 'FAILED'}: {verdict.subject}: {verdict.text}"
            for verdict in result.verdicts
        ],
        "engine": {
            _group(label): _engine(posterior) for label, posterior in result.posteriors.items()
        },
    }


def _engine(posterior: Posterior) -> dict[str, Any]:
    accuracy = posterior.accuracy
    if isinstance(accuracy, Diagnostics):
        names = ("seed", "chains", "draws", "tune", "target_accept", "rhat", "ess_bulk", "ess_tail",
                 "bfmi", "divergences")  # fmt: skip
        return {"name": posterior.engine} | {name: getattr(accuracy, name) for name in names}
    return {
        "name": posterior.engine,
        "numerical_error": accuracy.error,
        "tolerance": accuracy.tol,
        "nodes": list(accuracy.nodes),
    }
