"""Text on plots: fonts that have its letters, its width, and numbers whose digits line up."""

import warnings
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, cast

import numpy as np

from bayesmeta.digits import NONE
from bayesmeta.scales import FloatArray

_DIGIT, _MINUS = "\u2007", "\u2004"  # spaces of the width of a digit, about that of a minus
_UNLIKE = 6  # half digits: limits that differ more in length are not lined up
_HALF = ".,-[]() " + _MINUS  # letters of half the width of a digit
_OTHER_SCRIPTS = (
    "Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans CJK KR", "Source Han Sans SC",
    "WenQuanYi Micro Hei", "WenQuanYi Zen Hei", "PingFang SC", "Hiragino Sans",
    "Hiragino Sans GB", "Microsoft YaHei", "Yu Gothic", "Malgun Gothic", "Arial Unicode MS",
    "Noto Sans Devanagari", "Noto Sans Thai", "Noto Sans", "Droid Sans Fallback",
)  # fmt: skip


def font_families() -> list[str]:
    """Give the font of the settings, then those on this computer that have other scripts.

    Text in a script that none of them has is drawn as boxes, and Matplotlib warns.
    """
    import matplotlib as mpl

    return [*mpl.rcParams["font.family"], *_other_scripts()]


@cache
def _other_scripts() -> tuple[str, ...]:
    from matplotlib.font_manager import fontManager

    installed = {font.name for font in fontManager.ttflist}
    return tuple(name for name in _OTHER_SCRIPTS if name in installed)


def text_width(texts: Iterable[str], size: float, *, bold: bool = False) -> float:
    """Measure the widest of these texts, line by line, in points; 0 where all are empty."""
    from matplotlib.backends.backend_agg import RendererAgg
    from matplotlib.font_manager import FontProperties

    lines = {line for text in texts for line in text.split("\n") if line}
    longest = sorted(lines, key=lambda line: (len(line), line))[-12:]  # measuring takes a while
    font = FontProperties(
        family=font_families(), weight="bold" if bold else "normal", size=10 * size
    )
    renderer = cast(Any, RendererAgg)(1, 1, 72)  # it has no types
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of missing letters: told when it is drawn
        widths = [
            renderer.get_text_width_height_descent(line, font, ismath=False)[0] for line in longest
        ]
    return max(widths, default=0.0) / 10


def show_ratio(value: float) -> str:
    """Write a ratio as it is printed: two decimals, more where these would be no digits.

    Examples
    --------
    >>> [show_ratio(ratio) for ratio in (0.4787, 0.00341, 12.5, 3456.7, float("inf"))]
    ['0.48', '0.0034', '12.50', '3457', 'inf']
    """
    if np.isnan(value):
        return NONE
    if value >= 1e5 or 0 < value < 1e-4:
        return f"{value:.2g}"
    if value >= 1000:
        return f"{value:.0f}"
    return f"{value:.2g}" if 0 < value < 0.01 else f"{value:.2f}"


def align_intervals(rows: Sequence[tuple[str, str, str]], *, to: str = ", ") -> list[str]:
    r"""Write "estimate [low, high]" so that the points of all rows stand below each other.

    They are written for a column that is aligned at the right. Limits have their whole digits below
    each other, and a bracket that is shorter than others stands further from its estimate. Where
    numbers are so unlike that this would tear them apart, nothing is filled up.

    Parameters
    ----------
    rows : sequence of (str, str, str)
        Estimate, low, high; "-" for an estimate that is left out, or a row without an interval.
    to : str
        Between the limits; with ", " they stand in brackets, else in parentheses.

    Examples
    --------
    >>> rows = [("0.48", "0.32", "0.70"), ("-", "-", "-"), ("9.30", "1.20", "72.00")]
    >>> [row.replace("\u2007", "_") for row in align_intervals(rows)]
    ['0.48 [0.32, _0.70]', '', '9.30 [1.20, 72.00]']
    >>> rows = [("0.17", "0.0068", "4.19"), ("1.06", "0.10", "1.75")]
    >>> [row.replace("\u2007", "_") for row in align_intervals(rows)]
    ['0.17 [0.0068, 4.19]', '1.06__ [0.10, 1.75]']
    >>> rows = [("0.12", "0.09", "0.16"), ("-0.05", "-0.20", "0.16")]
    >>> [row.replace("\u2004", "~") for row in align_intervals(rows)]
    ['0.12 [~0.09, 0.16]', '-0.05 [-0.20, 0.16]']
    """
    first, last = "[]" if to == ", " else "()"
    shown = [row for row in rows if NONE not in row[1:]]
    wholes = [max((_places(_whole(row[i])) for row in shown), default=0) for i in (1, 2)]
    even = not any("e" in text for row in shown for text in row) and all(
        whole - min(_places(_whole(row[i])) for row in shown) <= _UNLIKE
        for i, whole in zip((1, 2), wholes, strict=True)
        if shown
    )
    brackets, behind = [], []  # and what the fraction of the estimate lacks
    for estimate, low, high in rows:
        if even:
            low, high = (
                _pad(whole - _places(_whole(text))) + text
                for whole, text in zip(wholes, (low, high), strict=True)
            )
        brackets.append(f"{first}{low}{to}{high}{last}")
        behind.append(_places(estimate) - _places(_whole(estimate)))
    there = [i for i, row in enumerate(rows) if NONE not in row[1:]]
    widest = max((_places(brackets[i]) for i in there), default=0)
    finest = max((behind[i] for i in there if rows[i][0] != NONE), default=0)

    def write(i: int) -> str:
        if i not in there:
            return "" if rows[i][0] == NONE else rows[i][0]
        if rows[i][0] == NONE:
            return brackets[i]
        lacking = widest - _places(brackets[i]) + finest - behind[i] if even else 0
        return f"{rows[i][0]}{_pad(lacking)} {brackets[i]}"

    return [write(i) for i in range(len(rows))]


def _whole(text: str) -> str:
    return text.partition(".")[0]


def _places(text: str) -> int:
    """Measure a number in half digits: points, commas and a minus are about one wide."""
    return sum(1 if letter in _HALF else 2 for letter in text)


def _pad(places: int) -> str:
    digits, half = divmod(max(0, places), 2)
    return _DIGIT * digits + _MINUS * half


def plain(text: str) -> str:
    r"""Take the padding out again.

    Examples
    --------
    >>> plain("0.48 [0.32, \u20070.70]")
    '0.48 [0.32, 0.70]'
    """
    return text.replace(_DIGIT, "").replace(_MINUS, "")


def show_numbers(numbers: FloatArray, decimals: int | None) -> tuple[str, str, str]:
    """Write estimate and limits: `decimals` of them, or as ratios (None)."""
    from bayesmeta.digits import show

    texts = [
        show_ratio(float(x)) if decimals is None else show(float(x), decimals) for x in numbers
    ]
    return texts[0], texts[1], texts[2]
