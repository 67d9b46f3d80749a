"""The forest plot, by what is on its axes."""

from dataclasses import replace
from io import BytesIO

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.testing import assert_allclose
from scipy.special import erfc

import bayesmeta as bm
from bayesmeta.checks.reanalysis import reanalyse
from bayesmeta.plots.figures import without_pyplot
from bayesmeta.plots.forest_groups import split_groups
from bayesmeta.plots.forest_layouts import LAYOUTS
from bayesmeta.plots.forest_lines import forest_lines
from bayesmeta.plots.texts import plain

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
    return [plain(text.get_text()) for text in ax.texts]


def lines_of(result, layout="bayesmeta", **options):
    return forest_lines(result, LAYOUTS[layout], **options)


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


def artists(ax, gid):
    return [artist for artist in ax.get_children() if artist.get_gid() == gid]


def test_diamonds_are_where_the_frequentist_effects_are(bcg, bcg_axes):
    drawn = [diamond.get_xy()[[1, 0, 2], 0] for diamond in artists(bcg_axes, "diamond")]
    frame = bcg.to_frame().query("road == 'frequentist'")
    assert_allclose(drawn, frame[["natural_estimate", "natural_ci_low", "natural_ci_high"]])


def test_the_published_row_has_the_first_diamond(bcg):
    row = bm.PublishedRow(
        estimate=bm.Printed.parse("0.50"),
        ci=(bm.Printed.parse("0.30"), bm.Printed.parse("0.800")),
        model="random",
    )
    ax = bm.plots.forest(replace(bcg, published=row))
    assert_allclose(artists(ax, "diamond")[0].get_xy()[:3, 0], [0.3, 0.5, 0.8])
    assert {"published (random effects)", "0.50 [0.30, 0.800]"} <= set(texts_of(ax))


def test_posteriors_have_their_median_and_interval_under_their_density(bcg, bcg_axes):
    medians = [median.get_xdata()[0] for median in artists(bcg_axes, "median")]
    intervals = [interval.get_xdata() for interval in artists(bcg_axes, "interval")]
    frame = bcg.to_frame().query("road == 'exact'")
    assert_allclose(medians, frame["natural_estimate"])
    assert_allclose(intervals, frame[["natural_ci_low", "natural_ci_high"]])
    post = bcg.models[0].exact
    (x, y), *_ = (line.density for line in lines_of(bcg) if line.kind == "posterior")
    assert_allclose(y, post.mu.pdf(np.log(x)) / post.mu.pdf(np.log(x)).max())
    assert len(artists(bcg_axes, "density")) == 2


def test_prediction_intervals_have_a_stop_at_each_end(bcg, bcg_axes):
    stops = [stop.get_xdata() for stop in artists(bcg_axes, "prediction")]
    frame = bcg.to_frame().query("road != 'nuts'").dropna(subset=["natural_pi_low"])
    assert_allclose(stops, frame[["natural_pi_low", "natural_pi_high"]])


def test_no_tail_of_a_density_looks_like_an_interval(bcg_axes):
    for hill in artists(bcg_axes, "density"):
        heights = hill.get_paths()[0].vertices[1:-1, 1]
        above = heights.max() - heights
        assert above[above > 0].min() > 0.01 * above.max()


def test_every_estimate_and_posterior_is_on_the_axis(bcg, bcg_axes):
    left, right = bcg_axes.get_xlim()
    lines = lines_of(bcg)
    assert all(left < line.mark.estimate < right for line in lines if line.mark.whole)
    ends = [line.mark.ends for line in lines if line.kind == "posterior"]
    assert left < np.min(ends)
    assert np.max(ends) < right


def test_prediction_intervals_are_drawn_with_the_pooled_effects(bcg):
    drawn = [line.second.ends[1:] for line in lines_of(bcg) if line.kind in ("pooled", "posterior")]
    frame = bcg.to_frame().query("road != 'nuts'")
    assert_allclose(drawn, frame[["natural_pi_low", "natural_pi_high"]])


def test_the_second_mark_of_a_study_is_the_exact_effect(bcg):
    lines = [line for line in lines_of(bcg) if line.kind == "study"]
    table = bm.fit(NORMAL, bm.load("bcg")).study_table()
    assert_allclose([line.second.estimate for line in lines], np.exp(table["median"]))
    assert_allclose([line.second.high for line in lines], np.exp(table["high"]))


def test_weights_are_those_of_the_reml_fit(bcg):
    lines = [line for line in lines_of(bcg) if line.kind == "study"]
    percent = bm.influence(bm.load("bcg"), "OR", method="REML").weight
    assert [line.cells["weight"] for line in lines] == [f"{one:.1f}%" for one in percent]


def test_weights_without_an_inverse_variance_method_are_of_a_common_effect():
    counted = bm.crosscheck(NORMAL, bm.load("bcg"), nuts=False, methods=["MH"])
    lines = lines_of(counted)
    assert lines[0].cells["weight"] == "weight\ncommon"
    w = 1 / counted.effects.S
    shown = [line.cells["weight"] for line in lines if line.kind == "study"]
    assert shown == [f"{one:.1f}%" for one in 100 * w / w.sum()]


def test_the_squares_area_is_the_weight(bcg, bcg_axes):
    (squares,) = artists(bcg_axes, "observed")
    sides = np.sqrt(squares.get_sizes()) - 2.2
    weight = 1 / (bcg.effects.S + bcg.reference["REML"].tau2)
    assert_allclose(sides**2, 4.8**2 * weight / weight.max())
    assert_allclose(squares.get_offsets()[:, 0], np.exp(bcg.effects.y))


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
    assert len(arrows) == sum(line.mark.high > high for line in lines_of(bcg)) == 1


@pytest.mark.slow
@pytest.mark.parametrize("k", [1, 2, 60])
def test_the_figure_grows_with_the_studies_and_holds_all_text(k):
    ax = bm.plots.forest(bm.crosscheck(NORMAL, simulated(k), nuts=False))
    assert_no_texts_touch(ax)


def assert_no_texts_touch(ax):
    renderer = drawn(ax.figure)
    boxes = [(text.get_window_extent(renderer), text.get_text()) for text in ax.texts]
    boxes.append((ax.get_legend().get_window_extent(renderer), "legend"))
    boxes.append((ax.xaxis.label.get_window_extent(renderer), "axis"))
    for i, (one, name) in enumerate(boxes):
        assert 0 <= one.x0 <= one.x1 <= ax.figure.bbox.width, name
        assert 0 <= one.y0 <= one.y1 <= ax.figure.bbox.height, name
        for other, other_name in boxes[i + 1 :]:
            assert not one.overlaps(other), (name, other_name)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_texts_stay_inside_and_do_not_touch(bcg, layout):
    bcg = replace(bcg, arms=("a treated arm of a long name", "a control arm of a longer name"))
    groups, notes = list("abbbbbaaaaaac"), {"A long heading of a column": range(13)}
    assert_no_texts_touch(bm.plots.forest(bcg, layout=layout, groups=groups, columns=notes))


def test_a_row_without_an_estimate_says_so():
    frame = pd.DataFrame(
        {"study": ["A", "B"], "ai": [0, 0], "n1i": [20, 30], "ci": [0, 0], "n2i": [20, 30]}
    )
    result = bm.crosscheck(BINOMIAL, bm.read_studies(frame), nuts=False)
    assert "no estimate" in texts_of(bm.plots.forest(result))


def test_it_draws_on_the_axes_that_it_is_given(bcg):
    ax = Figure(figsize=(14, 9)).add_subplot()
    place = ax.get_position()
    assert bm.plots.forest(bcg, ax=ax) is ax
    renderer, (width, height) = drawn(ax.figure), ax.figure.bbox.size
    for text in ax.texts:  # plot and texts share the place of the axes
        box = text.get_window_extent(renderer)
        assert place.x0 - 0.01 <= box.x0 / width <= box.x1 / width <= place.x1 + 0.01
        assert place.y0 - 0.01 <= box.y0 / height <= box.y1 / height <= place.y1 + 0.01


@pytest.mark.parametrize("kind", ["svg", "pdf"])
def test_it_is_written_in_formats_for_print(bcg_axes, kind):
    file = BytesIO()
    bcg_axes.figure.savefig(file, format=kind)
    assert file.tell() > 10_000


def test_its_figure_is_the_current_one_of_pyplot(bcg):
    figure = bm.plots.forest(bcg).figure
    assert plt.gcf() is figure


def test_pyplot_need_not_know_of_it(bcg):
    with without_pyplot():
        bm.plots.forest(bcg)
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


# --- layouts, groups, columns --------------------------------------------------------------------


@pytest.fixture(scope="module")
def crins():
    trials = bm.load("crins2014").select(arms=("IL-2RA", "control"))
    return bm.crosscheck(NORMAL, trials, nuts=False, better="lower")


def test_each_subgroup_is_pooled_by_its_own_fits(crins):
    groups = split_groups(crins, "randomized")
    assert [group.name for group in groups] == ["randomized: yes", "randomized: no"]
    assert sorted(i for group in groups for i in group.members) == list(range(6))
    for group in groups:
        others = [name for i, name in enumerate(crins.effects.study) if i not in group.members]
        part = crins.studies.drop(*others)
        assert_allclose(group.posterior.mu.mean, bm.fit(NORMAL, part).mu.mean)
        own = bm.pool(part, "OR", methods=["REML"], keep=True)["REML"]
        assert_allclose(group.reference.estimate, own.estimate)


def test_groups_are_blocks_with_subtotals(crins):
    lines = lines_of(crins, groups=split_groups(crins, list("ababab")))
    named = [line.label.rstrip("*") for line in lines if line.kind in ("group", "study")]
    names = crins.effects.study
    assert named == ["a", *names[::2], "b", *names[1::2]]
    assert [line.label for line in lines].count("subtotal, exact posterior") == 2


def test_subtotals_are_drawn_in_the_block_of_their_group(crins):
    ax, parts = bm.plots.forest(crins, groups="randomized"), split_groups(crins, "randomized")
    diamonds, medians = artists(ax, "diamond"), artists(ax, "median")
    rows = [group.reference for group in parts]
    ends = np.exp([(row.estimate, row.ci_low, row.ci_high) for row in rows])
    assert_allclose([diamond.get_xy()[[1, 0, 2], 0] for diamond in diamonds[:2]], ends)
    natural = np.exp([group.posterior.mu.quantile(0.5) for group in parts])
    assert_allclose([median.get_xdata()[0] for median in medians[:2]], natural)
    names = {text.get_text(): text.xy[1] for text in ax.texts}
    heights = [diamond.get_xy()[0, 1] for diamond in diamonds[:2]]
    assert names["randomized: yes"] < heights[0] < names["randomized: no"] < heights[1]


def test_subgroups_are_compared_by_the_q_of_their_subtotals(crins):
    rows = [group.reference for group in split_groups(crins, "randomized")]
    y, w = np.array([(row.estimate, row.se**-2) for row in rows]).T
    q = (w * (y - (w @ y) / w.sum()) ** 2).sum()
    (told,) = (text for text in texts_of(bm.plots.forest(crins, groups="randomized"))
               if text.startswith("Test for subgroup differences"))  # fmt: skip
    share, p = 100 * max(0.0, q - 1) / q, erfc(np.sqrt(q / 2))
    assert told.endswith(f", REML: Q {q:.1f} (df 1), p = {p:.4f}, I² {share:.0f}%")


def test_columns_of_the_table_and_of_the_user_are_printed(crins):
    texts = texts_of(bm.plots.forest(crins, columns=["year"]))
    assert {"year", *map(str, crins.studies.frame["year"])} <= set(texts)
    texts = texts_of(bm.plots.forest(crins, columns={"bias": [*"uvwxyz"]}))
    assert {"bias", *"uvwxyz"} <= set(texts)


def test_a_posterior_alone_is_refused_with_what_to_do(crins):
    with pytest.raises(bm.ModelError, match=r"not a Posterior.*bm\.crosscheck\(model"):
        bm.plots.forest(crins.models[0].exact)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"columns": ["yaer"]}, "Did you mean 'year'"),
        ({"columns": {"bias": [1, 2]}}, "2 values for 6 studies"),
        ({"groups": ["a"]}, "1 values for 6 studies"),
        ({"layout": "rveman"}, "Unknown layout"),
        ({"reference": -1.0}, "is no odds ratio"),
    ],
)
def test_what_cannot_be_drawn_is_told(crins, option, message):
    with pytest.raises(bm.BayesmetaError, match=message):
        bm.plots.forest(crins, **option)


def test_the_reference_line_can_be_moved(bcg, bcg_axes):
    (line,) = artists(bcg_axes, "reference")
    assert_allclose([path.vertices[:, 0] for path in line.get_paths()], 1.0)
    moved, null = artists(bm.plots.forest(bcg, reference=0.8), "reference")
    assert_allclose([path.vertices[:, 0] for path in moved.get_paths()], 0.8)
    assert_allclose([path.vertices[:, 0] for path in null.get_paths()], 1.0)


def test_studies_of_one_group_have_no_line_of_no_effect():
    model = replace(NORMAL, measure="PLO")
    ax = bm.plots.forest(bm.crosscheck(model, bm.load("pritz1997"), nuts=False))
    assert not artists(ax, "reference")
    assert "16/17" in texts_of(ax)


def test_means_are_printed_with_sd_and_n_of_each_arm():
    model = replace(NORMAL, measure="MD", effect=bm.Normal(0, 50), heterogeneity=bm.HalfNormal(20))
    result = bm.crosscheck(model, bm.load("normand1999"), nuts=False)
    assert "55.0 (47.0), 155" in texts_of(bm.plots.forest(result))
    assert "mean (SD), n" in texts_of(bm.plots.forest(result))[1]


def test_revman_splits_the_arms_and_adds_them_up(bcg):
    texts = texts_of(bm.plots.forest(bcg, layout="revman"))
    frame = bm.load("bcg").frame
    assert {"treated\nevents", "control\nn", "13598"} <= set(texts)
    assert str(frame.query("arm == 'treated'")["events"].sum()) in texts


def test_revman_adds_the_arms_of_each_group_up(crins):
    texts = texts_of(bm.plots.forest(crins, layout="revman", groups="randomized"))
    frame = crins.studies.frame
    for told in ("yes", "no"):
        arms = frame[(frame["randomized"] == told) & (frame["arm"] == crins.arms[0])]
        assert str(arms["n"].sum()) in texts


def test_the_journal_layout_is_grey_and_has_no_shrunken_effects(bcg):
    ax = bm.plots.forest(bcg, layout="journal")
    assert "0.48 (0.32 to 0.70)" in texts_of(ax)
    assert not artists(ax, "shrunken")
    colours = [diamond.get_facecolor() for diamond in artists(ax, "density")]
    assert all(np.ptp(np.ravel(colour)[:3]) == 0 for colour in colours)


def test_heterogeneity_is_told_by_the_method_of_the_weights(bcg, bcg_axes):
    row = bcg.reference["REML"]
    tau = f"tau {np.sqrt(row.tau2):.3f} (tau² {row.tau2:.3f})"
    told = f"{tau}, I² {row.i2:.0f}%, Q {row.q:.1f} (df 12), p < 0.0001"
    assert f"Heterogeneity, REML: {told}" in texts_of(bcg_axes)


def test_heterogeneity_is_told_by_each_posterior(bcg, bcg_axes):
    post = bm.fit(NORMAL, bm.load("bcg"))
    tau, share = ([p.quantile(0.5), *p.interval(0.95)] for p in (post.tau, post.i2()))
    told = "tau {:.3f} [{:.3f}, {:.3f}], I² {:.0f}% [{:.0f}, {:.0f}]".format(*tau, *share)
    assert f"Heterogeneity, exact (normal): {told}" in texts_of(bcg_axes)
    (other,) = (text for text in texts_of(bcg_axes) if "exact (binomial)" in text)
    assert "I²" not in other  # there is no sampling variance apart from the effect


def test_notes_stand_below_the_axis(bcg_axes):
    notes = [text for text in bcg_axes.texts if text.get_text().startswith("Heterogeneity")]
    renderer = drawn(bcg_axes.figure)
    name = bcg_axes.xaxis.label.get_window_extent(renderer)
    assert all(note.get_window_extent(renderer).y1 < name.y0 for note in notes)


def test_a_published_row_alone_has_its_diamond_and_its_posterior():
    row = bm.load_published("zhou_2019_lupus_nephritis")[0]
    ax = bm.plots.forest(reanalyse(NORMAL, row.printed, outcome=row.outcome))
    assert len(artists(ax, "diamond")) == len(artists(ax, "density")) == 1


def test_text_of_the_user_is_shown_as_it_is(crins):
    markup = ["<b>a</b>", "$x$ and $y$", "Σωκράτης", "Ñandú_1^2", "a\\b", "{c}"]
    texts = texts_of(ax := bm.plots.forest(crins, columns={"note": markup}))
    assert set(markup) <= set(texts)
    assert not any(text.get_parse_math() for text in ax.texts)


def test_a_long_name_is_broken_not_cut():
    name = "The International Collaborative Randomised Trial of a Very Long Name, Follow-up 2019"
    frame = bm.load("bcg").frame.replace({"Aronson 1948": name})
    table = bm.read_studies(frame).select(arms=("treated", "control"))
    texts = texts_of(bm.plots.forest(bm.crosscheck(NORMAL, table, nuts=False)))
    (found,) = (text for text in texts if "Collaborative" in text)
    assert found.replace("\n", " ") == name
    assert max(map(len, found.split("\n"))) <= 46
