"""The command audit."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from bayesmeta import __version__
from bayesmeta.cli.options import Json
from bayesmeta.cli.output import DONE, show, show_json
from bayesmeta.errors import ModelError
from bayesmeta.published.audit import Audit
from bayesmeta.published.publications import audit_publication
from bayesmeta.published.results import available_published
from bayesmeta.report.audit_table import audit_as_data, audit_table
from bayesmeta.run import audit_job, find_jobs

SOURCE_HELP = "Comparison file (TOML) with published rows, or name of a bundled publication."


def audit(source: Annotated[str, Parameter(help=SOURCE_HELP)], /, *, json: Json = False) -> int:
    """Test published rows against themselves, their rule and their studies.

    The exit status is 0 whatever is found: a misprint is no failed check.
    """
    if source in available_published():
        found = audit_publication(source)
    elif source.endswith(".toml"):
        found = _audit_comparison(Path(source))
    else:
        known = ", ".join(available_published())
        raise ModelError(
            f"{source!r} is neither a comparison file (.toml) nor a bundled publication. "
            f"There are {known}."
        )
    if json:
        show_json(audit_as_data(found, version=__version__))
    else:
        show(audit_table(found, title=source))
    return DONE


def _audit_comparison(path: Path) -> Audit:
    """Audit the published rows of a comparison file, with its studies and its rule."""
    (job,) = find_jobs([path])
    found = audit_job(job)
    if not found.rows:
        raise ModelError(f"{path} has no published row. Add published = {{ ... }} to an outcome.")
    return found
