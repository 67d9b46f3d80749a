"""Subgroups of a forest plot: each is pooled by fits of its own."""

from collections.abc import Sequence
from dataclasses import dataclass

from bayesmeta.checks.crosscheck import CrossCheck
from bayesmeta.errors import BayesmetaError, ModelError
from bayesmeta.frequentist import PooledEstimate, pool
from bayesmeta.inference.fit import fit
from bayesmeta.inference.posterior import Posterior
from bayesmeta.plots.forest_arms import per_study
from bayesmeta.plots.forest_weights import weigh


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Subgroup:
    """Studies of one group, and what they give by themselves.

    Attributes
    ----------
    name : str
    members : tuple of int
        Places of its studies in the effects.
    reference : PooledEstimate or None
    posterior : Posterior or None
    missing : str
        Why there is no posterior.
    """

    name: str
    members: tuple[int, ...]
    reference: PooledEstimate | None
    posterior: Posterior | None
    missing: str = ""


def split_groups(result: CrossCheck, groups: str | Sequence[object]) -> tuple[Subgroup, ...]:
    """Divide the studies of a cross-check, and fit each part with the first exact model.

    Parameters
    ----------
    result : CrossCheck
    groups : str or sequence
        A column of the study table, or the group of each study.

    Raises
    ------
    ModelError
        The cross-check has no study data.
    StudyTableError
        No such column, several values within a study, or too few or many groups.
    """
    effects, studies = result.effects, result.studies
    if effects is None or studies is None:
        raise ModelError("There are no studies to divide: only the published row is known.")
    values = per_study(studies, effects.study, groups)
    names = [f"{groups}: {value}" if isinstance(groups, str) else str(value) for value in values]
    model = next((one.model for one in result.models if one.exact is not None), None)
    chosen = weigh(result).row
    out = []
    for name in dict.fromkeys(names):
        members = tuple(i for i, one in enumerate(names) if one == name)
        others = [study for i, study in enumerate(effects.study) if i not in members]
        part = studies.drop(*others) if others else studies
        reference, missing = None, ""
        posterior: Posterior | None = None
        if chosen is not None:
            (reference,) = pool(
                part, result.measure.name, methods=[chosen.method], interval=chosen.interval,
                level=result.level, correction=effects.correction, keep=True,
            )  # fmt: skip
        if model is not None:
            try:
                posterior = fit(model, part)
            except BayesmetaError as error:
                missing = str(error)
        out.append(
            Subgroup(
                name=name,
                members=members,
                reference=reference,
                posterior=posterior,
                missing=missing,
            )
        )
    return tuple(out)
