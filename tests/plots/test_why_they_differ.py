"""Why methods differ: what is on the two axes."""

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.testing import assert_allclose

import bayesmeta as bm
from bayesmeta.checks.reanalysis import reanalyse

NORMAL = bm.Model(
    measure="OR",
    likelihood=bm.NormalLikelihood(),
    effect=bm.Normal(0, 2.82),
    heterogeneity=bm.HalfNormal(0.5),
)
METHODS = ("EE", "DL", "PM", "REML", "ML", "SJ")


@pytest.fixture(scope="module")
def bcg():
    return bm.crosscheck(NORMAL, bm.load("bcg"), nuts=False)


@pytest.fixture(scope="module")
def axes(bcg):
    return bm.plots.why_they_differ(bcg)


def one(ax, gid):
    (artist,) = (artist for artist in ax.get_children() if artist.get_gid() == gid)
    return artist


@pytest.mark.parametrize("method", METHODS)
def test_each_method_stands_at_its_tau_on_both_axes(axes, method):
    row = bm.pool(bm.load("bcg"), "OR", methods=[method])[method]
    above, below = (one(ax, method) for ax in axes)
    assert_allclose(above.get_xydata()[0], [np.sqrt(row.tau2), np.exp(row.estimate)])
    assert_allclose(below.get_xdata()[0], np.sqrt(row.tau2))
    assert above.get_marker() == below.get_marker()


def test_the_marks_of_methods_differ(axes):
    assert len({one(axes[0], method).get_marker() for method in METHODS}) == len(METHODS)


def test_the_curve_is_the_effect_at_a_known_tau(axes):
    curve = one(axes[0], "curve").get_xydata()
    band = one(axes[0], "band").get_paths()[0].vertices
    for i in (1, 120, 299):
        known = bm.fit(replace(NORMAL, heterogeneity=bm.Fixed(curve[i, 0])), bm.load("bcg"))
        assert_allclose(curve[i, 1], np.exp(known.mu.mean))
        at = band[band[:, 0] == curve[i, 0], 1]
        assert_allclose([at.min(), at.max()], np.exp(known.mu.interval(0.95)))


def test_the_methods_lie_on_the_weighted_mean_of_the_studies(axes):
    flat = one(axes[0], "flat").get_xydata()
    effects = bm.compute_effects(bm.load("bcg"), "OR")
    w = 1 / (effects.S + flat[:, :1] ** 2)
    assert_allclose(flat[:, 1], np.exp((w @ effects.y) / w.sum(axis=1)))


def test_the_posterior_of_tau_is_below(bcg, axes):
    tau = bcg.models[0].exact.tau
    assert_allclose(one(axes[1], "median").get_xdata()[0], tau.quantile(0.5))
    assert_allclose(one(axes[1], "interval").get_xdata(), tau.interval(0.95))


def test_the_posterior_of_the_effect_is_at_the_right(bcg, axes):
    interval = np.exp(bcg.models[0].exact.mu.interval(0.95))
    assert_allclose(one(axes[0], "posterior").get_ydata(), interval)


def test_both_axes_have_the_same_tau(axes):
    assert axes[0].get_xlim() == axes[1].get_xlim()


def test_differences_have_a_linear_axis():
    model = replace(NORMAL, measure="RD", effect=bm.Normal(0, 1), heterogeneity=bm.HalfNormal(0.2))
    above, _ = bm.plots.why_they_differ(bm.crosscheck(model, bm.load("bcg"), nuts=False))
    assert above.get_yscale() == "linear"


def test_a_published_row_alone_is_refused():
    row = bm.load_published("zhou_2019_lupus_nephritis")[0]
    with pytest.raises(bm.ModelError, match="no exact posterior"):
        bm.plots.why_they_differ(reanalyse(NORMAL, row.printed))


def test_a_known_tau_is_a_spike_not_a_density():
    known = replace(NORMAL, heterogeneity=bm.Fixed(0.3))
    _, below = bm.plots.why_they_differ(bm.crosscheck(known, bm.load("bcg"), nuts=False))
    assert one(below, "median").get_xdata()[0] == 0.3
    assert one(below, "density").get_paths()[0].get_extents().height == 0


def test_it_draws_on_the_axes_that_it_is_given(bcg):
    figure = Figure(figsize=(8, 6))
    given = tuple(figure.subplots(2, 1, sharex=True))
    assert bm.plots.why_they_differ(bcg, axes=given) == given
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    ends = [ax.get_legend().get_window_extent(canvas.get_renderer()).x1 for ax in given]
    assert max(ends) < figure.bbox.width  # they made room for their legends
