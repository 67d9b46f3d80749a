"""The commands run and check, which take comparison files."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from bayesmeta.cli.output import DONE, FAILED_CHECK, show, show_progress
from bayesmeta.errors import ComparisonError
from bayesmeta.report.audit_table import audit_table
from bayesmeta.report.crosscheck_table import crosscheck_table
from bayesmeta.report.tables import count_studies
from bayesmeta.run import audit_job, find_jobs, run_job


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
        Folder for report.html and its tables, an index.html over all reports in it, estimates.csv,
        posterior.nc, forest.png and the resolved comparison.
    nuts
        Sample each model too, and hold the exact posterior against it.
    """
    failed = False
    jobs = find_jobs(_given(paths))
    with show_progress(outcomes=sum(len(job.studies) for job in jobs)) as progress:
        for job in jobs:
            results = run_job(job, out, nuts=nuts, progress=progress, done=progress.finish)
            with progress.paused():
                for result in results:
                    show(crosscheck_table(result, title=job.comparison.title))
                audit = audit_job(job)
                if audit.rows:
                    show(audit_table(audit, title=job.comparison.title))
                if out is not None:
                    show(f"Written to {out / job.folder}")
            failed = failed or any(result.failed for result in results)
    return FAILED_CHECK if failed else DONE


def check(*paths: Path) -> int:
    """Check comparison files, and that they fit their data; nothing is fitted.

    Parameters
    ----------
    paths
        TOML files, or folders of them.
    """
    for job in find_jobs(_given(paths)):
        show(f"{job.folder}: {job.comparison.title}; nothing to complain of")
        for outcome, studies in zip(job.comparison.outcomes, job.studies, strict=True):
            models = ", ".join(str(one.likelihood) for one in job.comparison.models_of(outcome))
            told = (
                f"{count_studies(studies[0].k)}, {models}" if studies else "from its published row"
            )
            if len(studies) > 1:
                told += f", {len(studies)} reconstructions"
            show(f"  {outcome.name}: {told}; {outcome.better} is better")
    return DONE


def _given(paths: tuple[Path, ...]) -> tuple[Path, ...]:
    if not paths:
        raise ComparisonError("No comparison file was given. Name one, such as models/bcg.toml.")
    return paths
