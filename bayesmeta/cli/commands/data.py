"""The command data."""

from bayesmeta.cli.output import DONE, show
from bayesmeta.report import tables
from bayesmeta.studies import available, load


def data(name: str | None = None, /) -> int:
    """List the bundled tables, or print one of them.

    Parameters
    ----------
    name
        Of the table to print.
    """
    if name is None:
        show(tables.listing(available()))
        return DONE
    table = load(name)
    show(tables.frame_table(table.frame), table.citation)
    show(*(f"Note: {note}" for note in table.notes))
    return DONE
