"""The bridge as a ladder: each step's estimate and interval, and what moved since the last."""

from collections.abc import Sequence
from itertools import pairwise
from textwrap import wrap
from typing import TYPE_CHECKING

import numpy as np

from bayesmeta.checks.bridge import Bridge, Step
from bayesmeta.digits import choose_decimals, show, show_probability
from bayesmeta.plots.columns import Column, make_room, make_sheet_axes, place, rule, write
from bayesmeta.plots.effect_axis import name_axis, set_axis
from bayesmeta.plots.intervals import Mark, as_mark, choose_limits, draw_bars
from bayesmeta.plots.style import BLUE, GREY, INK, ORANGE, PALE
from bayesmeta.plots.texts import align_intervals, show_numbers
from bayesmeta.scales import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PLOT, _SIZE, _LINE = 3.8 * 72, 9.0, 2.4  # width of the plot and of letters, points; line height
_COLUMNS = (
    Column(key="step", side="left", align="left"),
    Column(key="assumes", side="left", align="left"),
    Column(key="effect", side="right"),
    Column(key="p", side="right"),
    Column(key="tau", side="right"),
)
_ROADS = {"published": ("D", GREY), "frequentist": ("s", ORANGE), "exact": ("o", BLUE)}


def bridge(result: Bridge, *, ax: "Axes | None" = None) -> "Axes":
    """Draw a bridge as a ladder: from the published number down to the posterior.

    Each step has a row: a diamond for what is printed, squares for frequentist steps, circles for
    posteriors, each with its interval. The pale band behind an interval is that of the step before,
    and a line runs from estimate to estimate, so that what a step moves can be seen. A step that is
    undefined for these data keeps its row and says why.

    Parameters
    ----------
    result : Bridge
    ax : Axes, optional
        Where to draw, plot and texts together. Not given, a figure of the right size is made.

    Returns
    -------
    Axes
        Ratios on a logarithmic axis; step i is at height i from the top.

    Examples
    --------
    >>> import bayesmeta as bm
    >>> model = bm.Model(measure="OR", likelihood=bm.NormalLikelihood(),
    ...                  effect=bm.Normal(0, 2.82), heterogeneity=bm.HalfNormal(0.5))
    >>> ax = bm.plots.bridge(bm.bridge(model, bm.load("bcg")))
    >>> [text.get_text() for text in ax.texts][:2]
    ['step', 'assumes']
    """
    head, *cells = _cells(result)
    marks = [_mark(step, result) for step in result.steps]
    sheet = place(_COLUMNS, [head, *cells], size=_SIZE)
    if ax is None:
        body = (len(cells) + 1) * _LINE * _SIZE
        ax = make_sheet_axes(sheet, plot=_PLOT, body=body, head=_SIZE, foot=6.0 * _SIZE)
    else:
        make_room(ax, left=sheet.left, right=sheet.right, head=_SIZE, foot=6.0 * _SIZE)
    measure = result.measure
    null = measure.scale.to_natural(np.array([0.0]))
    set_axis(ax, "x", measure.scale, _limits(result, marks, null), _SIZE)
    ax.set_ylim(len(cells) - 0.5, -1.5)
    ax.set_yticks([])
    for side in ("left", "right", "top"):
        ax.spines[side].set_visible(False)
    ax.set_xlabel(name_axis(measure), size=_SIZE, color=INK)
    ax.vlines(null, -0.5, len(cells) - 0.5, colors=GREY, linewidth=0.8, zorder=0)
    _draw_change(ax, marks)
    write(ax, sheet, -0.95, head, bold=True)
    rule(ax, sheet, -0.5)
    for i, (step, mark, texts) in enumerate(zip(result.steps, marks, cells, strict=True)):
        if step.defined:
            marker, colour = _ROADS[step.row.road]
            draw_bars(ax, [mark], [i], colour, width=1.6)
            ax.plot(mark.estimate, i, marker, color=colour, markeredgecolor=INK, markersize=5.5,
                    zorder=4, gid="estimate")  # fmt: skip
        else:
            _tell_why(ax, step, i)
        write(ax, sheet, i, texts)
    _draw_legend(ax, result)
    return ax


def _limits(result: Bridge, marks: Sequence[Mark], null: FloatArray) -> tuple[float, float]:
    """Estimates, the printed interval and that of the last step fit in; others if near."""
    ends = np.array([mark.ends for mark in marks])
    kept = [i for i, step in enumerate(result.steps) if step.defined]
    kept = [i for i in kept if result.steps[i].name == "published" or i == kept[-1]]
    core = np.concatenate([null, ends[:, 0], ends[kept].ravel()])
    return choose_limits(result.measure.scale, core, np.empty(0), ends[:, 1:])


def _mark(step: Step, result: Bridge) -> Mark:
    row = step.row
    numbers = result.measure.scale.to_natural(np.array([row.estimate, row.ci_low, row.ci_high]))
    return as_mark(numbers) if step.defined else Mark()


def _cells(result: Bridge) -> list[dict[str, str]]:
    """Give the texts of the heading and of each step; what is printed in its own digits."""
    measure, steps = result.measure, result.steps
    ratios = measure.scale.name == "log"
    decimals = None if ratios else choose_decimals(step.row.estimate for step in steps)
    triples = []
    for step in steps:
        if len(step.printed) == 3:
            triples.append((step.printed[0], step.printed[1], step.printed[2]))
        else:
            triples.append(show_numbers(np.array(_mark(step, result).ends), decimals))
    taus = [step.row.tau for step in steps]
    places = choose_decimals([float(np.nanmax(taus))]) if np.isfinite(taus).any() else 2
    out = [
        {
            "step": "step",
            "assumes": "assumes",
            "effect": f"{measure.name} [{100 * result.level:g}%]",
            "p": f"P({measure.name} < {'1' if ratios else '0'})",
            "tau": "tau",
        }
    ]
    for step, text in zip(steps, align_intervals(triples), strict=True):
        p = step.row.p_below_null
        out.append(
            {
                "step": step.name,
                "assumes": "\n".join(wrap(step.label, 44)),
                "effect": text or "undefined",
                "p": show_probability(p) if np.isfinite(p) else "",
                "tau": show(step.row.tau, places) if np.isfinite(step.row.tau) else "",
            }
        )
    return out


def _draw_change(ax: "Axes", marks: Sequence[Mark]) -> None:
    """Draw the interval of the step before behind each step, and the way of the estimate."""
    there = [i for i, mark in enumerate(marks) if mark.whole]
    left, right = ax.get_xlim()
    for before, i in pairwise(there):
        low, high = max(marks[before].low, left), min(marks[before].high, right)
        ax.fill_between([low, high], i - 0.28, i + 0.28, facecolor=PALE, edgecolor="none",
                        zorder=1, gid="before")  # fmt: skip
    ax.plot([marks[i].estimate for i in there], there, color=INK, linewidth=0.8, linestyle=":",
            zorder=2, gid="way")  # fmt: skip


def _draw_legend(ax: "Axes", result: Bridge) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    roads = dict.fromkeys(step.row.road for step in result.steps if step.defined)
    handles: list[Line2D | Patch] = [
        Line2D([], [], marker=_ROADS[road][0], color=_ROADS[road][1], markeredgecolor=INK,
               markersize=5.5, label="posterior" if road == "exact" else road)
        for road in roads
    ]  # fmt: skip
    handles.append(Patch(facecolor=PALE, label="interval of the step before"))
    below = 5.0 * _SIZE * ax.figure.dpi / 72 / ax.bbox.height
    ax.legend(handles=handles, loc="center", ncols=4, fontsize=_SIZE - 1, frameon=False,
              borderpad=0, bbox_to_anchor=(0.5, -below))  # fmt: skip


def _tell_why(ax: "Axes", step: Step, position: int) -> None:
    """Write why a step is undefined, inside the plot."""
    why = "; ".join(step.row.notes) or step.sentence
    lines = wrap(why, 58)
    text = "\n".join(lines[:2]) + (" …" if len(lines) > 2 else "")
    ax.annotate(text, (0.02, position), xycoords=("axes fraction", "data"), ha="left", va="center",
                size=_SIZE - 2, color=INK, style="italic", parse_math=False,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.0}, zorder=3)  # fmt: skip
