"""Estimates as papers give them: what each row says of its own precision."""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from bayesmeta.printed import Printed
from bayesmeta.scales import FloatArray
from bayesmeta.studies.cells import Cells
from bayesmeta.studies.estimates.columns import EstimateColumns, coverages
from bayesmeta.studies.estimates.spread import (
    BoolArray,
    Range,
    spread_of_interval,
    spread_of_p,
    z_of,
    z_of_p,
)
from bayesmeta.studies.rules import MISSING

_P_SLACK = 0.1  # of z (or of 1): so far may a score, likelihood-ratio or t test be from Wald's

_SMALLEST = np.finfo(np.float64).tiny


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Numbers:
    """The numbers of one column.

    Attributes
    ----------
    name : str
        Of the column.
    texts : tuple of str
        The cells.
    range : Range
        Values, and between what bounds their digits leave them; NaN where there is no number.
    decimals : (row,)
        Decimals printed, as whole numbers; 0 where there is no number.
    blank, bound, bad : (row,)
        Cells without text; with "<" or ">" before the number; with text that is no number.
    written : bool
        The digits are those of the author, so that they tell the rounding.
    """

    name: str
    texts: tuple[str, ...]
    range: Range
    decimals: FloatArray
    blank: BoolArray
    bound: BoolArray
    bad: BoolArray
    written: bool


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Estimates:
    """Everything that a table of estimates says, not yet judged.

    Attributes
    ----------
    cells : Cells
    columns : EstimateColumns
    estimate, se, variance, ci_low, ci_high, p : Numbers or None
        As printed.
    effect : Range
        Estimates on the analysis scale.
    of_se, of_interval, of_p : Range
        Standard errors that follow from each source; NaN where a row does not have it.
    coverage, z : (row,)
        Coverage of the intervals, and the normal quantile that belongs to it.
    unknown_level : tuple of int
        Rows whose level is no coverage.
    chosen : Range
        Standard error of every row, from the first source that it has: se, interval, p.
    asymmetric : (row,)
        Rows whose interval is not symmetric about its estimate, whatever the rounding.
    p_gap : (row,)
        How far the z of the printed p is from that of estimate and SE, beyond all rounding; NaN
        where one of them is missing.
    p_contradicts : (row,)
        Rows whose p-value no test of this estimate and SE would give.
    """

    cells: Cells
    columns: EstimateColumns
    estimate: Numbers
    se: Numbers | None
    variance: Numbers | None
    ci_low: Numbers | None
    ci_high: Numbers | None
    p: Numbers | None
    effect: Range
    of_se: Range
    of_interval: Range
    of_p: Range
    coverage: FloatArray
    z: FloatArray
    unknown_level: tuple[int, ...]
    chosen: Range
    asymmetric: BoolArray
    p_gap: FloatArray
    p_contradicts: BoolArray


def parse_estimates(cells: Cells, columns: EstimateColumns) -> Estimates:
    """Read the numbers of a table of estimates, and work out every standard error they give.

    Parameters
    ----------
    cells : Cells
        The table.
    columns : EstimateColumns
        Its columns.

    Returns
    -------
    Estimates
        Cells that hold no number are NaN and marked.
    """
    found = {
        part: None if name is None else _numbers(cells, name)
        for part in ("se", "variance", "ci_low", "ci_high", "p")
        for name in [getattr(columns, part)]
    }
    estimate = _numbers(cells, columns.estimate)
    coverage, unknown = coverages(cells, columns)
    z = np.asarray(ndtri((1 + coverage) / 2), dtype=np.float64)
    none = _nothing(len(z))
    effect = estimate.range.log() if columns.ratio else estimate.range
    low, high, p = found["ci_low"], found["ci_high"], found["p"]
    of_interval = of_p = none
    if low is not None and high is not None:
        below, above = (x.range.log() if columns.ratio else x.range for x in (low, high))
        of_interval = spread_of_interval(effect, below, above, z)
    if p is not None:
        of_p = spread_of_p(effect, _where(~p.bound, p.range))
    of_se = _given_se(found["se"], found["variance"], none)
    direct = _first(of_se, of_interval)
    gap, contradicts = _hold_against(p, z_of(effect, direct))
    return Estimates(
        cells=cells,
        columns=columns,
        estimate=estimate,
        **found,
        effect=effect,
        of_se=of_se,
        of_interval=of_interval,
        of_p=of_p,
        coverage=coverage,
        z=z,
        unknown_level=tuple(unknown),
        chosen=_first(direct, of_p),
        asymmetric=of_interval.low > of_interval.high,
        p_gap=gap,
        p_contradicts=contradicts,
    )


def _numbers(cells: Cells, name: str) -> Numbers:
    k, texts = len(cells.frame), tuple(cells.frame[name].tolist())
    value, low, high = (np.full(k, np.nan) for _ in range(3))
    half_unit = np.full(k, 0.5)
    blank, bound, bad = (np.zeros(k, dtype=np.bool_) for _ in range(3))
    for i, text in enumerate(texts):
        if text.lower() in MISSING or i in cells.broken:
            blank[i] = True
            continue
        try:
            printed = Printed.parse(text)
        except ValueError:
            bad[i] = True
            continue
        bound[i] = printed.bound != "exact"
        value[i], low[i], high[i] = printed.value, printed.low, printed.high
        half_unit[i] = printed.half_unit
    return Numbers(
        name=name,
        texts=texts,
        range=Range(value=value, low=low, high=high),
        decimals=np.maximum(0, -np.rint(np.log10(np.maximum(2 * half_unit, _SMALLEST)))),
        blank=blank,
        bound=bound,
        bad=bad,
        written=name in cells.written,
    )


def _given_se(se: Numbers | None, variance: Numbers | None, none: Range) -> Range:
    """Give standard errors as printed, else as roots of the variances."""
    found = none
    if variance is not None:
        v = variance.range
        with np.errstate(invalid="ignore"):
            found = Range(
                value=np.sqrt(v.value), low=np.sqrt(np.maximum(v.low, 0)), high=np.sqrt(v.high)
            )
    if se is not None:
        s = se.range
        found = _first(Range(value=s.value, low=np.maximum(s.low, 0), high=s.high), found)
    return found


def _first(better: Range, other: Range) -> Range:
    """Give the one where a row has it, else the other."""
    has = ~np.isnan(better.value)
    return Range(
        value=np.where(has, better.value, other.value),
        low=np.where(has, better.low, other.low),
        high=np.where(has, better.high, other.high),
    )


def _hold_against(p: Numbers | None, computed: Range) -> tuple[FloatArray, BoolArray]:
    """Give how far the z of printed p-values is from that of estimate and SE, and where too far."""
    if p is None:
        k = len(computed.value)
        return np.full(k, np.nan), np.zeros(k, dtype=np.bool_)
    printed = z_of_p(p.range)
    with np.errstate(invalid="ignore"):
        gap = np.maximum(computed.low - printed.high, printed.low - computed.high)
        return gap, gap > _P_SLACK * np.maximum(1, printed.low)


def _where(keep: BoolArray, numbers: Range) -> Range:
    """Keep some numbers, NaN for the others."""
    parts = (numbers.value, numbers.low, numbers.high)
    value, low, high = (np.where(keep, part, np.nan) for part in parts)
    return Range(value=value, low=low, high=high)


def _nothing(k: int) -> Range:
    nan = np.full(k, np.nan)
    return Range(value=nan, low=nan, high=nan)
