"""What likelihoods ask of a model, refused in the same words by all of them."""

import math

from bayesmeta.effects import Measure
from bayesmeta.errors import ModelError
from bayesmeta.priors import Prior
from bayesmeta.studies import StudyTable


def require_measure(likelihood: str, measure: Measure, *offered: str) -> None:
    """Refuse a measure that a likelihood does not have.

    Raises
    ------
    ModelError
        With the measures that it has.
    """
    if measure.name not in offered:
        *others, last = offered
        use = f"{', '.join(others)} or {last}" if others else last
        raise ModelError(
            f"The {likelihood} likelihood is offered for {use}, not for {measure.name}. "
            f"Use measure {use}, or another likelihood, such as normal"
        )


def require_independence(likelihood: str, studies: StudyTable) -> None:
    """Refuse cluster trials, and control arms that studies share.

    Raises
    ------
    ModelError
        The likelihood would count persons more than once.
    """
    design = studies.design()
    if design.clustered:
        raise ModelError(
            f"The {likelihood} likelihood takes persons as independent, which those of cluster "
            "trials are not. Use the normal likelihood, whose variances have the design effect"
        )
    if (design.rows_of_control > 1).any():
        raise ModelError(
            f"The {likelihood} likelihood takes arms as independent, but some studies share their "
            f"control arm (shared={design.shared!r}). Use the normal likelihood"
        )


def require_baseline(baseline: object, likelihood: str, scale: str) -> None:
    """Refuse a baseline prior that a likelihood cannot integrate over.

    Raises
    ------
    ModelError
        It is improper, or does not cover the line.
    """
    if (
        not isinstance(baseline, Prior)
        or not baseline.proper
        or baseline.support != (-math.inf, math.inf)
    ):
        raise ModelError(
            f"The {likelihood} likelihood needs a proper baseline prior on the whole line, not "
            f"{baseline}. Use normal(0, 10), which is wide on the {scale} scale"
        )
