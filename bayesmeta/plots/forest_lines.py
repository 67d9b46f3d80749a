"""What a forest plot shows, line by line: texts, and marks on the natural scale."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bayesmeta.checks.crosscheck import CrossCheck
from bayesmeta.checks.rows import Row, study_intervals
from bayesmeta.digits import NONE, choose_decimals, show
from bayesmeta.effects import Effects
from bayesmeta.plots.style import BLUE, GREY, INK, ORANGE
from bayesmeta.scales import FloatArray
from bayesmeta.studies import StudyTable

_OF_POSTERIORS = (BLUE, ORANGE, "#56B4E9", "#CC79A7")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """An estimate with its interval; nan where there is none."""

    estimate: float = np.nan
    low: float = np.nan
    high: float = np.nan

    @property
    def ends(self) -> tuple[float, float, float]:
        """Give the three numbers."""
        return self.estimate, self.low, self.high


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of the plot.

    Attributes
    ----------
    kind : {"head", "study", "pooled"}
    label : str
    counts : (str, str)
        Treated and control arm, "" where there are none.
    texts : (str, str)
        The two marks as text.
    mark : Mark
        Observed, or pooled.
    second : Mark
        Of a study: its effect as the exact posterior has it. Pooled: the prediction interval.
    weight : float
        Of a study, relative to the heaviest.
    colour : str
    """

    kind: Literal["head", "study", "pooled"]
    label: str
    counts: tuple[str, str] = ("", "")
    texts: tuple[str, str] = ("", "")
    mark: Mark = Mark()
    second: Mark = Mark()
    weight: float = 1.0
    colour: str = INK


def forest_lines(result: CrossCheck) -> tuple[Line, ...]:
    """Give the lines of a cross-check, from top to bottom."""
    return (*_studies(result), *_pooled(result))


def not_as_reported(result: CrossCheck) -> NDArray[np.bool_]:
    """Tell, per study, whether its effect is not simply that of the numbers reported.

    Made out of other numbers (medians, an assumed correlation), inflated for clusters, of a control
    arm that it shares, or with 1/2 added to zero cells: the notes say which.
    """
    if result.studies is None or result.effects is None:
        return np.zeros(0, dtype=np.bool_)
    design = result.studies.design()
    made = np.array([bool(text) for text in design.told])
    shared = (design.shared is not None) & (design.rows_of_control > 1)
    found: NDArray[np.bool_] = (
        made | (design.design_effect != 1) | shared | result.effects.corrected
    )
    return found


def _studies(result: CrossCheck) -> Iterator[Line]:
    effects, measure = result.effects, result.measure
    if effects is None:
        return
    low, high = study_intervals(effects, result.level)
    observed = measure.scale.to_natural(np.stack([effects.y, low, high], axis=1))
    v = effects.S if effects.S.ndim == 1 else np.diagonal(effects.S)
    label, shrunken = _shrunken(result, effects)
    decimals = _decimals(result)
    counts = _counts(result.studies, effects)
    marked = not_as_reported(result)
    yield Line(
        kind="head",
        label="Study",
        counts=counts[0],
        texts=(f"{measure.name} [{_percent(result)}]", label),
    )
    for i, study in enumerate(effects.study):
        yield Line(
            kind="study",
            label=f"{study}*" if marked[i] else study,
            counts=counts[i + 1],
            texts=(_text(observed[i], decimals), _text(shrunken[i], decimals)),
            mark=_mark(observed[i]),
            second=_mark(shrunken[i]),
            weight=float(v.min() / v[i]),
        )


def _pooled(result: CrossCheck) -> Iterator[Line]:
    to_natural, decimals = result.measure.scale.to_natural, _decimals(result)
    yield Line(
        kind="head",
        label="Pooled",
        texts=(f"{result.measure.name} [{_percent(result)}]", "prediction"),
    )
    exact = [row for row in result.rows if row.road == "exact"]
    colours = {row.label: _OF_POSTERIORS[i % 4] for i, row in enumerate(exact)}
    for row in result.rows:
        if row.road != "nuts":  # it agrees with the exact one, or the table says so
            numbers = np.array([row.estimate, row.ci_low, row.ci_high])
            new = np.array([np.nan, row.pi_low, row.pi_high])
            yield Line(
                kind="pooled",
                label=_label(row),
                texts=(
                    _text(to_natural(numbers), decimals) or "no estimate",
                    _text(to_natural(new), decimals),
                ),
                mark=_mark(to_natural(numbers)),
                second=_mark(to_natural(new)),
                colour=colours.get(row.label, GREY),
            )


def _label(row: Row) -> str:
    if row.road == "exact":
        return f"exact posterior, {row.method} likelihood"
    return row.label


def _shrunken(result: CrossCheck, effects: Effects) -> tuple[str, FloatArray]:
    """Give what the first exact posterior is called, and its effects of studies, (study, 3)."""
    for one in result.models:
        if one.exact is not None:
            table = one.exact.study_table(level=result.level)[["median", "low", "high"]]
            natural = result.measure.scale.to_natural(table.to_numpy(dtype=np.float64, copy=True))
            return f"shrunken ({one.name})", natural
    return "", np.full((len(effects.study), 3), np.nan)


def _counts(studies: StudyTable | None, effects: Effects) -> list[tuple[str, str]]:
    """Give events / patients of both arms, below the arms' names; "" for contrasts."""
    if studies is None or studies.layout != "binary" or studies.arms is None:
        return [("", "")] * (len(effects.study) + 1)
    c = studies.two_arm()
    treated = [f"{r}/{n}" for r, n in zip(c.events_treated, c.n_treated, strict=True)]
    control = [f"{_n(r)}/{_n(n)}" for r, n in zip(c.events_control, c.n_control, strict=True)]
    return [studies.arms, *zip(treated, control, strict=True)]


def _n(count: float) -> str:
    """Write a count, or the part of one that a study keeps of a shared arm."""
    return f"{count:.0f}" if float(count).is_integer() else f"{count:.1f}"


def _percent(result: CrossCheck) -> str:
    return f"{100 * result.level:g}% interval"


def _decimals(result: CrossCheck) -> int:
    """Two decimals for ratios, as they are printed; else three digits of the pooled effects."""
    if result.measure.scale.name == "log":
        return 2
    return choose_decimals(row.estimate for row in result.rows)


def _mark(numbers: FloatArray) -> Mark:
    estimate, low, high = map(float, numbers)
    return Mark(estimate=estimate, low=low, high=high)


def _text(numbers: FloatArray, decimals: int) -> str:
    estimate, low, high = (show(float(number), decimals) for number in numbers)
    if NONE in (low, high):
        return ""
    return f"[{low}, {high}]" if estimate == NONE else f"{estimate} [{low}, {high}]"
