"""Tables of small-study effects and of influence for a terminal."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from bayesmeta.digits import (
    NONE,
    choose_decimals,
    show,
    show_interval,
    show_probability,
    show_variances,
)
from bayesmeta.effects import Measure, get_measure
from bayesmeta.frequentist.bias.fail_safe import FailSafeN
from bayesmeta.frequentist.bias.report import BiasReport
from bayesmeta.frequentist.bias.selection import SelectionModel
from bayesmeta.frequentist.bias.small_study import SmallStudyTests
from bayesmeta.frequentist.bias.trim_fill import TrimFill
from bayesmeta.frequentist.influence.deletion import Refits
from bayesmeta.frequentist.influence.measures import Influence
from bayesmeta.frequentist.influence.predicted import Blups
from bayesmeta.report.tables import make_heading, make_table
from bayesmeta.scales import FloatArray

if TYPE_CHECKING:
    from rich.console import Group, RenderableType


def bias_tables(report: BiasReport) -> "Group":
    """Make the tables of small-study tests, trim and fill, selection model and fail-safe N."""
    from rich.console import Group
    from rich.text import Text

    measure = get_measure(report.tests.measure)
    parts: list[RenderableType] = [
        Text(make_heading(measure, report.tests.k), style="bold"),
        *_titled("Tests for small-study effects", *_tests(report.tests)),
    ]
    if report.trim_fill is not None:
        parts += _titled(
            "Trim and fill", *_filled(report.trim_fill, measure, told=report.tests.notes)
        )
    if report.selection is not None:
        parts += _titled(
            "Selection model, by p-value",
            *_selected(report.selection, measure, told=report.tests.notes),
        )
    parts += _titled("Fail-safe N", *_fail_safe(report.fail_safe))
    notes = [*report.tests.notes, *report.undefined]
    return Group(*parts, *(Text(f"Note: {note}") for note in notes))


def influence_tables(found: Influence, left_out: Refits, predicted: Blups) -> "Group":
    """Make the tables of influence, leave-one-out and predicted true effects."""
    from rich.console import Group
    from rich.text import Text

    measure = get_measure(found.measure)
    return Group(
        Text(f"{make_heading(measure, len(found.study))}, {found.method}", style="bold"),
        *_titled("Influence of each study", *_influence(found)),
        *_titled("Pooled without it", _left_out(left_out, measure)),
        *_titled("True effects, predicted", *_predicted(predicted, measure)),
        *(Text(f"Note: {note}") for note in found.notes),
    )


# --- parts ---------------------------------------------------------------------------------------


def _titled(title: str, *parts: "RenderableType") -> list["RenderableType"]:
    from rich.text import Text

    return [Text(""), Text(title, style="bold"), *parts]


def _tests(found: SmallStudyTests) -> list["RenderableType"]:
    from rich.text import Text

    table = make_table("test", "statistic", "against", "p", "slope", "SE", "k")
    footnotes: dict[str, int] = {}
    for row in found.rows:
        marks = [footnotes.setdefault(note, len(footnotes) + 1) for note in row.notes]
        mark = f" [{','.join(map(str, marks))}]" if marks else ""
        source = f"t({row.df})" if row.distribution == "t" else row.distribution
        table.add_row(
            Text(row.label).append(mark, style="dim"),
            show(row.statistic, 3),
            source or NONE,
            show_probability(row.p_value),
            _sized(row.estimate, row.se),
            _sized(row.se, row.se),
            str(row.k),
        )
    return [table, *(Text(f"[{number}] {note}") for note, number in footnotes.items())]


def _filled(found: TrimFill, measure: Measure, *, told: Sequence[str]) -> list["RenderableType"]:
    from rich.text import Text

    percent = f"{100 * found.level:g}%"
    table = make_table("", "studies", measure.name, f"{percent} interval", "p", "tau2", "I2")
    rows = found.to_frame().to_dict("records")
    decimals = choose_decimals(row["natural_estimate"] for row in rows)
    for row, tau2 in zip(rows, show_variances([row["tau2"] for row in rows]), strict=True):
        table.add_row(
            "as observed" if row["studies"] == "observed" else "filled up",
            str(row["k"]),
            show(row["natural_estimate"], decimals),
            show_interval(row["natural_ci_low"], row["natural_ci_high"], decimals),
            show_probability(row["p_value"]),
            tau2,
            _percent(row["i2"]),
        )
    missing = f"{found.k0} missing on the {found.side} (SE {found.k0_se:.1f})"
    line = f"{found.estimator}, {found.method}: {missing}. A sensitivity analysis, no correction."
    return [table, Text(line, style="dim"), *_notes(found.notes, told=told)]


def _selected(
    found: SelectionModel, measure: Measure, *, told: Sequence[str]
) -> list["RenderableType"]:
    from rich.text import Text

    percent = f"{100 * found.level:g}%"
    natural = measure.scale.to_natural(
        np.array([found.estimate, found.ci_low, found.ci_high, found.unselected_estimate])
    )
    estimate, low, high, plain = natural.tolist()
    decimals = choose_decimals([estimate, plain])
    table = make_table("", measure.name, f"{percent} interval", "p", "tau2", "log likelihood")
    tau2 = show_variances([found.unselected_tau2, found.tau2])
    table.add_row("no selection", show(plain, decimals), NONE, NONE, tau2[0],
                  show(found.unselected_log_likelihood, 3))  # fmt: skip
    table.add_row("with selection", show(estimate, decimals), show_interval(low, high, decimals),
                  show_probability(found.p_value), tau2[1],
                  show(found.log_likelihood, 3))  # fmt: skip
    steps = make_table("p-value", "studies", "published, relative")
    for row in found.to_frame().to_dict("records"):
        steps.add_row(
            f"{row['p_above']:g} to {row['p_to']:g}", str(row["studies"]), f"{row['delta']:.3g}"
        )
    test = f"chi2({found.lrt_df}) = {found.lrt:.3f}, p = {show_probability(found.lrt_p)}"
    return [
        table,
        Text(""),
        steps,
        Text(f"Test of no selection: {test}", style="dim"),
        *_notes(found.notes, told=told),
    ]


def _fail_safe(found: FailSafeN) -> list["RenderableType"]:
    from rich.text import Text

    table = make_table("method", "N")
    for row in found.rows:
        table.add_row(Text(row.label), NONE if row.n is None else str(row.n))
    notes = [Text(f"Note: {note}") for row in found.rows for note in row.notes]
    told = "Printed because papers print it; not to be relied on (Becker 2005)."
    return [table, *notes, Text(told, style="dim")]


def _influence(found: Influence) -> list["RenderableType"]:
    from rich.text import Text

    table = make_table("study", "rstudent", "DFFITS", "Cook", "cov r", "tau2 del", "Q del",
                       "weight", "DFBETAS", "")  # fmt: skip
    rows, tau2s = found.to_frame().to_dict("records"), show_variances(found.tau2_deleted.tolist())
    for row, tau2 in zip(rows, tau2s, strict=True):
        table.add_row(
            Text(row["study"]),
            *(show(row[name], 3) for name in ("rstudent", "dffits", "cook", "cov_ratio")),
            tau2,
            show(row["q_deleted"], 2),
            _percent(row["weight"]),
            show(row["dfbetas"], 3),
            "*" if row["influential"] else "",
        )
    told = "* passes a threshold of Viechtbauer and Cheung (2010): a reason to look, not to drop."
    return [table, Text(told, style="dim")]


def _left_out(found: Refits, measure: Measure) -> "RenderableType":
    from rich.text import Text

    percent = f"{100 * found.level:g}%"
    table = make_table(
        "without", measure.name, f"{percent} interval", "p", "tau2", "I2", "Q", "Q p"
    )
    rows = found.to_frame().to_dict("records")
    decimals = choose_decimals(row["natural_estimate"] for row in rows)
    for row, tau2 in zip(rows, show_variances(found.tau2.tolist()), strict=True):
        table.add_row(
            Text(row["study"]),
            show(row["natural_estimate"], decimals),
            show_interval(row["natural_ci_low"], row["natural_ci_high"], decimals),
            show_probability(row["p_value"]),
            tau2,
            _percent(row["i2"]),
            show(row["q"], 2),
            show_probability(row["q_p"]),
        )
    return table


def _predicted(found: Blups, measure: Measure) -> list["RenderableType"]:
    from rich.text import Text

    percent = f"{100 * found.level:g}%"
    table = make_table("study", "observed", "predicted", f"{percent} interval", "shrunk by")
    natural: FloatArray = measure.scale.to_natural(
        np.stack([found.observed, found.prediction, found.pi_low, found.pi_high], axis=1)
    )
    decimals = choose_decimals(natural[:, 1])
    for study, (seen, predicted, low, high), shrinkage in zip(
        found.study, natural.tolist(), found.shrinkage.tolist(), strict=True
    ):
        table.add_row(
            Text(study),
            show(seen, decimals),
            show(predicted, decimals),
            show_interval(low, high, decimals),
            _percent(100 * shrinkage),
        )
    return [table, Text(f"As {measure.name}; tau2 counts as known.", style="dim")]


def _notes(notes: Sequence[str], *, told: Sequence[str]) -> list["RenderableType"]:
    """Show the notes that are not told elsewhere."""
    from rich.text import Text

    return [Text(f"Note: {note}") for note in notes if note not in told]


def _sized(value: float, se: float) -> str:
    """Show a slope with three decimals; with an exponent where its error is far from 1."""
    return f"{value:.2e}" if se < 0.02 or se >= 1e4 else show(value, 3)


def _percent(value: float) -> str:
    return NONE if math.isnan(value) else f"{show(value, 1)}%"
