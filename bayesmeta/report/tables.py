"""Results as tables for a terminal: one function per result, made of rich's parts."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bayesmeta.checks.agreement import LIMIT
from bayesmeta.checks.crosscheck import CrossCheck
from bayesmeta.checks.rows import Row, study_intervals
from bayesmeta.effects import Effects, Measure, get_measure
from bayesmeta.frequentist import Reference
from bayesmeta.inference.posterior import Diagnostics, Posterior
from bayesmeta.report.digits import NONE, choose_decimals, show, show_interval, show_probability
from bayesmeta.scales import FloatArray

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

_ROADS = {
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
    percent = f"{100 * result.level:g}%"
    columns = [measure.name, f"{percent} interval", "prediction", "tau", f"{percent} interval",
               f"P({measure.name}<{_null(measure)})"]  # fmt: skip
    table = _table("", *columns, *(["z", "R-hat", "ESS", "div"] if sampled else []), gap=0)
    footnotes: dict[str, int] = {}
    previous = ""
    for row, cells in zip(rows, _crosscheck_cells(rows, measure), strict=True):
        if row.road != previous:
            table.add_row(Text(_ROADS[row.road], style="bold"))
        previous = row.road
        marks = [footnotes.setdefault(note, len(footnotes) + 1) for note in row.notes]
        mark = f" [{','.join(map(str, marks))}]" if marks else ""
        label = Text(f" {_label(row)}")
        shown = ["" if cell == NONE and i > 1 else cell for i, cell in enumerate(cells)]
        table.add_row(label.append(mark, style="dim"), *shown[: len(table.columns) - 1])
    return Group(
        Text(_heading(title, result.outcome, measure, len(result.effects.study)), style="bold"),
        table,
        *(Text(f"[{number}] {note}") for note, number in footnotes.items()),
        *(Text(line, style="dim") for line in _caption(result, sampled)),
        *_verdict_lines(result),
    )


def posterior_tables(posterior: Posterior, *, level: float = 0.95) -> "Group":
    """Make the tables of one posterior: its parameters on both scales, and the studies' effects."""
    from rich.console import Group
    from rich.text import Text

    measure = posterior.bound.measure
    parameters = posterior.parameter_table(level=level)
    studies = posterior.study_table(level=level)
    decimals = choose_decimals(parameters["sd"])
    percent = f"{100 * level:g}%"
    natural = [measure.name, f"{percent} interval"] if measure.scale.name != "identity" else []
    names = {"mu": "mu, mean effect", "tau": "tau, their SD", "theta_new": "a new study's effect"}
    first = _table(measure.analysis_label, "mean", "SD", "median", f"{percent} interval", "P(<0)",
                   *natural)  # fmt: skip
    for name, numbers in parameters.to_dict("index").items():
        cells = _posterior_cells(numbers, decimals)
        p = NONE if name == "tau" else show_probability(numbers["p_below_zero"])
        both = [NONE, NONE] if name == "tau" else _natural_cells(numbers, measure)
        first.add_row(names[str(name)], *cells, p, *both[: len(natural)])
    second = _table("study", "mean", "SD", "median", f"{percent} interval", *natural)
    for name, numbers in studies.to_dict("index").items():
        both = _natural_cells(numbers, measure)
        second.add_row(Text(str(name)), *_posterior_cells(numbers, decimals), *both[: len(natural)])
    likelihood = f"{posterior.bound.model.likelihood} likelihood"
    return Group(
        Text(f"{_heading('', '', measure, len(studies))}, {likelihood}", style="bold"),
        first,
        Text("True effects of the studies", style="bold"),
        second,
        Text(_accuracy(posterior), style="dim"),
        *(Text(f"Note: {note}") for note in posterior.notes),
    )


def reference_table(reference: Reference) -> "Group":
    """Make the table of a frequentist analysis, on the natural scale."""
    from rich.console import Group
    from rich.text import Text

    measure = get_measure(reference.measure)
    rows = reference.rows
    percent = f"{100 * rows[0].level:g}%"
    table = _table("method", "label", measure.name, f"{percent} interval", "p", "prediction",
                   "tau2", "I2", "Q", "Q p")  # fmt: skip
    numbers = [[row.estimate, row.ci_low, row.ci_high, row.pi_low, row.pi_high] for row in rows]
    natural = measure.scale.to_natural(np.array(numbers, dtype=np.float64))
    decimals = choose_decimals(natural[:, 0])
    footnotes: dict[str, int] = {}
    for row, (estimate, low, high, new_low, new_high) in zip(rows, natural.tolist(), strict=True):
        marks = [footnotes.setdefault(note, len(footnotes) + 1) for note in row.notes]
        mark = f" [{','.join(map(str, marks))}]" if marks else ""
        table.add_row(
            row.method,
            Text(row.label.split(",")[0]).append(mark, style="dim"),
            show(estimate, decimals),
            show_interval(low, high, decimals),
            show_probability(row.p_value),
            show_interval(new_low, new_high, decimals),
            show(row.tau2, 4),
            show(row.i2, 1) if np.isnan(row.i2) else f"{show(row.i2, 1)}%",
            show(row.q, 2),
            show_probability(row.q_p),
        )
    formulas = dict.fromkeys(row.pi_method for row in rows if row.pi_method)
    told = [f"Interval: {rows[0].interval}. tau2 is on the {measure.analysis_label} scale."]
    told += [f"Prediction interval: {'; '.join(formulas)}."] if formulas else []
    return Group(
        Text(_heading("", "", measure, max(row.k for row in rows)), style="bold"),
        table,
        *(Text(f"[{number}] {note}") for note, number in footnotes.items()),
        *(Text(line, style="dim") for line in told),
        *(Text(f"Note: {note}") for note in reference.notes if note not in footnotes),
    )


def effects_table(effects: Effects, *, level: float = 0.95) -> "Group":
    """Make the table of the studies' effects: analysis scale, and intervals on the natural one."""
    from rich.console import Group
    from rich.text import Text

    measure = effects.measure
    v = effects.S if effects.S.ndim == 1 else np.diagonal(effects.S)
    low, high = study_intervals(effects, level)
    natural = measure.scale.to_natural(np.stack([effects.y, low, high], axis=1)).tolist()
    decimals = choose_decimals(np.sqrt(v))
    ratio = [measure.name] if measure.scale.name != "identity" else []
    notes = effects.row_notes or ("",) * len(effects.study)
    last = ["note"] if any(notes) else []
    percent = f"{100 * level:g}%"
    table = _table(
        "study", measure.analysis_label, "variance", *ratio, f"{percent} interval", *last
    )
    for i, (study, (estimate, lower, upper)) in enumerate(zip(effects.study, natural, strict=True)):
        cells = [show(float(effects.y[i]), decimals), f"{v[i]:.4g}"]
        cells += [show(estimate, decimals)] if ratio else []
        cells.append(show_interval(lower, upper, decimals))
        table.add_row(Text(study), *cells, *([Text(notes[i])] if last else []))
    return Group(
        Text(_heading("", "", measure, len(effects.study)), style="bold"),
        table,
        *(Text(f"Note: {note}") for note in effects.notes),
    )


def frame_table(frame: pd.DataFrame) -> "Table":
    """Make a table of a frame, as it is."""
    from rich.text import Text

    table = _table(*map(str, frame.columns))
    for row in frame.itertuples(index=False, name=None):
        table.add_row(
            *(Text(f"{cell:g}" if isinstance(cell, float) else str(cell)) for cell in row)
        )
    return table


def listing(lines: Mapping[str, str]) -> "Table":
    """Make a table of names and what they stand for."""
    table = _table("name", "label")
    for name, text in lines.items():
        table.add_row(name, text)
    return table


# --- parts ---------------------------------------------------------------------------------------


def _table(*columns: str, gap: int = 1) -> "Table":
    """Make an empty table: labels to the left, numbers to the right."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, gap, 0, 0), show_edge=False)
    for i, column in enumerate(columns):
        left = i == 0 or column in ("note", "label")
        table.add_column(column, justify="left" if left else "right")
    return table


def _heading(title: str, outcome: str, measure: Measure, k: int) -> str:
    told = ", ".join(part for part in (title, outcome) if part)
    studies = "1 study" if k == 1 else f"{k} studies"
    return f"{told}: {measure.label}, {studies}" if told else f"{measure.label}, {studies}"


def _label(row: Row) -> str:
    if row.road in ("exact", "nuts"):
        return f"{row.method} likelihood"
    return row.label.split(",")[0]


def _null(measure: Measure) -> str:
    return f"{float(measure.scale.to_natural(np.zeros(1))[0]):g}"


def _crosscheck_cells(rows: Sequence[Row], measure: Measure) -> list[list[str]]:
    numbers = [[row.estimate, row.ci_low, row.ci_high, row.pi_low, row.pi_high] for row in rows]
    natural = measure.scale.to_natural(np.array(numbers, dtype=np.float64))
    decimals = choose_decimals(natural[:, 0])
    tau_decimals = choose_decimals(row.tau for row in rows)
    return [
        [
            show(estimate, decimals),
            show_interval(low, high, decimals),
            show_interval(new_low, new_high, decimals),
            show(row.tau, tau_decimals) if row.tau else "0",
            show_interval(row.tau_low, row.tau_high, tau_decimals),
            show_probability(row.p_below_null),
            show(abs(row.z_largest), 1),
            show(row.rhat, 3),
            show(row.ess, 0),
            "" if row.divergences is None else str(row.divergences),
        ]
        for row, (estimate, low, high, new_low, new_high) in zip(
            rows, natural.tolist(), strict=True
        )
    ]


def _caption(result: CrossCheck, sampled: bool) -> Iterator[str]:
    """Say what the numbers of a cross-check are."""
    yield (
        "Frequentist: estimate, Wald interval, tau 0 by assumption under a common effect. "
        "Posterior: median,"
    )
    yield (
        f"equal-tailed interval. tau: SD of true {result.measure.analysis_label}. Prediction: "
        f"{100 * result.level:g}% interval of a new study's true {result.measure.name}."
    )
    if sampled:
        yield (
            "z: largest difference from the exact posterior over mean, SD, 2.5% and 97.5% quantile"
        )
        yield (
            f"of mu and tau, in Monte Carlo standard errors (limit {LIMIT:g}). ESS: smallest. "
            "div: divergences."
        )
    for note in result.notes:
        yield f"Data: {note}"


def _verdict_lines(result: CrossCheck) -> "Iterator[Text]":
    from rich.text import Text

    for verdict in result.verdicts:
        mark = Text(
            "ok      " if verdict.ok else "FAILED  ", style="green" if verdict.ok else "red"
        )
        yield mark.append(f"{verdict.subject}: {verdict.text}", style="default")
    failed = sum(not verdict.ok for verdict in result.verdicts)
    told = f"{failed} of {len(result.verdicts)} checks failed" if failed else "every check passed"
    yield Text(f"Verdict: {told}.", style="bold")


def _posterior_cells(numbers: dict[Any, Any], decimals: int) -> list[str]:
    """Give mean, SD, median and interval, analysis scale."""
    shown = [show(float(numbers[name]), decimals) for name in ("mean", "sd", "median")]
    return [*shown, show_interval(numbers["low"], numbers["high"], decimals)]


def _natural_cells(numbers: dict[Any, Any], measure: Measure) -> list[str]:
    """Give median and interval, natural scale."""
    ends: FloatArray = measure.scale.to_natural(
        np.array([numbers[name] for name in ("median", "low", "high")], dtype=np.float64)
    )
    median, low, high = map(float, ends)
    return [show(median, 3), show_interval(low, high, 3)]


def _accuracy(posterior: Posterior) -> str:
    accuracy = posterior.accuracy
    if isinstance(accuracy, Diagnostics):
        return (
            f"NUTS: {accuracy.chains} chains of {accuracy.draws} draws, seed {accuracy.seed}; "
            f"R-hat {accuracy.rhat:.3f}, ESS {min(accuracy.ess_bulk, accuracy.ess_tail):.0f}, "
            f"{accuracy.divergences} divergences"
        )
    return f"Exact, by quadrature: numerical error {accuracy.error:.0e}"
