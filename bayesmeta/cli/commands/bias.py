"""The command bias."""

from bayesmeta import __version__
from bayesmeta.cli.options import Estimator, Json, Level, TableName, ZeroRule
from bayesmeta.cli.output import DONE, show, show_json
from bayesmeta.cli.table import AS_IT_IS, TableWords
from bayesmeta.frequentist.bias.report import look_for_bias
from bayesmeta.report import trouble_data, trouble_tables


def bias(
    table: TableName,
    /,
    *,
    table_words: TableWords = AS_IT_IS,
    correction: ZeroRule = "only0",
    method: Estimator = "REML",
    level: Level = 0.95,
    json: Json = False,
) -> int:
    """Look for small-study effects: tests, trim and fill, a selection model, fail-safe N."""
    studies, measure = table_words.read(table)
    report = look_for_bias(studies, measure, method=method, level=level, correction=correction)
    if json:
        show_json(trouble_data.bias_as_data(report, notes=studies.notes, version=__version__))
    else:
        show(trouble_tables.bias_tables(report))
    return DONE
