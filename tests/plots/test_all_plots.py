"""What holds for every plot: axes in, axes out, figures of pyplot or of nobody, nothing outside."""

import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from plots.cases import NEEDS_TWO, PLOTS

import bayesmeta as bm

OTHERS = [name for name in PLOTS if name != "forest"]
MANY = {"refits": 60, "risk_of_bias": 60}  # a row each: one plot with 200 rows is enough
SHEETS = [
    (name, k)
    for name in OTHERS
    for k in (1, 2, 13, MANY.get(name, 200))
    if k > 1 or name not in NEEDS_TWO
]


def draw(ax):
    canvas = FigureCanvasAgg(ax.figure)
    canvas.draw()
    return canvas.get_renderer()


def overlapping(boxes):
    """Pairs of boxes that share more than a line."""
    low, high = (np.array([getattr(box, end) for box in boxes]) for end in ("min", "max"))
    shared = np.minimum(high[:, None], high) - np.maximum(low[:, None], low)
    return np.argwhere(np.triu((shared > 0.5).all(-1), 1)).tolist()


@pytest.mark.slow
@pytest.mark.parametrize(("name", "k"), SHEETS)
def test_no_text_leaves_the_figure_or_lies_on_another(name, k):
    ax = getattr(bm.plots, name)(**PLOTS[name](k))
    renderer = draw(ax)
    width, height = ax.figure.bbox.size
    labels = [*ax.get_xticklabels(), *ax.get_yticklabels(), ax.xaxis.label, ax.yaxis.label]
    texts = [text for text in (*ax.texts, *labels) if text.get_text() and text.get_visible()]
    limits = {"x": sorted(ax.get_xlim()), "y": sorted(ax.get_ylim())}
    boxes = []
    for text in texts:
        for which, ticks in (("x", ax.get_xticklabels()), ("y", ax.get_yticklabels())):
            at = text.get_position()[which == "y"]
            if text in ticks and not limits[which][0] <= at <= limits[which][1]:
                break  # a tick label that is not drawn
        else:
            boxes.append(text.get_window_extent(renderer))
    assert all(b.x0 >= -1 and b.x1 <= width + 1 for b in boxes)
    assert all(b.y0 >= -1 and b.y1 <= height + 1 for b in boxes)
    assert overlapping(boxes) == []


@pytest.mark.parametrize("name", OTHERS)
def test_axes_that_are_given_are_drawn_on_and_returned(name):
    ax = Figure().add_subplot()
    assert getattr(bm.plots, name)(**PLOTS[name](13), ax=ax) is ax
    assert ax.has_data()


@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_figures_are_written_in_three_formats(kind, tmp_path):
    ax = bm.plots.funnel(**PLOTS["funnel"](13))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ax.figure.savefig(tmp_path / f"funnel.{kind}")
    assert (tmp_path / f"funnel.{kind}").stat().st_size > 5000


def test_every_plot_is_in_the_table_of_these_tests():
    assert set(PLOTS) <= set(dir(bm.plots))
    assert {name for name in dir(bm.plots) if name not in PLOTS} <= {"bridge", "why_they_differ"}


def test_type_checkers_see_every_plot():
    text = Path(bm.plots.__file__).read_text(encoding="utf-8")
    for name in dir(bm.plots):
        assert f"bayesmeta.plots.{name}_plot import" in text
        assert f" as {name}" in text


@pytest.mark.slow
def test_plots_do_without_pyplot_if_they_are_told_to():
    code = """
import sys
import bayesmeta as bm
from bayesmeta.plots.figures import without_pyplot
post = bm.fit(bm.Model(measure="OR", likelihood=bm.NormalLikelihood(), effect=bm.Normal(0, 2.82),
                       heterogeneity=bm.HalfNormal(0.5)), bm.load("bcg"))
with without_pyplot():
    for plot in (bm.plots.joint, bm.plots.shrinkage, bm.plots.probability_curve):
        plot(post)
    bm.plots.funnel(bm.compute_effects(bm.load("bcg"), "OR"))
for name in dir(bm.plots):
    getattr(bm.plots, name)
assert "matplotlib.pyplot" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", ["funnel", "shrinkage", "risk_of_bias"])
def test_a_new_figure_is_the_current_one_of_pyplot(name):
    ax = getattr(bm.plots, name)(**PLOTS[name](2))
    assert plt.gcf() is ax.figure


def test_an_unknown_plot_is_told_with_those_there_are():
    with pytest.raises(AttributeError, match=r"no 'funnle'.*funnel"):
        bm.plots.funnle  # noqa: B018
