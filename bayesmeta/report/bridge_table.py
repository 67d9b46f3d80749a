"""The bridge as a table for a terminal, and as plain data."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmeta.checks.bridge import Bridge
from bayesmeta.digits import NONE, choose_decimals, show, show_interval, show_probability
from bayesmeta.report.tables import make_heading, make_table

if TYPE_CHECKING:
    from rich.console import Group

_NUMBERS = ("estimate", "ci_low", "ci_high", "tau", "tau_low", "tau_high", "p_below_null")


def bridge_table(bridge: Bridge) -> "Group":
    """Make the table of a bridge: one row a step on the natural scale, then its sentences."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    measure, rows = bridge.measure, [step.row for step in bridge.steps]
    null = f"{float(measure.scale.to_natural(np.zeros(1))[0]):g}"
    percent = f"{100 * bridge.level:g}%"
    table = make_table("", measure.name, f"{percent} interval", "tau", f"P({measure.name}<{null})")
    natural = measure.scale.to_natural(
        np.array([[row.estimate, row.ci_low, row.ci_high] for row in rows])
    )
    decimals = choose_decimals(natural[:, 0])
    tau_decimals = choose_decimals(row.tau for row in rows)
    sentences = Table.grid(padding=(0, 1))
    sentences.add_column(justify="right")
    for number, (step, (estimate, low, high)) in enumerate(
        zip(bridge.steps, natural.tolist(), strict=True), start=1
    ):
        interval = show_interval(low, high, decimals)
        cells = [show(estimate, decimals), interval]
        if step.name == "published":  # its own digits
            cells = [step.printed[0], ", ".join(step.printed[1:]) or NONE]
        table.add_row(
            Text(f"{number} ", style="dim").append(step.label, style="default"),
            *cells,
            show(step.row.tau, tau_decimals) if step.row.tau else "0",
            show_probability(step.row.p_below_null),
        )
        sentences.add_row(str(number), Text(step.sentence))
    told = dict.fromkeys(note for row in rows for note in row.notes)
    notes = [note for note in told if not any(note in step.sentence for step in bridge.steps)]
    return Group(
        Text(f"Bridge: {make_heading(measure, bridge.k)}", style="bold"),
        table,
        Text("What each step changes", style="bold"),
        sentences,
        *(Text(line, style="dim") for line in _caption(bridge)),
        *(Text(f"Left out: {reason}.", style="dim") for reason in bridge.left_out),
        *(Text(f"Data: {note}", style="dim") for note in bridge.notes),
        *(Text(f"Note: {note}", style="dim") for note in notes if note not in bridge.notes),
    )


def bridge_as_data(bridge: Bridge, *, version: str) -> dict[str, Any]:
    """Give a bridge as the command line's ``bridge --json`` does: numbers on the analysis scale."""
    return {
        "bayesmeta": version,
        "measure": bridge.measure.name,
        "scale": bridge.measure.scale.name,
        "method": bridge.method,
        "vague_prior": str(bridge.vague),
        "model": bridge.model.as_text(),
        "k": bridge.k,
        "level": bridge.level,
        "steps": [
            {"step": step.name, "assumes": step.label}
            | {name: _finite(getattr(step.row, name)) for name in _NUMBERS}
            | {"sentence": step.sentence, "notes": list(step.row.notes)}
            for step in bridge.steps
        ],
        "left_out": list(bridge.left_out),
        "notes": list(bridge.notes),
    }


def _caption(bridge: Bridge) -> list[str]:
    scale = bridge.measure.analysis_label
    return [
        f"Posteriors: medians, equal-tailed intervals. Widths and tau are on the {scale} scale. "
        "P of a frequentist row is its one-sided p-value: a flat effect prior, standard error as "
        "known."
    ]


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
