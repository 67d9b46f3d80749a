"""What a forest plot shows, line by line: texts, and marks on the natural scale."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from textwrap import wrap

import numpy as np

from bayesmeta.checks.crosscheck import CrossCheck
from bayesmeta.checks.rows import Row, study_intervals
from bayesmeta.digits import choose_decimals
from bayesmeta.inference.marginals import Marginal
from bayesmeta.inference.posterior import Posterior
from bayesmeta.once import once
from bayesmeta.plots.forest_arms import Texts, arm_columns
from bayesmeta.plots.forest_groups import Subgroup
from bayesmeta.plots.forest_layouts import LAYOUTS, Layout
from bayesmeta.plots.forest_line import Line, Texts3
from bayesmeta.plots.forest_notes import heterogeneity_notes, say_heterogeneity, say_posterior
from bayesmeta.plots.forest_weights import Weights, not_as_reported, weigh
from bayesmeta.plots.intervals import NO_MARK, as_mark
from bayesmeta.plots.style import BLUE, GREY, ORANGE
from bayesmeta.plots.texts import align_intervals, show_numbers
from bayesmeta.scales import FloatArray

_OF_POSTERIORS = (BLUE, ORANGE, "#56B4E9", "#CC79A7")
_DENSITY_POINTS = 160
_LOWEST = 0.01  # of the peak: a density below could be taken for an interval
_LONGEST = 46  # letters of a label in one line


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Content:
    """What all lines are made of."""

    result: CrossCheck
    layout: Layout
    weights: Weights
    columns: tuple[Texts, ...]


def forest_lines(
    result: CrossCheck,
    layout: Layout,
    *,
    extra: Sequence[Texts] = (),
    groups: Sequence[Subgroup] = (),
) -> tuple[Line, ...]:
    """Give the lines of a cross-check, from top to bottom.

    Parameters
    ----------
    result : CrossCheck
    layout : Layout
    extra : sequence of Texts
        Columns of the user's choice.
    groups : sequence of Subgroup
        Blocks of studies, which hold each study once; none: all studies in one.
    """
    columns = (*arm_columns(result.studies, split=layout.split_arms), *extra)
    content = _Content(result=result, layout=layout, weights=weigh(result), columns=columns)
    lines = (*_study_block(content, groups), *_pooled_block(content), *_notes(content, groups))
    return _line_up(lines, layout.to)


@once
def whole_lines(result: CrossCheck) -> tuple[Line, ...]:
    """Give the lines of the plain layout, which the plot and the table of a page share."""
    return forest_lines(result, LAYOUTS["bayesmeta"])


def _line_up(lines: Sequence[Line], to: str) -> tuple[Line, ...]:
    """Turn numbers into cells, the digits of a column below each other."""
    cells: list[dict[str, str]] = [dict(line.cells) for line in lines]
    for key in ("effect", "second"):
        with_key = [i for i, line in enumerate(lines) if key in line.numbers]
        texts = align_intervals([lines[i].numbers[key] for i in with_key], to=to)
        for i, text in zip(with_key, texts, strict=True):
            missing = "no estimate" if key == "effect" else ""
            cells[i][key] = text or missing
    return tuple(_break(replace(line, cells=own)) for line, own in zip(lines, cells, strict=True))


def _break(line: Line) -> Line:
    """Break a label that is too long for one line."""
    if line.kind == "note" or len(line.label) <= _LONGEST:
        return line
    fewest = len(wrap(line.label, _LONGEST))
    longest = min(_LONGEST, max(map(len, line.label.split())))
    widths = range(longest, _LONGEST + 1)  # lines of about one length
    label = next(found for width in widths if len(found := wrap(line.label, width)) == fewest)
    return replace(line, label="\n".join(label), height=line.height + 0.55 * (len(label) - 1))


# --- studies -------------------------------------------------------------------------------------


def _study_block(content: _Content, groups: Sequence[Subgroup]) -> Iterator[Line]:
    if content.result.effects is None:
        return
    studies = _studies(content)
    yield _head(content)
    if not groups:
        yield from studies
    for group in groups:
        yield Line(kind="group", label=group.name)
        yield from (studies[i] for i in group.members)
        yield from _total(content, group.members)
        yield from _subtotals(content, group)
        yield Line(kind="space", label="", height=0.5)
    yield from _total(content)


def _total(content: _Content, members: Sequence[int] | None = None) -> Iterator[Line]:
    """Add the counts of all studies up, or of a group's, where each has a column of its own."""
    cells = {column.key: column.total(members) for column in content.columns}
    if content.layout.split_arms and any(cells.values()):
        yield Line(kind="total", label="Total", cells=cells)


def _head(content: _Content) -> Line:
    result, weights = content.result, content.weights
    method = "" if weights.row is None else weights.row.method
    heads = {
        "weight": "weight" + (f"\n{method}" if method else "\ncommon"),
        "effect": f"{result.measure.name}\n{_percent(content)}",
        **{column.key: column.head for column in content.columns},
    }
    if content.layout.shrunken and (exact := _first_exact(result)):
        heads["second"] = f"shrunken\n{exact[0]}"
    lines = max(head.count("\n") for head in heads.values())
    return Line(kind="head", label="Study", cells=heads, height=0.95 + 0.6 * lines)


def _studies(content: _Content) -> list[Line]:
    result, layout = content.result, content.layout
    effects, to_natural = result.effects, result.measure.scale.to_natural
    assert effects is not None
    observed = to_natural(np.stack([effects.y, *study_intervals(effects, result.level)], axis=1))
    shrunken = np.full_like(observed, np.nan)
    if layout.shrunken and (exact := _first_exact(result)):
        table = exact[1].study_table(level=result.level)[["median", "low", "high"]]
        shrunken = to_natural(table.to_numpy(dtype=np.float64, copy=True))
    decimals = _decimals(result)
    percent, marked = content.weights.percent, not_as_reported(result)
    lines = []
    for i, study in enumerate(effects.study):
        cells = {column.key: column.texts[i] for column in content.columns}
        cells["weight"] = f"{percent[i]:.1f}%"
        numbers = {"effect": show_numbers(observed[i], decimals)}
        if np.isfinite(shrunken[i]).all():
            numbers["second"] = show_numbers(shrunken[i], decimals)
        lines.append(
            Line(
                kind="study",
                label=f"{study}*" if marked[i] else study,
                cells=cells,
                numbers=numbers,
                mark=as_mark(observed[i]),
                second=as_mark(shrunken[i]),
                weight=max(0.0, float(percent[i] / percent.max())),
            )
        )
    return lines


def _subtotals(content: _Content, group: Subgroup) -> Iterator[Line]:
    """Give a group's pooled effect, its posterior, and its heterogeneity."""
    result, row, posterior = content.result, group.reference, group.posterior
    decimals, to_natural = _decimals(result), result.measure.scale.to_natural
    weight = {"weight": f"{content.weights.percent[list(group.members)].sum():.1f}%"}
    if row is not None:
        numbers = to_natural(np.array([row.estimate, row.ci_low, row.ci_high]))
        new = to_natural(np.array([np.nan, row.pi_low, row.pi_high]))
        texts = _pooled_numbers(content, numbers, new, decimals)
        yield Line(kind="pooled", label=f"subtotal, {row.label}", cells=weight, numbers=texts,
                   mark=as_mark(numbers), second=as_mark(new), colour=GREY)  # fmt: skip
    if posterior is not None:
        yield from _posterior(content, "subtotal, exact posterior", posterior, 0)
    elif group.missing:
        yield Line(kind="note", label=f"subtotal, exact posterior: {group.missing}")
    if row is not None and row.q_df:
        yield Line(kind="note", label=say_heterogeneity(row), height=0.8)
    if posterior is not None and (
        told := say_posterior(posterior, result.level, to=content.layout.to)
    ):
        yield Line(kind="note", label=f"Heterogeneity, exact posterior: {told}", height=0.8)


# --- pooled --------------------------------------------------------------------------------------


def _pooled_block(content: _Content) -> Iterator[Line]:
    result, layout = content.result, content.layout
    heads = {"effect": f"{result.measure.name} {_percent(content)}"}
    if layout.shrunken and any(np.isfinite(row.pi_low) for row in result.rows):
        heads["second"] = "prediction"
    if result.effects is not None:
        heads = {key: head for key, head in heads.items() if key == "second"}
    yield Line(kind="head", label="Pooled", cells=heads, height=1.1)
    exact = {f"exact ({one.name})": one.exact for one in result.models}
    decimals, to_natural = _decimals(result), result.measure.scale.to_natural
    shown = [row for row in result.rows if row.road != "nuts"]  # agrees, or the table says so
    for row in shown:
        posterior = exact.get(row.label)
        if posterior is not None:
            place = [label for label, one in exact.items() if one is not None].index(row.label)
            yield from _posterior(content, _label(row), posterior, place)
            continue
        numbers = to_natural(np.array([row.estimate, row.ci_low, row.ci_high]))
        new = to_natural(np.array([np.nan, row.pi_low, row.pi_high]))
        texts = _pooled_numbers(content, numbers, new, decimals)
        if row.road == "published":
            texts["effect"] = _as_printed(result, texts["effect"])
        yield Line(kind="pooled", label=_label(row), numbers=texts, mark=as_mark(numbers),
                   second=as_mark(new), colour=GREY)  # fmt: skip


def _as_printed(result: CrossCheck, shown: Texts3) -> Texts3:
    """Give the digits that are printed, where the row has an interval."""
    printed = result.published
    if printed is None or printed.ci is None:
        return shown
    return printed.estimate.text, printed.ci[0].text, printed.ci[1].text


def _posterior(content: _Content, label: str, posterior: Posterior, place: int) -> Iterator[Line]:
    """Give the density of a posterior, and its prediction interval."""
    result, layout = content.result, content.layout
    to_natural, decimals = result.measure.scale.to_natural, _decimals(result)
    tail = (1 - result.level) / 2
    points = [0.5, tail, 1 - tail]
    numbers, new = (
        to_natural(np.array(marginal.quantile(points)))
        for marginal in (posterior.mu, posterior.theta_new)
    )
    new = np.array([np.nan, *new[1:]])
    colour = _OF_POSTERIORS[place % len(_OF_POSTERIORS)] if layout.coloured else GREY
    yield Line(
        kind="posterior",
        label=label,
        numbers=_pooled_numbers(content, numbers, new, decimals),
        mark=as_mark(numbers),
        second=as_mark(new) if layout.shrunken else NO_MARK,
        density=_density(posterior.mu, result),
        colour=colour,
        height=1.7,
    )
    if not layout.shrunken and np.isfinite(new[1:]).all():
        yield Line(kind="prediction", label="   prediction of a new study",
                   numbers={"effect": show_numbers(new, decimals)},
                   mark=as_mark(new), colour=colour)  # fmt: skip


def _density(mu: Marginal, result: CrossCheck) -> FloatArray | None:
    ends = np.asarray(mu.quantile([0.0005, 0.9995]))
    if not ends[1] > ends[0]:  # a known effect, or none
        return None
    x = np.linspace(ends[0], ends[1], _DENSITY_POINTS)
    height = mu.pdf(x)
    height /= height.max()
    seen = height > _LOWEST
    return np.stack([result.measure.scale.to_natural(x[seen]), height[seen]])


def _pooled_numbers(
    content: _Content, numbers: FloatArray, new: FloatArray, decimals: int | None
) -> dict[str, Texts3]:
    out = {"effect": show_numbers(numbers, decimals)}
    if content.layout.shrunken and np.isfinite(new[1:]).all():
        out["second"] = show_numbers(new, decimals)
    return out


def _label(row: Row) -> str:
    return f"exact posterior, {row.method} likelihood" if row.road == "exact" else row.label


def _notes(content: _Content, groups: Sequence[Subgroup]) -> Iterator[Line]:
    subtotals = [group.reference for group in groups]
    row, to = content.weights.row, content.layout.to
    for told in heterogeneity_notes(content.result, row, subtotals, to=to):
        yield Line(kind="note", label=told)


# --- texts ---------------------------------------------------------------------------------------


def _first_exact(result: CrossCheck) -> tuple[str, Posterior] | None:
    """Give the first exact posterior with the name of its model."""
    return next(((one.name, one.exact) for one in result.models if one.exact is not None), None)


def _percent(content: _Content) -> str:
    told = f"{100 * content.result.level:g}% interval"
    return f"[{told}]" if content.layout.to == ", " else f"({told})"


def _decimals(result: CrossCheck) -> int | None:
    """Ratios as they are printed (None); else three digits of the pooled effects."""
    if result.measure.scale.name == "log":
        return None
    return choose_decimals(row.estimate for row in result.rows)
