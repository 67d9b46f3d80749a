"""The forest plot, by what is on its axes."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.testing import assert_allclose

import bayesmeta as bm
from bayesmeta.plots.forest_lines import forest_lines

NORMAL = bm.Model(
    measure="OR",
    likelihood=bm.NormalLikelihood(),
    effect=bm.Normal(0, 2.82),
    heterogeneity=bm.HalfNormal(0.5),
)
BINOMIAL = replace(NORMAL, likelihood=bm.BinomialLikelihood(baseline=bm.Normal(0, 10)))


@pytest.fixture(scope="module")
def bcg():
    return bm.crosscheck(
        [NORMAL, BINOMIAL], bm.load("bcg"), nuts=False, outcome="tuberculosis", better="lower"
    )


@pytest.fixture(scope="module")
def bcg_axes(bcg):
    return bm.plots.forest(bcg)


def texts_of(ax):
    return [text.get_text() for text in ax.texts]


def drawn(figure):
    """Draw a figure; give what measures its texts."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return canvas.get_renderer()


def simulated(k):
    rng = np.random.default_rng(1)
    columns = {name: rng.integers(1, 15, k) for name in ("ai", "ci")}
    columns |= {name: rng.integers(20, 2000, k) for name in ("n1i", "n2i")}
    labels = [f"Author {i} and others {1950 + i}" for i in range(k)]
    return bm.read_studies(pd.DataFrame({"study": labels, **columns}))


def test_every_study_and_every_row_has_its_line(bcg, bcg_axes):
    texts = texts_of(bcg_axes)
    for label in (*bcg.effects.study, *(row.label for row in bcg.reference)):
        assert label in texts
    assert "exact posterior, binomial likelihood" in texts
    assert texts.count("0.65 [0.60, 0.70]") == 1
    assert "4/123" in texts


def test_diamonds_are_where_the_pooled_effects_are(bcg, bcg_axes):
    diamonds = bcg_axes.patches
    drawn = [diamond.get_xy()[[1, 0, 2], 0] for diamond in diamonds]
    frame = bcg.to_frame()[["natural_estimate", "natural_ci_low", "natural_ci_high"]]
    assert_allclose(drawn, frame)


def test_the_second_mark_of_a_study_is_the_exact_effect(bcg):
    lines = [line for line in forest_lines(bcg) if line.kind == "study"]
    table = bm.fit(NORMAL, bm.load("bcg")).study_table()
    assert_allclose([line.second.estimate for line in lines], np.exp(table["median"]))
    assert_allclose([line.second.high for line in lines], np.exp(table["high"]))


def test_the_squares_area_is_the_weight(bcg):
    lines = [line for line in forest_lines(bcg) if line.kind == "study"]
    assert_allclose([line.weight for line in lines], bcg.effects.S.min() / bcg.effects.S)


def test_ratios_have_a_logarithmic_axis_with_plain_ticks(bcg_axes):
    assert bcg_axes.get_xscale() == "log"
    assert [tick.get_text() for tick in bcg_axes.get_xticklabels()] == [
        "0.1",
        "0.2",
        "0.5",
        "1",
        "2",
    ]


def test_differences_have_a_linear_axis():
    model = replace(NORMAL, measure="RD", effect=bm.Normal(0, 1), heterogeneity=bm.HalfNormal(0.2))
    ax = bm.plots.forest(bm.crosscheck(model, bm.load("bcg"), nuts=False))
    assert ax.get_xscale() == "linear"


def test_the_good_direction_is_named_on_its_side(bcg, bcg_axes):
    assert "← favours treated" in texts_of(bcg_axes)
    assert "favours treated →" in texts_of(bm.plots.forest(replace(bcg, better="higher")))
    without = texts_of(bm.plots.forest(replace(bcg, better=None)))
    assert not any("favours" in text for text in without)


def test_an_interval_that_leaves_the_axis_ends_in_an_arrow(bcg, bcg_axes):
    ax = bcg_axes
    arrows = [line for line in ax.lines if line.get_marker() == ">"]
    high = ax.get_xlim()[1]
    assert len(arrows) == sum(line.mark.high > high for line in forest_lines(bcg)) == 1


@pytest.mark.slow
@pytest.mark.parametrize("k", [1, 2, 60])
def test_the_figure_grows_with_the_studies_and_holds_all_text(k):
    ax = bm.plots.forest(bm.crosscheck(NORMAL, simulated(k), nuts=False))
    figure, renderer = ax.figure, drawn(ax.figure)
    for text in ax.texts:
        box = text.get_window_extent(renderer)
        assert box.x0 >= 0, text
        assert box.x1 <= figure.bbox.width, text
        assert box.y0 >= 0, text
        assert box.y1 <= figure.bbox.height, text


def test_texts_of_one_line_do_not_overlap(bcg_axes):
    renderer = drawn(bcg_axes.figure)
    boxes = [(text.get_window_extent(renderer), text.get_text()) for text in bcg_axes.texts]
    for i, (one, name) in enumerate(boxes):
        for other, other_name in boxes[i + 1 :]:
            assert not one.overlaps(other), (name, other_name)


def test_a_row_without_an_estimate_says_so():
    frame = pd.DataFrame(
        {"study": ["A", "B"], "ai": [0, 0], "n1i": [20, 30], "ci": [0, 0], "n2i": [20, 30]}
    )
    result = bm.crosscheck(BINOMIAL, bm.read_studies(frame), nuts=False)
    assert "no estimate" in texts_of(bm.plots.forest(result))


def test_it_draws_on_the_axes_that_it_is_given(bcg):
    ax = Figure().add_subplot()
    assert bm.plots.forest(bcg, ax=ax) is ax


@pytest.mark.usefixtures("bcg_axes")
def test_pyplot_knows_nothing_of_it():
    assert plt.get_fignums() == []


def test_a_star_marks_effects_that_are_not_simply_those_of_reported_numbers():
    header = "study ai n1i ci n2i shared_control design_effect"
    rows = [["Low", 3, 30, 7, 45, "a", 1], ["High", 5, 28, 7, 45, "a", 1]]
    rows += [["Plain", 4, 40, 9, 41, "", 1], ["Cluster", 4, 40, 9, 41, "", 1.5]]
    rows += [["Zero", 0, 40, 9, 41, "", 1]]
    table = bm.read_studies(pd.DataFrame(rows, columns=header.split()), shared="split")
    texts = texts_of(bm.plots.forest(bm.crosscheck(NORMAL, table, nuts=False)))
    assert {"Low*", "High*", "Plain", "Cluster*", "Zero*"} <= set(texts)
    assert "* not as reported: see the notes" in texts
    assert texts.count("3.5/22.5") == 2


def test_nothing_is_starred_where_all_is_as_reported(bcg):
    assert not any("*" in text for text in texts_of(bm.plots.forest(bcg)))
