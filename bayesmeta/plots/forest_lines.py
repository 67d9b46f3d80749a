"""What a forest plot shows, line by line: texts, and marks on the natural scale."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from textwrap import wrap
from typing import Literal

import numpy as np

from bayesmeta.checks.crosscheck import CrossCheck
from bayesmeta.checks.rows import Row, study_intervals
from bayesmeta.digits import choose_decimals, show, show_probability
from bayesmeta.frequentist import PooledEstimate
from bayesmeta.inference.marginals import Marginal
from bayesmeta.inference.posterior import Posterior
from bayesmeta.once import once
from bayesmeta.plots.forest_arms import Texts, arm_columns
from bayesmeta.plots.forest_layouts import LAYOUTS, Layout
from bayesmeta.plots.forest_weights import Weights, not_as_reported, weigh
from bayesmeta.plots.intervals import NO_MARK, Mark, as_mark
from bayesmeta.plots.style import BLUE, GREY, INK, ORANGE
from bayesmeta.plots.texts import align_intervals, show_numbers
from bayesmeta.scales import FloatArray

_OF_POSTERIORS = (BLUE, ORANGE, "#56B4E9", "#CC79A7")
_DENSITY_POINTS = 160
_LONGEST = 46  # letters of a label in one line

type Kind = Literal[
    "head", "group", "study", "total", "pooled", "posterior", "prediction", "note", "space"
]
type Texts3 = tuple[str, str, str]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Line:
    """One line of the plot.

    Attributes
    ----------
    kind : Kind
    label : str
    cells : dict
        Keys of columns to texts: "weight", "effect", "second" and those of the arms.
    numbers : dict
        The same for cells of estimate, low and high, before they are lined up.
    mark : Mark
        Observed, or pooled.
    second : Mark
        Of a study: its effect as the exact posterior has it. Pooled: the prediction interval.
    weight : float
        Of a study, relative to the heaviest.
    density : (2, point) or None
        Of a posterior: effects on the natural scale, and density on the analysis scale relative to
        its peak.
    colour : str
    height : float
        Of the line, in heights of a line of the layout.
    """

    kind: Kind
    label: str
    cells: Mapping[str, str] = field(default_factory=dict)
    numbers: Mapping[str, Texts3] = field(default_factory=dict)
    mark: Mark = NO_MARK
    second: Mark = NO_MARK
    weight: float = 1.0
    density: FloatArray | None = None
    colour: str = INK
    height: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Subgroup:
    """Studies of one group, and what they give by themselves.

    Attributes
    ----------
    name : str
    members : tuple of int
        Places of its studies in the effects.
    reference : PooledEstimate or None
    posterior : Posterior or None
    missing : str
        Why there is no posterior.
    """

    name: str
    members: tuple[int, ...]
    reference: PooledEstimate | None
    posterior: Posterior | None
    missing: str = ""


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
    lines = (*_study_block(content, groups), *_pooled_block(content), *_notes(content))
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
    label = wrap(line.label, _LONGEST)
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
        yield from _subtotals(content, group)
        yield Line(kind="space", label="", height=0.5)
    if content.layout.split_arms and any(column.total for column in content.columns):
        cells = {column.key: column.total for column in content.columns}
        yield Line(kind="total", label="Total", cells=cells)


def _head(content: _Content) -> Line:
    result, weights = content.result, content.weights
    method = "" if weights.row is None else weights.row.method
    heads = {
        "weight": "weight" + (f"\n{method}" if method else "\ncommon"),
        "effect": f"{result.measure.name}\n{_percent(result)}",
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
        yield Line(kind="note", label=_say_heterogeneity(row))


# --- pooled --------------------------------------------------------------------------------------


def _pooled_block(content: _Content) -> Iterator[Line]:
    result, layout = content.result, content.layout
    heads = {"effect": f"{result.measure.name} {_percent(result)}"}
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
    return np.stack([result.measure.scale.to_natural(x), height / height.max()])


def _pooled_numbers(
    content: _Content, numbers: FloatArray, new: FloatArray, decimals: int | None
) -> dict[str, Texts3]:
    out = {"effect": show_numbers(numbers, decimals)}
    if content.layout.shrunken and np.isfinite(new[1:]).all():
        out["second"] = show_numbers(new, decimals)
    return out


def _label(row: Row) -> str:
    return f"exact posterior, {row.method} likelihood" if row.road == "exact" else row.label


def _notes(content: _Content) -> Iterator[Line]:
    """Say how much the studies differ, by the method of the weights and by each posterior."""
    result = content.result
    row = content.weights.row or next((row for row in result.reference if row.q_df), None)
    if row is not None and row.q_df:
        yield Line(kind="note", label=_say_heterogeneity(row), height=0.8)
    interval = f"{100 * result.level:g}% interval"
    for label, posterior in result.posteriors.items():
        if label.startswith("exact"):
            tail = (1 - result.level) / 2
            tau = np.asarray(posterior.tau.quantile([0.5, tail, 1 - tail]))
            if np.isfinite(tau).all():
                middle, low, high = (show(float(x), choose_decimals([tau[0]])) for x in tau)
                told = f"Heterogeneity, {label}: tau {middle}, {interval} {low} to {high}"
                yield Line(kind="note", label=told, height=0.8)


def _say_heterogeneity(row: PooledEstimate) -> str:
    p = show_probability(row.q_p)
    p = p if p[0] in "<>" else f"={p}"
    told = f"I² {row.i2:.0f}%, Q {row.q:.1f} (df {row.q_df}), p {p[0]} {p[1:]}"
    if np.isfinite(row.tau2_ci_high) or row.tau2 > 0:
        tau = np.sqrt(row.tau2)
        size = show(float(tau), choose_decimals([float(tau)])) if tau > 0 else "0"
        told = f"tau {size}, {told}"
    return f"Heterogeneity, {row.method}: {told}"


# --- texts ---------------------------------------------------------------------------------------


def _first_exact(result: CrossCheck) -> tuple[str, Posterior] | None:
    """Give the first exact posterior with the name of its model."""
    return next(((one.name, one.exact) for one in result.models if one.exact is not None), None)


def _percent(result: CrossCheck) -> str:
    return f"[{100 * result.level:g}% interval]"


def _decimals(result: CrossCheck) -> int | None:
    """Ratios as they are printed (None); else three digits of the pooled effects."""
    if result.measure.scale.name == "log":
        return None
    return choose_decimals(row.estimate for row in result.rows)
