"""An outcome of which only the published row is known, analysed by that row."""

from collections.abc import Sequence
from dataclasses import replace

from bayesmeta.checks.crosscheck import CrossCheck, Direction
from bayesmeta.effects import get_measure
from bayesmeta.likelihoods import NormalLikelihood
from bayesmeta.model import Model
from bayesmeta.published.row import PublishedRow


def reanalyse(
    models: Sequence[Model],
    published: PublishedRow,
    *,
    arms: tuple[str, str] | None = None,
    level: float = 0.95,
    outcome: str = "",
    better: Direction | None = None,
) -> CrossCheck:
    """Give the posterior that follows from a published row alone, beside the row.

    Parameters
    ----------
    models : sequence of Model
        Their measure and priors are taken; whatever their likelihood, that of the row is normal.
    published : PublishedRow
    arms, level, outcome, better
        As in `crosscheck`.

    Returns
    -------
    CrossCheck
        Without studies, reference and NUTS: none of them can be had from the row alone.
    """
    model = replace(models[0], likelihood=NormalLikelihood())
    measure = get_measure(model.measure)
    ...
