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

    rows = [step.row for step in bridge.steps]
    table = make_table("", *bridge_columns(bridge))
    sentences = Table.grid(padding=(0, 1))
    sentences.add_column(justify="right")
    for number, (step, cells) in enumerate(
        zip(bridge.steps, bridge_cells(bridge), strict=True), start=1
    ):
        label = Text(f"{number} ", style="dim").append(step.label, style="default")
        table.add_row(label, *cells)
        sentences.add_row(str(number), Text(step.sentence))
    told = dict.fromkeys(note for row in rows for note in row.notes)
    notes = [note for note in told if not any(note in step.sentence for step in bridge.steps)]
    return Group(
        Text(f"Bridge: {make_heading(bridge.measure, bridge.k)}", style="bold"),
        table,
        Text("What each step changes", style="bold"),
        sentences,
        *(Text(line, style="dim") for line in bridge_caption(bridge)),
        *(Text(f"Left out: {reason}.", style="dim") for reason in bridge.left_out),
        *(Text(f"Data: {note}", style="dim") for note in bridge.notes),
        *(Text(f"Note: {note}", style="dim") for note in notes if note not in bridge.notes),
    )


def bridge_columns(bridge: Bridge) -> list[str]:
    """Name the columns of the cells."""
    name = bridge.measure.name
    null = f"{float(bridge.measure.scale.to_natural(np.zeros(1))[0]):g}"
    return [name, f"{100 * bridge.level:g}% interval", "tau", f"P({name}<{null})"]


def bridge_cells(bridge: Bridge) -> list[list[str]]:
    """Write the numbers of each step, natural scale; printed ones in their own digits."""
    rows = [step.row for step in bridge.steps]
    natural = bridge.measure.scale.to_natural(
        np.array([[row.estimate, row.ci_low, row.ci_high] for row in rows])
    )
    decimals = choose_decimals(natural[:, 0])
    tau_decimals = choose_decimals(row.tau for row in rows)
    cells = []
    for step, (estimate, low, high) in zip(bridge.steps, natural.tolist(), strict=True):
        shown = [show(estimate, decimals), show_interval(low, high, decimals)]
        if step.name == "published":  # its own digits
            shown = [step.printed[0], ", ".join(step.printed[1:]) or NONE]
        tau = show(step.row.tau, tau_decimals) if step.row.tau else "0"
        cells.append([*shown, tau, show_probability(step.row.p_below_null)])
    return cells


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


def bridge_caption(bridge: Bridge) -> list[str]:
    """Say what the numbers of a bridge are."""
    scale = bridge.measure.analysis_label
    return [
        f"Posteriors: medians, equal-tailed intervals. Widths and tau are on the {scale} scale. "
        "P of a frequentist row is its one-sided p-value: a flat effect prior, standard error as "
        "known."
    ]


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
