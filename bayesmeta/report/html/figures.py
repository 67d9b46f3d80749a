"""The figures of a page: which there are, and each as inline SVG."""

import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from bayesmeta.checks.crosscheck import CrossCheck
from bayesmeta.plots.forest_plot import forest
from bayesmeta.report.html.outcome_tables import forest_page_table
from bayesmeta.report.html.table import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A kind of figure.

    Attributes
    ----------
    name, title : str
    draw : callable
        A plot function: a cross-check to the axes it is drawn on.
    table : callable
        The same cross-check to the numbers of the figure.
    fits : callable
        Whether there is something to draw.
    """

    name: str
    title: str
    draw: Callable[[CrossCheck], "Axes"]
    table: Callable[[CrossCheck], Table]
    fits: Callable[[CrossCheck], bool] = lambda _: True


_FINER = re.compile(r"(\d+\.\d{2})\d+")  # a hundredth of a point is not seen

FIGURES = (Figure(name="forest", title="Forest plot", draw=forest, table=forest_page_table),)


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnFigure:
    """A figure of an outcome: its SVG and its table."""

    title: str
    svg: str
    table: Table


def draw_figures(result: CrossCheck, place: str) -> tuple[DrawnFigure, ...]:
    """Draw all figures that fit an outcome; `place` makes their ids unique on the page."""
    drawn = []
    for figure in FIGURES:
        if figure.fits(result):
            about = f"{figure.title}: {result.outcome or result.measure.label}"
            svg = as_inline_svg(figure.draw(result), about, f"{place}-{figure.name}")
            drawn.append(DrawnFigure(title=figure.title, svg=svg, table=figure.table(result)))
    return tuple(drawn)


def as_inline_svg(ax: "Axes", about: str, place: str) -> str:
    """Give the figure of these axes as an SVG element that a page can hold.

    Parameters
    ----------
    ax : Axes
    about : str
        What is seen; its title for those who hear the page.
    place : str
        In front of every id in it, so that two figures of one page do not share one.

    Returns
    -------
    str
        Letters are outlines, so that it looks the same everywhere; no colours but the figure's.
    """
    import matplotlib as mpl

    figure = ax.get_figure(root=True)
    if figure is None:
        raise ValueError("The axes have no figure.")
    held = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "path", "svg.hashsalt": "bayesmeta"}):
        figure.savefig(held, format="svg", metadata={"Date": None, "Creator": None})
    width = figure.get_figwidth() * 72
    svg = held.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"\s*<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = _name_apart(svg, place)
    svg = re.sub(r' d="[^"]*"', lambda path: _FINER.sub(r"\1", path[0]), svg)
    opening = (
        f'<svg viewBox="0 0 {width:.2f} {figure.get_figheight() * 72:.2f}" '
        f'style="width:{width:.0f}pt" role="img" aria-labelledby="{place}-title" '
        'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">'
        f'<title id="{place}-title">{escape(about)}. Its numbers are in the table below.</title>'
    )
    return re.sub(r"^<svg.*?>", lambda _: opening, svg, count=1, flags=re.DOTALL)


def _name_apart(svg: str, place: str) -> str:
    """Keep the ids that something in the figure refers to, with `place` in front of them."""
    used = set(re.findall(r"(?:href=\"#|url\(#)([^\")]+)", svg))
    svg = re.sub(
        r' id="([^"]*)"', lambda one: f' id="{place}-{one[1]}"' if one[1] in used else "", svg
    )
    return re.sub(r'(href="#|url\(#)', rf"\1{place}-", svg)
