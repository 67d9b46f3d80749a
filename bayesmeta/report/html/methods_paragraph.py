"""The methods paragraph that a paper needs, written from what was done."""

import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from types import MappingProxyType

from bayesmeta.checks.agreement import LIMIT
from bayesmeta.checks.crosscheck import CrossCheck
from bayesmeta.inference.posterior import Accuracy, Diagnostics, Posterior
from bayesmeta.report.html.prior_reasons import explain_priors

_ENGINES = {
    "gaussian": "the means given tau in closed form, tau by quadrature",
    "grid": "mu and tau by quadrature, the effects of the studies integrated out one by one",
    "published": "mu and tau by quadrature, every printed number as the interval of its rounding",
}
_LIKELIHOODS = {
    "normal": "normal (effect estimates with their standard errors taken as known)",
    "binomial": "binomial (counts of both arms, without continuity correction)",
    "conditional": "conditional (non-central hypergeometric, given the margins of each table)",
    "poisson": "Poisson (events and person-time)",
    "one_arm": "one-arm (counts of one group)",
    "published-row": "that of the published row (what its printed digits leave possible)",
}
_CORRECTIONS = {
    "only0": "Effect estimates have 1/2 added to every cell of a study with a zero cell",
    "all": "Effect estimates have 1/2 added to every cell of all studies",
    "none": "Effect estimates have no continuity correction",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Methods:
    """A methods paragraph, and the outcomes that it is about."""

    outcomes: tuple[str, ...]
    text: str


def write_methods(
    results: Sequence[CrossCheck],
    *,
    rule: str | None = None,
    software: str = "metafor",
    reasons: Mapping[str, str] = MappingProxyType({}),
) -> tuple[Methods, ...]:
    """Write one paragraph for all outcomes that were analysed alike.

    Parameters
    ----------
    results : sequence of CrossCheck
        The outcomes of a comparison.
    rule : str, optional
        By which the publication chose its model.
    software : str
        Whose methods "random" and "fixed" mean.
    reasons : mapping of str to str
        Why the priors "effect", "heterogeneity" and "baseline" are what they are, where told.
    """
    alike: dict[tuple[object, ...], list[CrossCheck]] = {}
    for result in results:
        models = tuple(tuple(one.model.as_text().items()) for one in result.models)
        key = (models, result.studies is None, bool(result.others), result.reference.methods)
        alike.setdefault(key, []).append(result)
    return tuple(
        Methods(
            outcomes=tuple(result.outcome for result in group),
            text=" ".join(_sentences(group, rule, software, reasons)),
        )
        for group in alike.values()
    )


def _sentences(
    group: Sequence[CrossCheck], rule: str | None, software: str, reasons: Mapping[str, str]
) -> Iterator[str]:
    first = group[0]
    measure, model = first.measure, first.models[0].model
    arms = f" of {first.arms[0]} against {first.arms[1]}" if first.arms else ""
    scale = f" on the {measure.analysis_label} scale" if measure.analysis_label != measure.name \
        else ""  # fmt: skip
    yield f"The {measure.label}{arms} was analysed{scale} with bayesmeta {version('bayesmeta')}."
    if first.studies is None:
        yield (
            "The data of the studies are not known; the posterior is what follows from the "
            "published row."
        )
    elif first.others:
        counts = " or ".join(sorted({str(1 + len(result.others)) for result in group}, key=int))
        yield (
            f"The counts were reconstructed from printed numbers in {counts} ways; all of them "
            "were analysed."
        )
    yield (
        "The true effect of study i is theta_i, with random effects of the form "
        f"{model.random_effects}, mean mu and standard deviation tau."
    )
    names = [_LIKELIHOODS.get(one.name, one.name) for one in first.models]
    yield f"Likelihood: {'; and, beside it, '.join(names)}."
    if any(one.name == "normal" for one in first.models) and measure.layout == "binary":
        yield f"{_CORRECTIONS[model.correction]}."
    told: dict[str, None] = {}
    for one in first.models:
        told |= dict.fromkeys(explain_priors(one.model, measure, reasons).values())
    yield f"Priors: {'. '.join(told)}."
    yield from _of_computation(group)
    yield from _of_reference(first, rule, software)
    yield (
        f"Posterior medians and equal-tailed {100 * first.level:g}% intervals are given. Software: "
        f"{software_used(sampled=any(one.nuts for result in group for one in result.models))}."
    )


def _of_computation(group: Sequence[CrossCheck]) -> Iterator[str]:
    exact = [one.exact for result in group for one in result.models if one.exact is not None]
    bounds = [one.accuracy for one in exact if isinstance(one.accuracy, Accuracy)]
    if bounds:
        how = "; ".join(_ENGINES[name] for name in dict.fromkeys(one.engine for one in exact))
        yield (
            f"Posteriors were computed by deterministic quadrature ({how}), refined until the "
            f"bound of the numerical error of all reported numbers was at most "
            f"{max(one.tol for one in bounds):.0e}; the largest bound is "
            f"{max(one.error for one in bounds):.0e}."
        )
    for result in group:
        for one in result.models:
            for road in one.failures:
                name = result.outcome or result.measure.label
                yield f"For {name} the {road} posterior ({one.name}) could not be computed."
    sampled = [one for result in group for one in result.models if one.nuts is not None]
    runs = [d for one in sampled if (d := _diagnostics(one.nuts)) is not None]
    if not runs:
        yield "No posterior was sampled."
        return
    run = runs[0]
    worst = [abs(one.agreement.largest.z) for one in sampled if one.agreement is not None]
    held = (
        f" Against the exact posterior the largest difference in means, standard deviations and "
        f"2.5% and 97.5% quantiles of mu and tau is {max(worst):.1f} Monte Carlo standard errors "
        f"(limit {LIMIT:g})."
        if worst
        else ""
    )
    yield (
        f"Each was also sampled by NUTS ({run.sampler}): {run.chains} chains of {run.draws} draws "
        f"after {run.tune} tuning steps, target acceptance {run.target_accept:g}, "
        f"seeds {', '.join(str(one.seed) for one in runs)}; largest R-hat "
        f"{max(one.rhat for one in runs):.3f}, smallest effective sample size "
        f"{min(min(one.ess_bulk, one.ess_tail) for one in runs):.0f}, "
        f"{sum(one.divergences for one in runs)} divergent transitions.{held}"
    )


def _of_reference(first: CrossCheck, rule: str | None, software: str) -> Iterator[str]:
    if not first.reference.rows:
        return
    labels = "; ".join(dict.fromkeys(row.label for row in first.reference.rows))
    intervals = ", ".join(dict.fromkeys(row.interval for row in first.reference.rows))
    yield f"Frequentist reference: {labels} (intervals: {intervals})."
    if rule is not None:
        yield (
            f"The publication chose its model by the rule \"{rule}\", with the methods of "
            f"{software}."
        )  # fmt: skip


def software_used(*, sampled: bool) -> str:
    """Name the programs whose numbers are shown, with versions."""
    names = ["bayesmeta", "numpy", "scipy", "pandas", *(["pymc", "nutpie"] if sampled else [])]
    return f"Python {platform.python_version()}, " + ", ".join(
        f"{name} {version(name)}" for name in names
    )


def _diagnostics(posterior: Posterior | None) -> Diagnostics | None:
    accuracy = None if posterior is None else posterior.accuracy
    return accuracy if isinstance(accuracy, Diagnostics) else None
