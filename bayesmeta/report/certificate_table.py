"""The certificate as a table for a terminal, and as plain data."""

from typing import TYPE_CHECKING, Any

from bayesmeta.checks.agreement import Difference
from bayesmeta.checks.certify import IMPRECISION, LEVEL, Certificate
from bayesmeta.digits import NONE, choose_decimals, show
from bayesmeta.effects import get_measure
from bayesmeta.report.plain import plain_value, run_as_data
from bayesmeta.report.tables import make_heading, make_table

if TYPE_CHECKING:
    from rich.console import Group


def certificate_table(certificate: Certificate) -> "Group":
    """Make the table of a certificate: one row a parameter, the verdict, and how it was found."""
    from rich.console import Group
    from rich.text import Text

    table = make_table(
        certificate.measure, "mean", "SD", "numbers", "largest z", "of its", "Monte Carlo error"
    )
    of: dict[str, list[Difference]] = {}
    for difference in certificate.differences:
        of.setdefault(difference.parameter, []).append(difference)
    known = {d.parameter: d.exact for d in certificate.differences if d.statistic == "sd"}
    decimals = choose_decimals(list(known.values())) if known else 3
    for name, differences in of.items():
        worst = max(differences, key=lambda d: -d.p_value)
        means = [d.exact for d in differences if d.statistic == "mean"]
        table.add_row(
            Text(name),
            show(means[0], decimals) if means else NONE,
            show(known[name], decimals) if name in known else NONE,
            str(len(differences)),
            f"{worst.z:+.1f}",
            worst.statistic,
            f"{100 * max(d.imprecision for d in differences):.1f}%",
        )
    run, k = certificate.diagnostics, len(certificate.studies)
    measure = get_measure(certificate.model.measure)
    assumptions = ", ".join(f"{a} {b}" for a, b in certificate.model.as_text().items())
    told = [
        f"z: Monte Carlo standard errors between NUTS and exact; Monte Carlo error: the largest, "
        f"in posterior SDs. Limits: p adjusted after Holm {LEVEL:g}; {100 * IMPRECISION:g}%.",
        f"Model: {assumptions}.",
        f"Exact: {certificate.engine}, error at most {certificate.accuracy.error:.0e}. NUTS: "
        f"{run.sampler}, {run.chains} chains of {run.draws} draws after {run.tune}, target "
        f"acceptance {run.target_accept:g}, seed {run.seed}; R-hat {run.rhat:.3f}, ESS "
        f"{min(run.ess_bulk, run.ess_tail):.0f}, {run.divergences} divergences.",
        "Versions: " + ", ".join(f"{a} {b}" for a, b in certificate.versions.items()) + ".",
    ]
    style = "bold green" if certificate.ok else "bold red"
    return Group(
        Text(f"Certificate: {make_heading(measure, k)}", style="bold"),
        table,
        *(Text(line, style="dim") for line in told),
        *(Text(f"Note: {note}") for note in certificate.notes),
        Text(certificate.sentence, style=style),
        *(Text(f"  {failure}") for failure in certificate.failures[1:]),
    )


def certificate_as_data(certificate: Certificate, *, version: str) -> dict[str, Any]:
    """Give a certificate as the command line's ``certify --json`` does."""
    columns = ("parameter", "statistic", "exact", "sampled", "mcse", "z", "p_value")
    rows = [
        {name: plain_value(getattr(difference, name)) for name in columns}
        | {"p_adjusted": plain_value(p)}
        for difference, p in zip(certificate.differences, certificate.p_adjusted, strict=True)
    ]
    return {
        "bayesmeta": version,
        "certified": certificate.ok,
        "sentence": certificate.sentence,
        "failures": list(certificate.failures),
        "model": certificate.model.as_text(),
        "scale": certificate.measure,
        "k": len(certificate.studies),
        "engine": certificate.engine,
        "numerical_error": certificate.accuracy.error,
        "nuts": run_as_data(certificate.diagnostics),
        "versions": dict(certificate.versions),
        "comparisons": rows,
        "notes": list(certificate.notes),
    }
