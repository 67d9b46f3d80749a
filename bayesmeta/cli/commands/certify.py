"""The command certify."""

from bayesmeta import __version__
from bayesmeta.checks.certify import certify as certify_model
from bayesmeta.cli.model import PLAIN, ModelWords
from bayesmeta.cli.options import Json, TableName, nuts_options
from bayesmeta.cli.output import DONE, FAILED_CHECK, show, show_json, show_progress
from bayesmeta.cli.table import AS_IT_IS, TableWords
from bayesmeta.inference.sampler import SamplerName
from bayesmeta.report.certificate_table import certificate_as_data, certificate_table


def certify(
    table: TableName,
    /,
    *,
    table_words: TableWords = AS_IT_IS,
    model_words: ModelWords = PLAIN,
    draws: int | None = None,
    sampler: SamplerName | None = None,
    seed: int = 1,
    json: Json = False,
) -> int:
    """Fit one model exactly and by NUTS, and certify that they agree.

    Parameters
    ----------
    draws
        Draws per chain; 10000 if not given.
    sampler
        nutpie, or PyMC's own; nutpie if not given.
    seed
        Seed of NUTS.
    """
    studies, measure = table_words.read(table)
    model, priors = model_words.model(studies, measure)
    options = nuts_options(draws=draws, sampler=sampler)
    with show_progress() as progress:
        found = certify_model(model, studies, rng=seed, progress=progress, **options)
    if json:
        show_json(certificate_as_data(found, version=__version__))
    else:
        show(certificate_table(found), priors)
    return DONE if found.ok else FAILED_CHECK
