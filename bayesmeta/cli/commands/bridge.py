"""The command bridge."""

from typing import Annotated, cast

from cyclopts import Parameter

from bayesmeta import __version__
from bayesmeta.checks.bridge import bridge as walk
from bayesmeta.cli.model import PLAIN, ModelWords
from bayesmeta.cli.options import Json, Level, TableName
from bayesmeta.cli.output import DONE, show, show_json
from bayesmeta.cli.table import AS_IT_IS, TableWords
from bayesmeta.errors import ModelError, Problem
from bayesmeta.frequentist.rule import RANDOM_OR_FIXED
from bayesmeta.frequentist.software import Software
from bayesmeta.printed import Printed
from bayesmeta.priors import parse_prior
from bayesmeta.published.row import PublishedModel, PublishedRow
from bayesmeta.report.bridge_table import bridge_as_data, bridge_table


def bridge(
    table: TableName,
    /,
    *,
    table_words: TableWords = AS_IT_IS,
    model_words: ModelWords = PLAIN,
    published: Annotated[
        tuple[str, str, str] | None,
        Parameter(help="Printed estimate and limits, such as 5.13 0.75 35.02."),
    ] = None,
    method: Annotated[
        str | None,
        Parameter(help='How it was pooled: a method of pool, "random", "fixed" or a rule.'),
    ] = None,
    software: Software = "metafor",
    vague_prior: str | None = None,
    level: Level = 0.95,
    json: Json = False,
) -> int:
    """Walk from a published number to the posterior, one assumption at a time.

    Parameters
    ----------
    software
        Whose methods "random" and "fixed" mean.
    vague_prior
        Of tau, in the step before the model's own prior; chosen and named if not given.
    """
    studies, measure = table_words.read(table)
    model, priors = model_words.model(studies, measure)
    found = walk(
        model,
        studies,
        published=None if published is None else _printed_row(published, method),
        method=method,
        software=software,
        vague=None if vague_prior is None else parse_prior(vague_prior),
        level=level,
    )
    if json:
        show_json(bridge_as_data(found, version=__version__))
    else:
        show(bridge_table(found), priors)
    return DONE


def _printed_row(texts: tuple[str, str, str], method: str | None) -> PublishedRow:
    """Read the printed numbers; its model is the method's, as far as that names one."""
    problems, numbers = [], []
    for text in texts:
        try:
            numbers.append(Printed.parse(text))
        except ValueError as error:
            problems.append(Problem(column="--published", value=text, what=str(error),
                                    fix="Write it as printed, with a decimal point."))  # fmt: skip
    if problems:
        raise ModelError("The published numbers cannot be read.", problems)
    estimate, low, high = numbers
    model = cast(PublishedModel | None, method if method in RANDOM_OR_FIXED else None)
    return PublishedRow(model=model, estimate=estimate, ci=(low, high))
