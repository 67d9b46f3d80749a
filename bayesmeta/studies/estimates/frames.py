"""From printed estimates to effects with standard errors, and how each came about, in words."""

import numpy as np
import pandas as pd

from bayesmeta.studies.estimates.parse import Estimates, Numbers
from bayesmeta.studies.estimates.spread import Range, digits_of, two_sided_p

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
    sources = _sources(table)
    written = {one: all(part.written for part in _parts(table, one)) for one in set(sources)}
    known = np.array([written[one] for one in sources], dtype=np.bool_)
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
    how = _how(table, sources)
    notes = [
        _note(table, i, how[i], given=source in ("se", "variance"), digits=digits[i],
              ends=(low[i], high[i]))
        for i, source in enumerate(sources)
    ]  # fmt: skip
    provenance = pd.DataFrame(
        {"how": how, "se_low": low, "se_high": high, "note": notes}, index=index
    )
    return frame, provenance


def _sources(table: Estimates) -> list[str]:
    """Name where the standard error of each row comes from: "se", "variance", "interval", "p"."""
    of_se = np.full(len(table.z), np.nan) if table.se is None else table.se.range.value
    there = [~np.isnan(x) for x in (of_se, table.of_se.value, table.of_interval.value)]
    names: list[str] = np.select(there, ["se", "variance", "interval"], "p").tolist()
    return names


def _parts(table: Estimates, source: str) -> tuple[Numbers, ...]:
    """Give the columns that a standard error was made of."""
    parts = {
        "se": (table.se,),
        "variance": (table.variance,),
        "interval": (table.estimate, table.ci_low, table.ci_high),
        "p": (table.estimate, table.p),
    }[source]
    return tuple(part for part in parts if part is not None)


def _how(table: Estimates, sources: list[str]) -> list[str]:
    """Say in words where the standard error of each row comes from."""
    out = []
    for i, source in enumerate(sources):
        parts = _parts(table, source)
        if source == "p":
            out.append(f"from p = {parts[1].texts[i]}")
        elif source == "interval":
            low, high = parts[1:]
            percent = f"{100 * table.coverage[i]:.6g}%"
            limits = f"{low.texts[i]} to {high.texts[i]}"
            out.append(f"from the {percent} interval {limits}{_rounding((low, high), i)}")
        else:
            name = "standard error" if source == "se" else "variance"
            out.append(f"{name} as given{_rounding(parts, i)}")
    return out


def _rounding(parts: tuple[Numbers, ...], i: int) -> str:
    """Say to how many decimals numbers are printed, where their author's text is known."""
    if not all(part.written for part in parts):
        return ""
    decimals = int(max(part.decimals[i] for part in parts))
    return f", printed to {decimals} decimal{'' if decimals == 1 else 's'}"


def _note(
    table: Estimates, i: int, how: str, *, given: bool, digits: float, ends: tuple[float, float]
) -> str:
    """Say what a reader of the effect should know; "" where there is nothing to say."""
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
        printed = "" if table.p is None else table.p.texts[i]
        parts.append(f"p is printed as {printed}, Wald's is {p:.2g}")
    return "; ".join(parts)


def _row(numbers: Range, i: int) -> Range:
    return Range(
        value=numbers.value[i : i + 1], low=numbers.low[i : i + 1], high=numbers.high[i : i + 1]
    )
