"""From printed estimates to effects with standard errors, and how each came about, in words."""

import math

import numpy as np
import pandas as pd

from bayesmeta.printed import Printed
from bayesmeta.studies.estimates.parse import Estimates
from bayesmeta.studies.estimates.spread import BoolArray, Range, digits_of, two_sided_p

_SURE_DIGITS = 2  # a standard error known to more digits needs no remark


def estimate_frames(table: Estimates) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Give the contrasts, and where the standard error of each comes from.

    Parameters
    ----------
    table : Estimates
        Without problems.

    Returns
    -------
    DataFrame, DataFrame
        study, outcome, estimate, se, variance; and how, se_low, se_high, note. The index is the
        row of the cells.
    """
    cells, index = table.cells.frame, table.cells.frame.index
    se = table.chosen
    variance = se.value**2
    if table.variance is not None:
        given = table.variance.range.value
        variance = np.where(np.isnan(given), variance, given)
    known = _known(table)
    low, high = (np.where(known, end, np.nan) for end in (se.low, se.high))
    frame = pd.DataFrame(
        {
            "study": cells["study"],
            "outcome": cells.get("outcome", ""),
            "estimate": table.effect.value,
            "se": se.value,
            "variance": variance,
        },
        index=index,
    )
    digits = digits_of(Range(value=se.value, low=low, high=high))
    how = [_how(table, i) for i in range(len(index))]
    notes = [_note(table, i, how[i], (low[i], high[i]), digits[i]) for i in range(len(index))]
    provenance = pd.DataFrame(
        {"how": how, "se_low": low, "se_high": high, "note": notes}, index=index
    )
    return frame, provenance


def source_of(table: Estimates, i: int) -> str:
    """Name where the standard error of a row comes from: "se", "variance", "interval" or "p"."""
    if table.se is not None and not np.isnan(table.se.range.value[i]):
        return "se"
    if not np.isnan(table.of_se.value[i]):
        return "variance"
    return "interval" if not np.isnan(table.of_interval.value[i]) else "p"


def decimals_of(text: str) -> int:
    """Count the decimals of a printed number.

    Examples
    --------
    >>> decimals_of("2.41"), decimals_of("3"), decimals_of("1e-3")
    (2, 0, 3)
    """
    return max(0, -round(math.log10(2 * Printed.parse(text).half_unit)))


def _known(table: Estimates) -> BoolArray:
    """Say where the digits of what the standard error was made of are its author's."""
    known = []
    for i in range(len(table.z)):
        source = source_of(table, i)
        used = {
            "se": (table.se,),
            "variance": (table.variance,),
            "interval": (table.estimate, table.ci_low, table.ci_high),
            "p": (table.estimate, table.p),
        }[source]
        known.append(all(part is not None and part.written for part in used))
    return np.array(known, dtype=np.bool_)


def _how(table: Estimates, i: int) -> str:
    """Say in words where the standard error of a row comes from."""
    columns, frame = table.columns, table.cells.frame

    def text(column: str | None) -> str:
        return str(frame[column].iloc[i])

    def rounding(*names: str | None) -> str:
        if not all(name in table.cells.written for name in names):
            return ""
        decimals = max(decimals_of(text(name)) for name in names)
        return f", printed to {decimals} decimal{'' if decimals == 1 else 's'}"

    source = source_of(table, i)
    if source == "se":
        return f"standard error as given{rounding(columns.se)}"
    if source == "variance":
        return f"variance as given{rounding(columns.variance)}"
    if source == "interval":
        low, high = text(columns.ci_low), text(columns.ci_high)
        percent = f"{100 * table.coverage[i]:.6g}%"
        told = rounding(columns.ci_low, columns.ci_high)
        return f"from the {percent} interval {low} to {high}{told}"
    return f"from p = {text(columns.p)}"


def _note(table: Estimates, i: int, how: str, ends: tuple[float, float], digits: float) -> str:
    """Say what a reader of the effect should know; "" where there is nothing to say."""
    given = source_of(table, i) in ("se", "variance")
    parts = []
    if not given:
        parts.append(f"SE {how}")
    if not np.isnan(digits) and digits <= (_SURE_DIGITS - 1 if given else _SURE_DIGITS):
        sure = {1: "1 digit", 2: "2 digits"}.get(int(digits), "less than a digit")
        subject = f"{how}, is" if given else "SE"
        parts.append(f"{subject} good to {sure} ({ends[0]:.4g} to {ends[1]:.4g})")
    if given and table.asymmetric[i]:
        parts.append("its interval is not symmetric and was not used")
    if given and not np.isnan(table.of_interval.value[i]) and not table.asymmetric[i]:
        one, other = _row(table.of_se, i), _row(table.of_interval, i)
        if not one.overlaps(other)[0]:
            parts.append(f"its interval would give SE {other.value[0]:.3g}")
    if table.p_gap[i] > 0:
        z = table.effect.value[i] / table.chosen.value[i]
        p = float(two_sided_p(np.asarray(z)))
        printed = "" if table.p is None else str(table.cells.frame[table.p.name].iloc[i])
        parts.append(f"p is printed as {printed}, Wald's is {p:.2g}")
    return "; ".join(parts)


def _row(numbers: Range, i: int) -> Range:
    return Range(
        value=numbers.value[i : i + 1], low=numbers.low[i : i + 1], high=numbers.high[i : i + 1]
    )
