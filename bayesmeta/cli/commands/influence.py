"""The command influence."""

from bayesmeta import __version__
from bayesmeta.cli.options import Estimator, Json, Level, TableName, ZeroRule
from bayesmeta.cli.output import DONE, show, show_json
from bayesmeta.cli.table import AS_IT_IS, TableWords
from bayesmeta.frequentist.influence.deletion import leave_one_out
from bayesmeta.frequentist.influence.measures import blups
from bayesmeta.frequentist.influence.measures import influence as measure_influence
from bayesmeta.report import trouble_data, trouble_tables


def influence(
    table: TableName,
    /,
    *,
    table_words: TableWords = AS_IT_IS,
    correction: ZeroRule = "only0",
    method: Estimator = "REML",
    level: Level = 0.95,
    json: Json = False,
) -> int:
    """Show what each study does to the result: influence, leave-one-out, predicted effects."""
    studies, name = table_words.read(table)
    found = (
        measure_influence(studies, name, method=method, correction=correction),
        leave_one_out(studies, name, method=method, level=level, correction=correction),
        blups(studies, name, method=method, level=level, correction=correction),
    )
    if json:
        show_json(trouble_data.influence_as_data(*found, notes=studies.notes, version=__version__))
    else:
        show(trouble_tables.influence_tables(*found))
    return DONE
