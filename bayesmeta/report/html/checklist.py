"""Items of BARG and PRISMA 2020 that the software knows the answer to, filled in.

Items follow Kruschke (2021), Nature Human Behaviour 5:1282-1291, table 1, and Page et al. (2021),
BMJ 372:n71, in words of our own. What only authors know is not here.
"""

from collections.abc import Mapping, Sequence

from bayesmeta.checks.crosscheck import CrossCheck
from bayesmeta.inference.posterior import Diagnostics
from bayesmeta.report.html.methods_paragraph import software_used
from bayesmeta.report.html.prior_reasons import NOT_RECORDED, explain_priors
from bayesmeta.report.html.table import Table

_AUTHORS = (
    "Left to the authors: why a Bayesian analysis and its goals (BARG preamble), prior and "
    "posterior predictive checks (1E, 3), decisions and their thresholds (4), Bayes factors; in "
    "PRISMA the search, selection, risk of bias, causes of heterogeneity (13e, 20c), reporting "
    "bias (14, 21), certainty (15, 22) and the discussion."
)


def barg_table(results: Sequence[CrossCheck], reasons: Mapping[str, str]) -> Table:
    """Fill in the items of the Bayesian Analysis Reporting Guidelines that follow from the run."""
    sampled = _runs(results)
    priors = dict.fromkeys(
        text
        for result in results
        for one in result.models
        for text in explain_priors(one.model, result.measure, reasons).values()
    )
    without = [text for text in priors if NOT_RECORDED in text]
    errors = [
        row.numerical_error
        for result in results
        for row in result.rows
        if row.road == "exact" and row.numerical_error >= 0
    ]
    bound = f"; largest bound of the numerical error {max(errors):.0e}" if errors else ""
    convergence = resolution = "not applicable: nothing was sampled"
    if sampled:
        convergence = f"largest R-hat {max(one.rhat for one in sampled):.3f}, "
        convergence += f"{sum(one.divergences for one in sampled)} divergent transitions"
        smallest = min(min(one.ess_bulk, one.ess_tail) for one in sampled)
        resolution = f"smallest effective sample size {smallest:.0f}"
    rows = (
        ("1A", "data variables", "the data table of each outcome"),
        ("1B", "likelihood and parameters", "methods paragraph: theta_i, mu, tau and the baseline"),
        ("1C", "prior and its reason", "; ".join(priors)),
        ("1D", "formal specification", "the TOML at the end of this page"),
        ("2A", "software", software_used(sampled=bool(sampled))),
        ("2B", "convergence of chains", convergence),
        ("2C", "resolution of chains", resolution),
        ("2D", "computation other than MCMC", f"deterministic quadrature{bound}"),
        ("3", "the posterior described", "median, interval and prediction in the cross-check"),
        ("5", "sensitivity", _sensitivity(results)),
        ("6", "reproduction", "the TOML at the end of this page, the versions and the seeds in it"),
    )
    count = f"{len(without)} prior{'' if len(without) == 1 else 's'}"
    open_reason = f"{count} without a recorded reason: 1C is not complete."
    return Table(
        name="barg",
        caption="BARG (Kruschke 2021): items that the software can fill in",
        columns=("item", "asks for", "filled in"),
        rows=rows,
        text_columns=(1, 2),
        notes=((open_reason, _AUTHORS) if without else (_AUTHORS,)),
    )


def prisma_table(results: Sequence[CrossCheck]) -> Table:
    """Fill in the items of PRISMA 2020 that follow from the run."""
    measures = dict.fromkeys(f"{one.measure.label} ({one.measure.name})" for one in results)
    known = [one for one in results if one.studies is not None]
    converted = sum(bool(one.notes) for one in known)
    alone = len(results) - len(known)
    individual = f"forest plot and its table, {_outcomes(len(known))}" if known else "not known"
    if alone:
        individual += f"; not known for {_outcomes(alone)} analysed from a published row"
    rows = (
        ("12", "effect measures", "; ".join(measures)),
        ("13b", "preparation of the data", f"notes below the data, {_outcomes(converted)}"),
        ("13c", "tables and figures of studies", "data table and forest plot of each outcome"),
        ("13d", "methods of synthesis, software", "methods paragraph"),
        ("13f", "sensitivity analyses", _sensitivity(results)),
        ("19", "results of individual studies", individual),
        ("20b", "results of syntheses", "cross-check: estimate, interval, tau, prediction"),
        ("20d", "results of sensitivity analyses", "cross-check, bridge and reconstructions"),
        ("27", "data and code", "data tables (CSV beside this page) and the TOML at its end"),
    )
    return Table(
        name="prisma",
        caption="PRISMA 2020 (Page et al. 2021): items that the software can fill in",
        columns=("item", "asks for", "filled in"),
        rows=rows,
        text_columns=(1, 2),
    )


def _sensitivity(results: Sequence[CrossCheck]) -> str:
    """Say which assumptions were varied, and that nothing else was."""
    told = []
    if any(len(one.models) > 1 for one in results):
        told.append("likelihoods side by side")
    if any(one.studies is not None for one in results):
        told.append("frequentist methods, and the bridge, which changes priors one at a time")
    if any(one.others for one in results):
        told.append("all reconstructions of the counts")
    return "; ".join(told) or "none was made"


def _runs(results: Sequence[CrossCheck]) -> list[Diagnostics]:
    found = (one.nuts for result in results for one in result.models if one.nuts is not None)
    return [one.accuracy for one in found if isinstance(one.accuracy, Diagnostics)]


def _outcomes(number: int) -> str:
    return f"{number} outcome{'' if number == 1 else 's'}"
