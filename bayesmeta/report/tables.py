"""Results as tables for a terminal: one function per result, made of rich's parts."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bayesmeta.checks.rows import study_intervals
from bayesmeta.digits import (
    NONE,
    choose_decimals,
    show,
    show_interval,
    show_probability,
    show_variances,
)
from bayesmeta.effects import Effects, Measure, get_measure
from bayesmeta.frequentist import PooledEstimate, Reference
from bayesmeta.inference.posterior import Diagnostics, Posterior
from bayesmeta.scales import FloatArray

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table


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
    columns = ["mean", "SD", "median", f"{percent} interval"]
    first = make_table(measure.analysis_label, *columns, "P(<0)", *natural)
    for name, numbers in parameters.to_dict("index").items():
        cells = _posterior_cells(numbers, decimals)
        p = NONE if name == "tau" else show_probability(numbers["p_below_zero"])
        both = [NONE, NONE] if name == "tau" else _natural_cells(numbers, measure)
        first.add_row(names[str(name)], *cells, p, *both[: len(natural)])
    second = make_table("study", *columns, *natural)
    for name, numbers in studies.to_dict("index").items():
        both = _natural_cells(numbers, measure)
        second.add_row(Text(str(name)), *_posterior_cells(numbers, decimals), *both[: len(natural)])
    likelihood = f"{posterior.bound.model.likelihood} likelihood"
    return Group(
        Text(f"{make_heading(measure, len(studies))}, {likelihood}", style="bold"),
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
    table = make_table("method", measure.name, f"{percent} interval", "p", "prediction",
                   "tau2", "I2", "Q", "Q p")  # fmt: skip
    numbers = [[row.estimate, row.ci_low, row.ci_high, row.pi_low, row.pi_high] for row in rows]
    natural = measure.scale.to_natural(np.array(numbers, dtype=np.float64))
    decimals = choose_decimals(natural[:, 0])
    tau2s = show_variances([row.tau2 for row in rows])
    footnotes: dict[str, int] = {}
    for row, tau2, (estimate, low, high, new_low, new_high) in zip(
        rows, tau2s, natural.tolist(), strict=True
    ):
        marks = [footnotes.setdefault(note, len(footnotes) + 1) for note in row.notes]
        mark = f" [{','.join(map(str, marks))}]" if marks else ""
        table.add_row(
            Text(row.method).append(mark, style="dim"),
            show(estimate, decimals),
            show_interval(low, high, decimals),
            show_probability(row.p_value),
            show_interval(new_low, new_high, decimals),
            tau2,
            show(row.i2, 1) if np.isnan(row.i2) else f"{show(row.i2, 1)}%",
            show(row.q, 2),
            show_probability(row.q_p),
        )
    formulas = dict.fromkeys(row.pi_method for row in rows if row.pi_method)
    told = ["; ".join(f"{row.method}: {row.label}" for row in rows) + "."]
    told += [f"Interval: {_by_method(rows, [row.interval for row in rows])}. "
             f"tau2 is on the {measure.analysis_label} scale."]  # fmt: skip
    told += _intervals_of_spread(rows, percent)
    told += [f"Prediction interval: {'; '.join(formulas)}."] if formulas else []
    return Group(
        Text(make_heading(measure, max(row.k for row in rows)), style="bold"),
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
    table = make_table(
        "study", measure.analysis_label, "variance", *ratio, f"{percent} interval", *last
    )
    for i, (study, (estimate, lower, upper)) in enumerate(zip(effects.study, natural, strict=True)):
        cells = [show(float(effects.y[i]), decimals), f"{v[i]:.4g}"]
        cells += [show(estimate, decimals)] if ratio else []
        cells.append(show_interval(lower, upper, decimals))
        table.add_row(Text(study), *cells, *([Text(notes[i])] if last else []))
    return Group(
        Text(make_heading(measure, len(effects.study)), style="bold"),
        table,
        *(Text(f"Note: {note}") for note in effects.notes),
    )


def frame_table(frame: pd.DataFrame) -> "Table":
    """Make a table of a frame, as it is."""
    from rich.text import Text

    table = make_table(*map(str, frame.columns))
    for row in frame.itertuples(index=False, name=None):
        table.add_row(
            *(Text(f"{cell:g}" if isinstance(cell, float) else str(cell)) for cell in row)
        )
    return table


def listing(lines: Mapping[str, str]) -> "Table":
    """Make a table of names and what they stand for."""
    table = make_table("name", "label")
    for name, text in lines.items():
        table.add_row(name, text)
    return table


# --- parts ---------------------------------------------------------------------------------------


def make_table(*columns: str, gap: int = 1) -> "Table":
    """Make an empty table: labels to the left, numbers to the right."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, gap, 0, 0), show_edge=False)
    for i, column in enumerate(columns):
        left = i == 0 or column in ("note", "label")
        table.add_column(column, justify="left" if left else "right")
    return table


def make_heading(measure: Measure, k: int | None) -> str:
    """Say what was measured, and in how many studies."""
    if k is None:
        return f"{measure.label}, number of studies not known"
    return f"{measure.label}, {count_studies(k)}"


def count_studies(k: int) -> str:
    """Write a number of studies in words that fit it."""
    return "1 study" if k == 1 else f"{k} studies"


def _by_method(rows: Sequence[PooledEstimate], told: Sequence[str | None]) -> str:
    """Say something of each row once, naming the methods where it is not the same for all."""
    names: dict[str, list[str]] = {}
    for row, text in zip(rows, told, strict=True):
        if text is not None:
            names.setdefault(text, []).append(row.method)
    if len(names) == 1:
        return next(iter(names))
    return "; ".join(f"{text} ({', '.join(methods)})" for text, methods in names.items())


def _intervals_of_spread(rows: Sequence[PooledEstimate], percent: str) -> list[str]:
    """Give the intervals of tau2, I2 and H2, in words; most rows share them."""
    told = [
        None
        if row.tau2_interval is None or np.isnan(row.tau2_ci_high)
        else f"tau2 {row.tau2_ci_low:.3g}, {row.tau2_ci_high:.3g}; "
        f"I2 {row.i2_ci_low:.1f}%, {row.i2_ci_high:.1f}%; "
        f"H2 {row.h2_ci_low:.2f}, {row.h2_ci_high:.2f}"
        for row in rows
    ]
    made = next((row.tau2_interval for row in rows if row.tau2_interval), None)
    if not any(told):
        return []
    return [f"{percent} intervals by {made}: {_by_method(rows, told)}."]


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
