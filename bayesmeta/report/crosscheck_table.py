"""The cross-check as a table for a terminal, with footnotes, caption and verdicts."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from bayesmeta.checks.agreement import LIMIT
from bayesmeta.checks.crosscheck import CrossCheck
from bayesmeta.checks.rows import Row
from bayesmeta.digits import NONE, choose_decimals, show, show_interval, show_probability
from bayesmeta.effects import Measure
from bayesmeta.report.tables import make_heading, make_table

if TYPE_CHECKING:
    from rich.console import Group, RenderableType
    from rich.text import Text

ROADS = {
    "published": "Published",
    "frequentist": "Frequentist",
    "exact": "Exact posterior",
    "nuts": "NUTS posterior",
}


def crosscheck_table(result: CrossCheck, *, title: str = "") -> "Group":
    """Make the table of a cross-check: natural scale, footnotes, caption, verdicts.

    Parameters
    ----------
    result : CrossCheck
        What to show.
    title : str
        Of the comparison; the outcome is added.

    Returns
    -------
    rich.console.Group
        About 100 columns wide.
    """
    from rich.console import Group
    from rich.text import Text

    rows, measure = result.rows, result.measure
    sampled = any(row.road == "nuts" for row in rows)
    table = make_table("", *crosscheck_columns(result), gap=0)
    footnotes: dict[str, int] = {}
    previous = ""
    for row, cells in zip(rows, crosscheck_cells(result), strict=True):
        if row.road != previous:
            table.add_row(Text(ROADS[row.road], style="bold"))
        previous = row.road
        own = [note for note in row.notes if note not in result.notes]
        marks = [footnotes.setdefault(note, len(footnotes) + 1) for note in own]
        mark = f" [{','.join(map(str, marks))}]" if marks else ""
        label = Text(f" {row_label(row)}")
        shown = ["" if cell == NONE and i > 1 else cell for i, cell in enumerate(cells)]
        table.add_row(label.append(mark, style="dim"), *shown[: len(table.columns) - 1])
    told = ", ".join(filter(None, (title, result.outcome)))
    return Group(
        Text(": ".join(filter(None, (told, make_heading(measure, result.k)))), style="bold"),
        table,
        *(Text(f"[{number}] {note}") for note, number in footnotes.items()),
        *_ranges(result),
        *(Text(line, style="dim") for line in crosscheck_caption(result, sampled)),
        *(Text(f"Data: {note}", style="dim") for note in (*result.status, *result.notes)),
        *_verdict_lines(result, sampled),
    )


def crosscheck_columns(result: CrossCheck) -> list[str]:
    """Name the columns of the cells; those of NUTS only where it was run."""
    percent = f"{100 * result.level:g}%"
    sampled = any(row.road == "nuts" for row in result.rows)
    columns = [result.measure.name, f"{percent} interval", "prediction", "tau",
               f"{percent} interval", question_of(result)]  # fmt: skip
    return [*columns, *(["z", "R-hat", "ESS", "div"] if sampled else [])]


def row_label(row: Row) -> str:
    """Name a row below the heading of its road."""
    if row.road in ("exact", "nuts"):
        return f"{row.method} likelihood"
    if row.road == "published":
        return "model not named" if row.method == "published" else f"{row.method} effects"
    return row.label.split(",")[0]


def null_of(measure: Measure) -> str:
    """Write the effect of no difference, natural scale."""
    return f"{float(measure.scale.to_natural(np.zeros(1))[0]):g}"


def question_of(result: CrossCheck) -> str:
    """Name the column of a probability: of benefit, where the good direction is known."""
    if result.better is not None:
        return "benefit"
    return f"P({result.measure.name}<{null_of(result.measure)})"


def _answer(result: CrossCheck, row: Row) -> float:
    return 1 - row.p_below_null if result.better == "higher" else row.p_below_null


def _as_printed(result: CrossCheck) -> list[str]:
    """Give the published estimate and limits with the digits that were printed."""
    row = result.published
    if row is None:
        return []
    return [row.estimate.text, f"{row.ci[0].text}, {row.ci[1].text}" if row.ci else NONE]


def crosscheck_cells(result: CrossCheck) -> list[list[str]]:
    """Write the numbers of each row, natural scale, in the columns of a table with NUTS."""
    rows, measure = result.rows, result.measure
    numbers = [[row.estimate, row.ci_low, row.ci_high, row.pi_low, row.pi_high] for row in rows]
    natural = measure.scale.to_natural(np.array(numbers, dtype=np.float64))
    decimals = choose_decimals(natural[:, 0])
    tau_decimals = choose_decimals(row.tau for row in rows)
    return [
        [
            *(
                _as_printed(result)
                if row.road == "published"
                else [show(estimate, decimals), show_interval(low, high, decimals)]
            ),
            show_interval(new_low, new_high, decimals),
            show(row.tau, tau_decimals) if row.tau else "0",
            show_interval(row.tau_low, row.tau_high, tau_decimals),
            show_probability(_answer(result, row)),
            show(abs(row.z_largest), 1),
            show(row.rhat, 3),
            show(row.ess, 0),
            "" if row.divergences is None else str(row.divergences),
        ]
        for row, (estimate, low, high, new_low, new_high) in zip(
            rows, natural.tolist(), strict=True
        )
    ]


def _ranges(result: CrossCheck) -> "Iterator[RenderableType]":
    """Show how far the numbers go over all tables that a reconstruction leaves."""
    from rich.text import Text

    if not result.others:
        return
    yield Text(
        f"The counts above are reconstruction 1 of {1 + len(result.others)}; each of them gives "
        "what was printed. Over all of them:"
    )
    table = make_table("", *range_columns(result), gap=0)
    for label, *cells in range_cells(result):
        table.add_row(f" {label}", *("" if cell == NONE else cell for cell in cells))
    yield table


def range_columns(result: CrossCheck) -> list[str]:
    """Name the columns of the ranges."""
    return [result.measure.name, "lower limit", "upper limit", question_of(result)]


def range_cells(result: CrossCheck) -> list[list[str]]:
    """Write how far each number goes over all tables of a reconstruction; labels first."""
    measure, rows = result.measure, []
    lowest = np.array([low.estimate for low, _ in result.ranges])
    decimals = choose_decimals(measure.scale.to_natural(lowest).tolist())
    for ends in result.ranges:
        numbers = np.array([[row.estimate, row.ci_low, row.ci_high] for row in ends])
        natural = measure.scale.to_natural(numbers).T.tolist()
        cells = [_span(*(show(number, decimals) for number in pair)) for pair in natural]
        answers = sorted(_answer(result, row) for row in ends)
        rows.append([row_label(ends[0]), *cells, _span(*map(show_probability, answers))])
    return rows


def _span(low: str, high: str) -> str:
    return low if low == high else f"{low} to {high}"


def _of_spread(result: CrossCheck) -> str:
    return (
        f"tau: SD of true {result.measure.analysis_label}. Prediction: "
        f"{100 * result.level:g}% interval of a new study's true {result.measure.name}."
    )


def crosscheck_caption(result: CrossCheck, sampled: bool) -> Iterator[str]:
    """Say what the numbers of a cross-check are."""
    roads = {row.road for row in result.rows}
    if "frequentist" in roads:
        yield (
            "Frequentist: estimate, Wald interval, tau 0 by assumption under a common effect. "
            "Posterior: median,"
        )
        yield f"equal-tailed interval. {_of_spread(result)}"
    else:
        yield f"Posterior: median, equal-tailed interval. {_of_spread(result)}"
    if result.better is not None:
        side = "below" if result.better == "lower" else "above"
        null = null_of(result.measure)
        yield f"benefit: posterior probability of {result.measure.name} {side} {null}."
    if sampled:
        yield (
            "z: largest difference from the exact posterior over mean, SD, 2.5% and 97.5% quantile"
        )
        yield (
            f"of mu and tau, in Monte Carlo standard errors (limit {LIMIT:g}). ESS: smallest. "
            "div: divergences."
        )


def _verdict_lines(result: CrossCheck, sampled: bool) -> "Iterator[Text]":
    from rich.text import Text

    for verdict in result.verdicts:
        mark = Text(
            "ok      " if verdict.ok else "FAILED  ", style="green" if verdict.ok else "red"
        )
        yield mark.append(f"{verdict.subject}: {verdict.text}", style="default")
    if not result.verdicts:
        yield Text("Verdict: not analysed, for the reason given.", style="bold")
        return
    failed = sum(not verdict.ok for verdict in result.verdicts)
    told = f"{failed} of {len(result.verdicts)} checks failed" if failed else "every check passed"
    left_out = "" if sampled else "; NUTS was left out"
    yield Text(f"Verdict: {told}{left_out}.", style="bold")
