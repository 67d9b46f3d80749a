"""The commands run and check, which take comparison files."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from bayesmeta.cli.output import DONE, FAILED_CHECK, show, show_progress
from bayesmeta.errors import ComparisonError
from bayesmeta.report.crosscheck_table import crosscheck_table
from bayesmeta.run import find_jobs, run_job


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
        with show_progress() as progress:
            results = run_job(job, out, nuts=nuts, progress=progress)
        for result in results:
            show(crosscheck_table(result, title=job.comparison.title))
            failed = failed or result.failed
        if out is not None:
            show(f"Written to {out / job.folder}")
    return FAILED_CHECK if failed else DONE


def check(*paths: Path) -> int:
    """Check comparison files, and that they fit their data; nothing is fitted.

    Parameters
    ----------
    paths
        TOML files, or folders of them.
    """
    for job in find_jobs(_given(paths)):
        models = ", ".join(str(model.likelihood) for model in job.comparison.models)
        show(f"{job.folder}: {job.comparison.title}: {models}; nothing to complain of")
        for outcome, studies in zip(job.comparison.outcomes, job.studies, strict=True):
            show(f"  {outcome.name}: {studies.k} studies, {outcome.better} is better")
    return DONE


def _given(paths: tuple[Path, ...]) -> tuple[Path, ...]:
    if not paths:
        raise ComparisonError("No comparison file was given. Name one, such as models/bcg.toml.")
    return paths
