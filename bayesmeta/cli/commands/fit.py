"""The command fit."""

from typing import Literal

from bayesmeta import __version__
from bayesmeta.cli.model import PLAIN, ModelWords
from bayesmeta.cli.options import Json, TableName, nuts_options
from bayesmeta.cli.output import DONE, FAILED_CHECK, show, show_json, show_progress
from bayesmeta.cli.table import AS_IT_IS, TableWords
from bayesmeta.frequentist.intervals.simple import require_level
from bayesmeta.inference.fit import fit as fit_model
from bayesmeta.inference.sampler import SamplerName
from bayesmeta.report import plain, tables

type EngineChoice = Literal["exact", "nuts"]


def fit(
    table: TableName,
    /,
    *,
    table_words: TableWords = AS_IT_IS,
    model_words: ModelWords = PLAIN,
    engine: EngineChoice = "exact",
    draws: int | None = None,
    sampler: SamplerName | None = None,
    seed: int | None = None,
    level: float = 0.95,
    json: Json = False,
) -> int:
    """Fit one model, exactly or by NUTS.

    Parameters
    ----------
    engine
        Quadrature or sampling.
    draws
        Draws per chain, nuts only.
    sampler
        nutpie, or PyMC's own, nuts only; nutpie if not given.
    seed
        Seed, nuts only; 1 if not given.
    level
        Probability of the intervals: 0.95 for 95%.
    """
    require_level(level)
    studies, measure = table_words.read(table)
    model, priors = model_words.model(studies, measure)
    options = nuts_options(draws=draws, sampler=sampler)
    rng = 1 if engine == "nuts" and seed is None else seed
    with show_progress(wanted=engine == "nuts") as progress:
        posterior = fit_model(model, studies, engine=engine, rng=rng, progress=progress, **options)
    if json:
        notes = [*studies.notes, *posterior.bound.data.notes, *posterior.notes]
        notes = list(dict.fromkeys(notes))
        show_json(plain.posterior_as_data(posterior, level=level, notes=notes, version=__version__))
    else:
        show(tables.posterior_tables(posterior, level=level), priors)
    return DONE if posterior.ok else FAILED_CHECK
