"""The command data."""

from collections.abc import Sequence

import pandas as pd

from bayesmeta.cli.output import DONE, show
from bayesmeta.published.results import PublishedResult, available_published, load_published
from bayesmeta.report import tables
from bayesmeta.studies import available, load


def data(name: str | None = None, /) -> int:
    """List the bundled tables and publications, or print one of them.

    Parameters
    ----------
    name
        Of the table, or of the publication whose results to print.
    """
    if name is None:
        show("Study tables", tables.listing(available()))
        show("Results of publications, as printed", tables.listing(available_published()))
        return DONE
    if name in available_published():
        _show_published(load_published(name))
        return DONE
    table = load(name)
    show(tables.frame_table(table.frame), table.citation)
    show(*(f"Note: {note}" for note in table.notes))
    return DONE


def _show_published(results: Sequence[PublishedResult]) -> None:
    """Show the results of a publication, without those that repeat another, by comparison."""
    own = [result for result in results if not result.restates]
    for comparison in dict.fromkeys(result.comparison for result in own):
        rows = [_as_row(result) for result in own if result.comparison == comparison]
        show(comparison, tables.frame_table(pd.DataFrame(rows)), "")


def _as_row(result: PublishedResult) -> dict[str, str]:
    printed = result.printed
    ci = None if printed is None else printed.ci
    return {
        "row": result.row_id,
        "outcome": ", ".join(filter(None, (result.outcome, result.subgroup))),
        "k": "" if result.k is None else str(result.k),
        "measure": result.measure,
        "estimate": "" if printed is None else printed.estimate.text,
        "interval": "" if ci is None else ", ".join(limit.text for limit in ci),
        "p": result.p,
        "status": result.status,
    }
