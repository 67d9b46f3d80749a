"""The forest plot: studies as observed and as the exact posterior has them, and the pooled rows."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from bayesmeta.checks.crosscheck import CrossCheck
from bayesmeta.errors import ModelError
from bayesmeta.plots.columns import Sheet, make_room, make_sheet_axes, place, rule, span, write
from bayesmeta.plots.effect_axis import set_axis
from bayesmeta.plots.forest_arms import extra_columns
from bayesmeta.plots.forest_foot import draw_foot, foot_height
from bayesmeta.plots.forest_groups import split_groups
from bayesmeta.plots.forest_layouts import LAYOUTS, Layout, LayoutName
from bayesmeta.plots.forest_line import Line
from bayesmeta.plots.forest_lines import forest_lines, whole_lines
from bayesmeta.plots.intervals import Mark, choose_limits, draw_arrows, draw_bars, draw_diamond
from bayesmeta.plots.style import BLUE, GREY, INK
from bayesmeta.plots.texts import font_families

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PLOT = 3.8 * 72  # width of the plot itself, points


def forest(
    result: CrossCheck,
    *,
    layout: LayoutName = "bayesmeta",
    groups: str | Sequence[object] | None = None,
    columns: Sequence[str] | Mapping[str, Sequence[object]] = (),
    reference: float | None = None,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw a forest plot of a cross-check.

    A square and its line are a study's observed effect and interval, the square's area its weight;
    the circle and line below are the same effect as the first exact posterior has it. A diamond is
    a published or frequentist pooled effect and its interval, the line through it the prediction
    interval of a new study. A hill is the density of an exact posterior of the mean effect; the
    thick line under it is its interval, the dot its median, the thin one the prediction interval.
    An arrow: the interval goes on outside the axis. A star: the effect is not simply that of the
    numbers reported, and the notes say why.

    Parameters
    ----------
    result : CrossCheck
        What to draw.
    layout : {"bayesmeta", "revman", "journal"}
        "revman" has the texts left of the plot and each number of an arm in a column of its own;
        "journal" is in grey, with "0.47 (0.32 to 0.70)" right of it. Both have no shrunken effects.
    groups : str or sequence, optional
        A column of the study table, or the group of each study: studies in blocks, each with the
        subtotals of its own fits. The shrunken effects stay those of all studies together.
    columns : sequence of str, or mapping of str to sequence
        Columns of the study table to print, or headings with a value for each study.
    reference : float, optional
        Where the vertical line stands, natural scale; no effect is a dotted line then. Not given,
        at no effect; studies of one group have none.
    ax : Axes, optional
        Where to draw, plot and texts together. Not given, a figure of the right size is made, the
        `figure` of the result.

    Returns
    -------
    Axes
        Ratios on a logarithmic axis. Lines are at their heights from the top. Heterogeneity, and a
        test of whether subgroups differ, are told below the axis.

    Raises
    ------
    StudyTableError
        A column that is not in the table, or values that are not one for each study.
    ModelError
        No cross-check, an unknown layout, groups without studies, or a reference that is not on the
        scale.

    Examples
    --------
    >>> import bayesmeta as bm
    >>> model = bm.Model(measure="OR", likelihood=bm.NormalLikelihood(),
    ...                  effect=bm.Normal(0, 2.82), heterogeneity=bm.HalfNormal(0.5))
    >>> trials = bm.load("crins2014").select(arms=("IL-2RA", "control"))
    >>> result = bm.crosscheck(model, trials, nuts=False, outcome="rejection", better="lower")
    >>> ax = bm.plots.forest(result, columns=["year"], groups="randomized")
    >>> ax.get_xlabel()
    'odds ratio (OR), logarithmic axis'
    """
    if not isinstance(result, CrossCheck):
        raise ModelError(
            f"A forest plot draws a cross-check, not a {type(result).__name__}: "
            "bm.plots.forest(bm.crosscheck(model, studies, nuts=False))."
        )
    if layout not in LAYOUTS:
        raise ModelError(f"Unknown layout {layout!r}. Known: {', '.join(LAYOUTS)}")
    form, effects = LAYOUTS[layout], result.effects
    names = () if effects is None else effects.study
    extra = extra_columns(result.studies, names, columns) if columns else ()
    parts = () if groups is None else split_groups(result, groups)
    whole = layout == "bayesmeta" and not extra and not parts
    drawn = whole_lines(result) if whole else forest_lines(result, form, extra=extra, groups=parts)
    lines, notes = _split_notes(drawn)
    null = _no_effect(result)
    at = null if reference is None else _reference(result, reference)
    size = 9.0 if len(lines) < 40 else 7.5
    sheet = _place(lines, form, tuple(one.key for one in extra), size)
    body = sum(line.height for line in lines)
    head, foot = (2.6 if result.outcome else 0.8) * size, foot_height(result, size, len(notes))
    if ax is None:
        ax = make_sheet_axes(sheet, plot=_PLOT, body=body * form.line * size, head=head, foot=foot)
    else:
        make_room(ax, left=sheet.left, right=sheet.right, head=head, foot=foot)
    set_axis(ax, "x", result.measure.scale, _limits(result, lines, (at, null)), size)
    ax.set_ylim(body, 0)
    ax.set_yticks([])
    for side in ("left", "right", "top"):
        ax.spines[side].set_visible(False)
    _draw_lines(ax, sheet, lines, form)
    _draw_reference(ax, lines, at, "solid")
    if null != at:
        _draw_reference(ax, lines, null, "dotted")
    draw_foot(ax, result, sheet, lines, notes, null, form)
    if result.outcome:
        ax.annotate(result.outcome, (0, 1), (-sheet.left, 0.7 * size), color=INK,
                    xycoords="axes fraction", textcoords="offset points", size=size + 2,
                    weight="bold", parse_math=False, family=font_families())  # fmt: skip
    return ax


def _split_notes(lines: Sequence[Line]) -> tuple[tuple[Line, ...], tuple[str, ...]]:
    """Take the notes at the end away, which stand below the axis."""
    end = max(i for i, line in enumerate(lines, 1) if line.kind != "note")
    return tuple(lines[:end]), tuple(line.label for line in lines[end:])


def _no_effect(result: CrossCheck) -> float | None:
    """Give the effect that is none, natural scale; studies of one group have no such."""
    if result.measure.layout in ("single", "single_rates"):
        return None
    return float(result.measure.scale.to_natural(np.array([0.0]))[0])


def _reference(result: CrossCheck, reference: float) -> float:
    with np.errstate(divide="ignore", invalid="ignore"):
        moved = result.measure.scale.from_natural(np.array([float(reference)]))[0]
    if not np.isfinite(moved):
        raise ModelError(f"The reference {reference:g} is no {result.measure.label}.")
    return float(reference)


def _place(lines: Sequence[Line], layout: Layout, extra: tuple[str, ...], size: float) -> Sheet:
    keys = {key for line in lines for key in line.cells}
    arms = tuple(sorted(key for key in keys if key.startswith("arm ")))
    cells = [{"study": line.label if line.kind == "study" else "", **line.cells} for line in lines]
    labels = [line.label for line in lines if line.kind in ("pooled", "posterior", "prediction")]
    to = next((key for key in layout.left if key in ("weight", "effect")), "")
    return place(layout.columns(arms, extra), [{"study": "Pooled"}, *cells], size=size,
                 spans=labels, span_to=to)  # fmt: skip


# --- axis ----------------------------------------------------------------------------------------


def _limits(
    result: CrossCheck, lines: Sequence[Line], at: tuple[float | None, ...]
) -> tuple[float, float]:
    """Estimates and exact posteriors fit in; pooled intervals if near; the rest if nearer."""
    core = [np.array([one for one in at if one is not None])]
    near, far = [np.empty(0)], [np.empty(0)]
    for line in lines:
        core.append(np.array([line.mark.estimate]))
        (core if line.kind == "posterior" else far).append(np.array(line.mark.ends))
        (near if line.kind in ("pooled", "prediction") else far).append(np.array(line.mark.ends))
        (far if line.kind == "study" else near).append(np.array(line.second.ends))
    parts = (np.concatenate(part) for part in (core, near, far))
    return choose_limits(result.measure.scale, *parts)


def _draw_reference(ax: "Axes", lines: Sequence[Line], at: float | None, style: str) -> None:
    """Draw a vertical line through every block, but not through headings and notes."""
    if at is None:
        return
    top, begin, ends = 0.0, 0.0, []
    for line in (*lines, Line(kind="space", label="")):
        if line.kind in ("head", "group", "note", "space", "total"):
            if top > begin:
                ends.append((begin, top))
            begin = top + line.height
        top += line.height
    if ends:
        low, high = zip(*ends, strict=True)
        ax.vlines([at] * len(ends), low, high, colors=GREY, linewidth=0.8, linestyle=style,
                  zorder=0, gid="reference")  # fmt: skip


# --- lines ---------------------------------------------------------------------------------------


def _draw_lines(ax: "Axes", sheet: Sheet, lines: Sequence[Line], layout: Layout) -> None:
    blue = BLUE if layout.coloured else INK
    studies: dict[float, Line] = {}  # by their heights
    top = 0.0
    for line in lines:
        middle = top + line.height / 2
        bold = line.kind in ("head", "group", "total")
        if line.kind == "study":
            studies[middle] = line
        elif line.kind == "posterior":
            _draw_posterior(ax, line, top + line.height - 0.45)
            middle = top + line.height - 0.45
        elif line.kind in ("pooled", "prediction"):
            _draw_prediction(ax, line.second, middle, GREY)
            if line.mark.whole:
                draw_diamond(ax, line.mark, middle, line.colour)
            elif line.kind == "prediction":
                _draw_prediction(ax, line.mark, middle, line.colour)
        if line.kind == "head":
            rule(ax, sheet, top + line.height - 0.08)
            middle -= 0.04
        span(ax, sheet, middle, line.label, bold=bold)
        colours = {"second": blue} if line.kind == "study" else {}
        write(ax, sheet, middle, line.cells, bold=bold, colours=colours)
        top += line.height
    if studies:
        _draw_studies(ax, list(studies.values()), list(studies), blue)


def _draw_studies(ax: "Axes", lines: Sequence[Line], middles: Sequence[float], colour: str) -> None:
    both = any(np.isfinite(line.second.estimate) for line in lines)
    upper = np.asarray(middles) - (0.15 if both else 0.0)
    draw_bars(ax, [line.mark for line in lines], upper, INK, width=1.1)
    sides = 2.2 + 4.8 * np.sqrt([line.weight for line in lines])  # points
    ax.scatter([line.mark.estimate for line in lines], upper, s=sides**2, marker="s", color=INK,
               linewidths=0, zorder=3, gid="observed")  # fmt: skip
    if both:
        lower = np.asarray(middles) + 0.24
        draw_bars(ax, [line.second for line in lines], lower, colour, width=1.1)
        ax.plot([line.second.estimate for line in lines], lower, "o", markeredgecolor=colour,
                markerfacecolor="white", markersize=3.6, markeredgewidth=1.0,
                gid="shrunken")  # fmt: skip


def _draw_posterior(ax: "Axes", line: Line, base: float) -> None:
    """Draw a hill on its intervals."""
    if line.density is not None:
        x, height = line.density
        ax.fill_between(x, base, base - 1.1 * height, facecolor=line.colour, alpha=0.35,
                        edgecolor="none", zorder=1, gid="density")  # fmt: skip
        ax.plot(x, base - 1.1 * height, color=line.colour, linewidth=0.9, zorder=2)
    _draw_prediction(ax, line.second, base, line.colour)
    estimate, low, high = line.mark.ends
    left, right = ax.get_xlim()
    ax.plot([max(low, left), min(high, right)], [base] * 2, color=line.colour, linewidth=3.2,
            solid_capstyle="butt", zorder=3, gid="interval")  # fmt: skip
    draw_arrows(ax, line.mark, base, line.colour)
    ax.plot(estimate, base, "o", markerfacecolor="white", markeredgecolor=INK, markersize=4.5,
            zorder=5, gid="median")  # fmt: skip


def _draw_prediction(ax: "Axes", mark: Mark, position: float, colour: str) -> None:
    """Draw a thin line with a stop at each end that is on the axis."""
    draw_bars(ax, [mark], [position], colour, width=1.0)
    left, right = ax.get_xlim()
    ends = [end for end in (mark.low, mark.high) if left <= end <= right]
    if ends:
        ax.plot(ends, [position] * len(ends), "|", color=colour, markersize=5, markeredgewidth=1.0,
                gid="prediction")  # fmt: skip
