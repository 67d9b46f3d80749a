"""The bridge ladder, by what is on its axes."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.testing import assert_allclose

import bayesmeta as bm
from bayesmeta.plots.texts import plain

NORMAL = bm.Model(
    measure="OR",
    likelihood=bm.NormalLikelihood(),
    effect=bm.Normal(0, 2.82),
    heterogeneity=bm.HalfNormal(0.5),
)


@pytest.fixture(scope="module")
def walk():
    row = bm.PublishedRow(
        estimate=bm.Printed.parse("0.50"),
        ci=(bm.Printed.parse("0.30"), bm.Printed.parse("0.800")),
        model="random",
    )
    return bm.bridge(NORMAL, bm.load("bcg"), published=row)


@pytest.fixture(scope="module")
def ax(walk):
    return bm.plots.bridge(walk)


@pytest.fixture(scope="module")
def lone():
    frame = pd.DataFrame({"study": ["A"], "ai": [3], "n1i": [30], "ci": [8], "n2i": [31]})
    return bm.bridge(NORMAL, bm.read_studies(frame))


def artists(ax, gid):
    return [artist for artist in ax.get_children() if artist.get_gid() == gid]


def texts_of(ax):
    return [plain(text.get_text()) for text in ax.texts]


def test_every_step_has_its_estimate_in_its_row(walk, ax):
    drawn = [(mark.get_xdata()[0], mark.get_ydata()[0]) for mark in artists(ax, "estimate")]
    frame = walk.to_frame()
    assert_allclose(drawn, np.stack([frame["natural_estimate"], np.arange(len(frame))], axis=1))


def test_behind_each_step_is_the_interval_of_the_one_before(walk, ax):
    bands = artists(ax, "before")
    ends = [band.get_paths()[0].get_extents().intervalx for band in bands]
    frame = walk.to_frame()[["natural_ci_low", "natural_ci_high"]]
    assert_allclose(ends, frame.clip(*ax.get_xlim()).iloc[:-1])


def test_steps_are_told_by_their_marks_not_by_colour_alone(walk, ax):
    markers = [mark.get_marker() for mark in artists(ax, "estimate")]
    of = {"published": "D", "frequentist": "s", "exact": "o"}
    assert markers == [of[step.row.road] for step in walk.steps]


def test_what_is_printed_keeps_its_digits(ax):
    assert "0.50 [0.30, 0.800]" in texts_of(ax)


def test_labels_and_probabilities_of_steps_are_shown(walk, ax):
    texts = texts_of(ax)
    assert {step.name for step in walk.steps} <= set(texts)
    assert "tau2 by REML, not DL" in texts
    assert "0.9997" in texts
    assert "P(OR < 1)" in texts


def test_an_undefined_step_keeps_its_row_and_says_why(lone):
    ax = bm.plots.bridge(lone)
    undefined = [i for i, step in enumerate(lone.steps) if not step.defined]
    assert [lone.steps[i].name for i in undefined] == ["Hartung-Knapp"]
    assert "undefined" in texts_of(ax)
    (why,) = (text for text in ax.texts if "degree of" in text.get_text())
    assert why.xy[1] == undefined[0]


def test_an_interval_that_leaves_the_axis_ends_in_an_arrow(lone):
    ax = bm.plots.bridge(lone)
    left, right = ax.get_xlim()
    frame = lone.to_frame()
    arrows = [line.get_marker() for line in ax.lines if line.get_marker() in "<>"]
    defined = frame.dropna(subset=["natural_ci_low"])
    assert arrows.count("<") == (defined["natural_ci_low"] < left).sum() > 0
    assert arrows.count(">") == (defined["natural_ci_high"] > right).sum() > 0


def test_no_texts_touch(ax):
    canvas = FigureCanvasAgg(ax.figure)
    canvas.draw()
    boxes = [text.get_window_extent(canvas.get_renderer()) for text in ax.texts]
    for i, one in enumerate(boxes):
        assert not any(one.overlaps(other) for other in boxes[i + 1 :])


def test_it_draws_on_the_axes_that_it_is_given(walk):
    ax = Figure().add_subplot()
    assert bm.plots.bridge(walk, ax=ax) is ax
