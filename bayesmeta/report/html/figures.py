"""The figures of a page: which there are, and each as inline SVG."""

import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, cast

from bayesmeta.checks.bridge import Bridge
from bayesmeta.checks.crosscheck import CrossCheck
from bayesmeta.inference.posterior import Posterior
from bayesmeta.model import has_known_tau
from bayesmeta.plots.bridge_plot import bridge
from bayesmeta.plots.figures import without_pyplot
from bayesmeta.plots.forest_plot import forest
from bayesmeta.plots.funnel_plot import funnel
from bayesmeta.plots.prior_posterior_plot import Parameter, prior_posterior
from bayesmeta.plots.why_they_differ_plot import why_they_differ
from bayesmeta.priors import Fixed
from bayesmeta.report.html.figure_tables import (
    FUNNEL_FROM,
    first_exact,
    funnel_page_table,
    prior_posterior_page_table,
    why_page_table,
)
from bayesmeta.report.html.outcome_tables import bridge_page_table, forest_page_table
from bayesmeta.report.html.table import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Subject:
    """What the figures of an outcome show.

    Attributes
    ----------
    result : CrossCheck
    bridge : Bridge or None
    forest : Axes or None
        The forest plot, where it is drawn already.
    """

    result: CrossCheck
    bridge: Bridge | None = None
    forest: "Axes | None" = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A kind of figure.

    Attributes
    ----------
    name, title : str
    draw : callable
        A subject to the axes it is drawn on.
    table : callable
        The same subject to the numbers of the figure.
    fits : callable
        Whether there is something to draw.
    always : bool
        Whether a page of many outcomes has it too.
    """

    name: str
    title: str
    draw: Callable[[Subject], "Axes"]
    table: Callable[[Subject], Table]
    fits: Callable[[Subject], bool] = lambda _: True
    always: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnFigure:
    """A figure of an outcome: its SVG and its table."""

    name: str
    title: str
    svg: str
    table: Table


def _bridge_of(subject: Subject) -> Bridge:
    assert subject.bridge is not None
    return subject.bridge


def _exact_of(subject: Subject) -> Posterior:
    posterior = first_exact(subject.result)
    assert posterior is not None
    return posterior


def _draw_funnel(subject: Subject) -> "Axes":
    assert subject.result.effects is not None
    return funnel(subject.result.effects)


def _many(subject: Subject) -> bool:
    """Tell whether there are several studies with data: what one study adds, its words say."""
    return subject.result.studies is not None and (subject.result.k or 0) > 1


def _has_gaussian(subject: Subject) -> bool:
    models = subject.result.models
    found = any(one.exact is not None and one.exact.engine == "gaussian" for one in models)
    return _many(subject) and found


def _estimated(subject: Subject) -> tuple[Parameter, ...]:
    """Give what the first posterior finds out: mu, tau, both or none of them."""
    posterior = first_exact(subject.result)
    if posterior is None or not _many(subject):
        return ()
    model = posterior.bound.model
    known = {"mu": isinstance(model.effect, Fixed), "tau": has_known_tau(model)}
    names: tuple[Parameter, ...] = ("mu", "tau")
    return tuple(name for name in names if not known[name])


def _draw_priors(subject: Subject) -> "Axes":
    """Draw mu and tau beside each other."""
    from matplotlib.figure import Figure as Sheet

    posterior, names = _exact_of(subject), _estimated(subject)
    width, height = 4.6 * len(names), 3.4  # inches
    sheet = Sheet(figsize=(width, height), dpi=150)
    places = sheet.subplots(1, len(names), squeeze=False)[0]
    sheet.subplots_adjust(left=0.65 / width, right=1 - 0.15 / width, wspace=0.22,
                          bottom=0.55 / height, top=1 - 0.55 / height)  # fmt: skip
    for name, ax in zip(names, places, strict=True):
        prior_posterior(posterior, name, level=subject.result.level, ax=ax)
    return cast("Axes", places[0])


FIGURES = (
    Figure(
        name="forest",
        title="Forest plot",
        draw=lambda one: forest(one.result) if one.forest is None else one.forest,
        table=lambda one: forest_page_table(one.result),
        always=True,
    ),
    Figure(
        name="bridge",
        title="Bridge",
        draw=lambda one: bridge(_bridge_of(one)),
        table=lambda one: bridge_page_table(_bridge_of(one)),
        fits=lambda one: one.bridge is not None,
    ),
    Figure(
        name="why-they-differ",
        title="Why the methods differ",
        draw=lambda one: why_they_differ(one.result)[0],
        table=lambda one: why_page_table(one.result),
        fits=_has_gaussian,
    ),
    Figure(
        name="prior-posterior",
        title="Posterior against prior",
        draw=_draw_priors,
        table=lambda one: prior_posterior_page_table(one.result, _estimated(one)),
        fits=lambda one: bool(_estimated(one)),
    ),
    Figure(
        name="funnel",
        title="Funnel plot",
        draw=_draw_funnel,
        table=lambda one: funnel_page_table(one.result),
        fits=lambda one: _many(one) and (one.result.k or 0) >= FUNNEL_FROM,
    ),
)  # in the order of the page; a new one needs a line here


MANY = 6  # outcomes; a page of more has the forest plots alone


@without_pyplot()
def draw_figures(subject: Subject, place: str, *, many: bool = False) -> tuple[DrawnFigure, ...]:
    """Draw the figures that fit an outcome.

    Parameters
    ----------
    subject : Subject
    place : str
        Makes their ids unique on the page.
    many : bool
        Whether the page has many outcomes, and only those figures that are always on it.
    """
    drawn = []
    for figure in FIGURES:
        if figure.fits(subject) and (figure.always or not many):
            result = subject.result
            about = f"{figure.title}: {result.outcome or result.measure.label}"
            drawn.append(
                DrawnFigure(
                    name=figure.name,
                    title=figure.title,
                    svg=as_inline_svg(figure.draw(subject), about, f"{place}-{figure.name}"),
                    table=figure.table(subject),
                )
            )
    return tuple(drawn)


_FINER = re.compile(r"(\d+\.\d{2})\d+")  # a hundredth of a point is not seen


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
