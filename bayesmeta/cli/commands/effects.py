"""The command effects."""

from bayesmeta import __version__
from bayesmeta.cli.options import Json, TableName, ZeroRule
from bayesmeta.cli.output import DONE, show, show_json
from bayesmeta.cli.table import AS_IT_IS, TableWords
from bayesmeta.effects import compute_effects
from bayesmeta.report import plain, tables


def effects(
    table: TableName,
    /,
    *,
    table_words: TableWords = AS_IT_IS,
    correction: ZeroRule = "only0",
    json: Json = False,
) -> int:
    """Compute the effect of every study."""
    studies, measure = table_words.read(table)
    found = compute_effects(studies, measure, correction=correction)
    if json:
        notes = [*studies.notes, *found.notes]
        show_json(plain.effects_as_data(found, notes=notes, version=__version__))
    else:
        show(tables.effects_table(found), *(f"Note: {note}" for note in studies.notes))
    return DONE
