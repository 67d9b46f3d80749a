"""The numbers of the smaller figures: why methods differ, posterior against prior, the funnel."""

from collections.abc import Sequence

import numpy as np

from bayesmeta.checks.crosscheck import CrossCheck
from bayesmeta.digits import NONE, choose_decimals, show
from bayesmeta.inference.posterior import Posterior
from bayesmeta.plots.effect_points import effect_points
from bayesmeta.plots.prior_posterior_plot import Parameter
from bayesmeta.plots.why_they_differ_plot import normal_posterior, plug_ins
from bayesmeta.report.html.table import Table
from bayesmeta.scales import FloatArray

FUNNEL_FROM = 10  # studies; fewer do not show asymmetry (Sterne and others 2011, BMJ 343:d4002)


def why_page_table(result: CrossCheck) -> Table:
    """Give each method's tau and effect, and the posterior's."""
    posterior, tail = normal_posterior(result), (1 - result.level) / 2
    points = [0.5, tail, 1 - tail]
    rows = plug_ins(result)
    effects = [np.array([row.estimate, row.ci_low, row.ci_high]) for row in rows]
    effects.append(np.array(posterior.mu.quantile(points)))
    taus = [np.array([np.sqrt(row.tau2)]) for row in rows]
    taus.append(np.array(posterior.tau.quantile(points)))
    shown = _show_rows([result.measure.scale.to_natural(one) for one in effects])
    labels = [*(f"{row.method}: {row.label}" for row in rows), "posterior, normal likelihood"]
    return Table(
        name="why-they-differ",
        caption="Which tau each method puts in, and the effect that it gives",
        columns=("method", "tau", result.measure.name, _percent(result.level)),
        rows=tuple(
            (label, _join(tau), _join(one[:1]), _join(one[1:]))
            for label, tau, one in zip(labels, _show_rows(taus), shown, strict=True)
        ),
        notes=(f"tau: SD of the true effects ({result.measure.analysis_label}); of the posterior "
               "median and interval.",),
    )  # fmt: skip


def prior_posterior_page_table(result: CrossCheck, parameters: Sequence[Parameter]) -> Table:
    """Give median and interval of mu and tau under the prior and the first exact posterior."""
    posterior = first_exact(result)
    assert posterior is not None
    model, tail = posterior.bound.model, (1 - result.level) / 2
    points = np.array([0.5, tail, 1 - tail])
    rows, groups = [], []
    for parameter in parameters:
        prior = model.effect if parameter == "mu" else model.heterogeneity
        marginal = posterior.mu if parameter == "mu" else posterior.tau
        before = prior.quantile(points) if prior.proper else np.full(3, np.nan)
        for label, numbers in ((f"prior {prior}", before),
                               ("posterior", np.asarray(marginal.quantile(points)))):  # fmt: skip
            natural = result.measure.scale.to_natural(numbers) if parameter == "mu" else numbers
            shown = [f"{x:.3g}" if np.isfinite(x) else NONE for x in natural.tolist()]
            rows.append((label, shown[0], _join(shown[1:])))
        unit = result.measure.name if parameter == "mu" else result.measure.analysis_label
        groups += [f"{parameter} ({unit})"] * 2
    return Table(
        name="prior-posterior",
        caption="Mean effect and heterogeneity before and after the data",
        columns=("distribution", "median", _percent(result.level)),
        rows=tuple(rows),
        groups=tuple(groups),
        notes=("An improper prior has no median and no interval.",)
        if any(row[1] == NONE for row in rows)
        else (),
    )


def funnel_page_table(result: CrossCheck) -> Table:
    """Give effect and standard error of every study."""
    assert result.effects is not None
    points = effect_points(result.effects, "A funnel plot")
    natural = _show_rows([np.array([x]) for x in result.measure.scale.to_natural(points.y)])
    errors = _show_rows([np.array([x]) for x in points.se])
    return Table(
        name="funnel",
        caption="The points of the funnel plot",
        columns=("study", result.measure.name, f"standard error ({result.measure.analysis_label})"),
        rows=tuple(
            (study, effect[0], error[0])
            for study, effect, error in zip(result.effects.study, natural, errors, strict=True)
        ),
    )


def first_exact(result: CrossCheck) -> Posterior | None:
    """Give the first exact posterior that there is."""
    return next((one.exact for one in result.models if one.exact is not None), None)


def _show_rows(rows: Sequence[FloatArray]) -> list[list[str]]:
    """Write numbers with the decimals that the first of each row needs, in the middle of rows."""
    first = [float(row[0]) for row in rows if np.isfinite(row[0]) and row[0] != 0]
    decimals = choose_decimals([float(np.median(np.abs(first)))]) if first else 2
    return [[show(float(x), decimals) if np.isfinite(x) else NONE for x in row] for row in rows]


def _join(texts: Sequence[str]) -> str:
    if len(texts) == 3:
        return f"{texts[0]} [{texts[1]}, {texts[2]}]"
    return NONE if NONE in texts else ", ".join(texts)


def _percent(level: float) -> str:
    return f"{100 * level:g}% interval"
