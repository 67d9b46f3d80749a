"""The command pool."""

from typing import Annotated

from cyclopts import Parameter

from bayesmeta import __version__
from bayesmeta.cli.options import Json, Level, TableName, ZeroRule
from bayesmeta.cli.output import DONE, show, show_json
from bayesmeta.cli.table import AS_IT_IS, TableWords
from bayesmeta.frequentist import (
    METHODS,
    IntervalMethod,
    PredictionMethod,
    Tau2IntervalMethod,
    normal_name,
)
from bayesmeta.frequentist import pool as pool_studies
from bayesmeta.report import plain, tables

METHOD_HELP = (
    f'One of {", ".join(METHODS)}, or a rule such as "DL if Q p < 0.1 or I2 > 50% else MH"; may be '
    "given several times. If not given, all that fit the data but the mixed models of counts."
)


def pool(
    table: TableName,
    /,
    *,
    table_words: TableWords = AS_IT_IS,
    correction: ZeroRule = "only0",
    method: Annotated[tuple[str, ...] | None, Parameter(help=METHOD_HELP)] = None,
    interval: IntervalMethod = "wald",
    pi: PredictionMethod = "metafor",
    tau2_interval: Tau2IntervalMethod = "q-profile",
    level: Level = 0.95,
    json: Json = False,
) -> int:
    """Pool as RevMan, Stata or metafor would.

    Parameters
    ----------
    interval
        Normal quantile, t quantile, Hartung-Knapp, that never narrower than the plain one,
        Henmi-Copas (DL), or profile likelihood (ML).
    pi
        Prediction interval: metafor's, Higgins-Thompson-Spiegelhalter's t(k - 2), or Nagashima's.
    tau2_interval
        Interval of tau2, I2 and H2.
    """
    studies, measure = table_words.read(table)
    reference = pool_studies(
        studies,
        measure,
        methods=method,
        interval=interval,
        level=level,
        correction=correction,
        pi=pi,
        tau2_interval=tau2_interval,
    )
    if not json:
        show(tables.reference_table(reference))
    elif method is None or len(method) > 1:
        show_json(plain.reference_as_data(reference, version=__version__))
    else:
        row = reference[normal_name(method[0])]
        show_json(plain.pooled_as_data(row, version=__version__))
    return DONE
