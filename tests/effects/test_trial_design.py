"""Cluster trials, and control arms that several rows share."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from tolerances import CLOSED, EXACT

import bayesmeta as bm
from bayesmeta.effects import MEASURES, compute_effects
from bayesmeta.errors import ModelError, NotEstimableError, StudyTableError
from bayesmeta.frequentist import pool
from bayesmeta.studies import read_studies

BINARY = "study ai n1i ci n2i"
MEANS = "study m1i sd1i n1i m2i sd2i n2i"
RATES = "study x1i t1i x2i t2i"


def _read(columns, *rows, **told):
    return read_studies(pd.DataFrame(rows, columns=columns.split()), **told)


def shared_table(**told):
    """Smith 2010 has two treated arms and one control arm."""
    return _read(
        BINARY + " shared_control",
        ["Smith 2010 low", 14, 60, 24, 64, "Smith"],
        ["Smith 2010 high", 9, 58, 24, 64, "Smith"],
        ["Jones 2011", 20, 120, 31, 118, ""],
        ["Brown 2012", 7, 40, 8, 41, ""],
        **told,
    )


# ---- clusters ---------------------------------------------------------------------------------


def test_the_effective_sample_size_of_the_cochrane_handbook():
    """Handbook, 23.1: 21 classes of 29.8 children, ICC 0.02; 40.0/187.2 against 53.3/209.4."""
    table = _read(BINARY + " icc cluster_size", ["A", 63, 295, 84, 330, 0.02, 29.8])
    plain = _read(BINARY, ["A", 63, 295, 84, 330])
    effects, before = compute_effects(table, "OR"), compute_effects(plain, "OR")
    assert_allclose(table.frame["design_effect"], [1.576, 1.576])
    assert_array_equal(effects.y, before.y)
    a, n1, c, n2 = 40.0, 187.2, 53.3, 209.4
    assert_allclose(effects.S, [1 / a + 1 / (n1 - a) + 1 / c + 1 / (n2 - c)], rtol=1e-3)
    assert effects.row_notes == ("variance times 1.58, clusters",)
    assert "variances times the design effect of cluster trials: A" in effects.notes


@pytest.mark.parametrize(
    "measure", ["OR", "RR", "RD", "AS", "MD", "ROM", "IRR", "IRD", "PLO", "MC"]
)
def test_a_design_effect_multiplies_the_variance_and_leaves_the_effect(measure):
    tables = {
        "binary": (BINARY, ["A", 12, 80, 20, 90]),
        "means": (MEANS, ["A", 5, 2, 30, 7, 3, 40]),
        "rates": (RATES, ["A", 7, 100, 4, 120]),
        "single": ("study xi ni", ["A", 7, 100]),
        "single_rates": ("study xi ti", ["A", 7, 100.5]),
        "paired": ("study m1i sd1i m2i sd2i ni ri", ["A", 5, 2, 7, 3, 40, 0.3]),
    }
    columns, row = tables[MEASURES[measure].layout]
    plain = compute_effects(_read(columns, row, ["B", *row[1:]]), measure)
    table = _read(columns + " design_effect", [*row, 2.5], ["B", *row[1:], ""])
    effects = compute_effects(table, measure)
    assert_array_equal(effects.y, plain.y)
    assert_allclose(effects.S, plain.S * [2.5, 1], rtol=CLOSED)


def test_sums_of_mantel_haenszel_and_peto_take_counts_over_the_design_effect():
    rows = [["A", 30, 100, 44, 100], ["B", 12, 60, 20, 62]]
    halved = [["A", 15, 50, 22, 50], ["B", 12, 60, 20, 62]]
    design = _read(BINARY + " design_effect", [*rows[0], 2], [*rows[1], 1])
    for method in ("MH", "PETO"):
        got = pool(design, "OR", methods=method)[method]
        want = pool(_read(BINARY, *halved), "OR", methods=method)[method]
        assert_allclose([got.estimate, got.se], [want.estimate, want.se], rtol=CLOSED)


NORMAL_10 = bm.Normal(0, 10)


def _model(measure, likelihood):
    return bm.Model(measure=measure, likelihood=likelihood, effect=bm.Normal(0, 2.82),
                    heterogeneity=bm.HalfNormal(0.5))  # fmt: skip


@pytest.mark.parametrize(
    ("likelihood", "measure", "columns", "row"),
    [
        (bm.BinomialLikelihood(NORMAL_10), "OR", BINARY, ["A", 30, 100, 44, 100]),
        (bm.BinomialLikelihood(NORMAL_10), "RD", BINARY, ["A", 30, 100, 44, 100]),
        (bm.ConditionalLikelihood(), "OR", BINARY, ["A", 30, 100, 44, 100]),
        (bm.PoissonLikelihood(NORMAL_10), "IRR", RATES, ["A", 30, 100.5, 44, 99.5]),
        (bm.OneArmLikelihood(), "PLO", "study xi ni", ["A", 30, 100]),
        (bm.OneArmLikelihood(), "IRLN", "study xi ti", ["A", 30, 100.5]),
        (bm.StudentLikelihood(), "MD", MEANS, ["A", 5, 2, 40, 7, 3, 42]),
    ],
)
def test_exact_likelihoods_refuse_clusters_and_shared_arms(likelihood, measure, columns, row):
    model = _model(measure, likelihood)
    clusters = _read(columns + " design_effect", [*row, 2])
    with pytest.raises(ModelError, match=r"cluster trials are not\. Use the normal likelihood"):
        model.bind(clusters)
    if len(row) < 4:
        return  # one group: there is no arm to share
    for told in ("split", "covariance"):
        pair = [row, "S"], [["B", *row[1:]], "S"]
        shared = _read(columns + " shared_control", *([*r, s] for r, s in pair), shared=told)
        with pytest.raises(ModelError, match=rf"share their control arm \(shared='{told}'\)"):
            model.bind(shared)


def test_estimates_are_inflated_only_where_they_are_said_to_be_unadjusted():
    columns = "study yi vi icc cluster_size"
    rows = [["A", 0.1, 0.2, 0.05, 21], ["B", 0.3, 0.1, "", ""]]
    table = _read(columns, *rows)
    assert_array_equal(compute_effects(table, "GEN").S, [0.2, 0.1])
    assert any("taken to allow for clusters already" in note for note in table.notes)
    assert table.covariates == ("icc", "cluster_size")
    asked = _read(columns + " unadjusted", [*rows[0], "yes"], [*rows[1], ""])
    assert_allclose(compute_effects(asked, "GEN").S, [0.4, 0.1])
    assert asked.covariates == ()
    with pytest.raises(StudyTableError, match="unadjusted = maybe: neither yes nor no"):
        _read(columns + " unadjusted", [*rows[0], "maybe"])


@pytest.mark.parametrize(
    ("columns", "cells", "what"),
    [
        ("icc cluster_size", [1.2, 20], "from 0 to 1"),
        ("icc cluster_size", [-0.1, 20], "from 0 to 1"),
        ("icc cluster_size", [0.02, 0.5], "1 or more"),
        ("icc cluster_size", [0.02, "many"], "1 or more"),
        ("icc cluster_size", [0.02, ""], "one of icc and cluster_size without the other"),
        ("design_effect", [0.8], "1 or more"),
        ("design_effect icc cluster_size", [1.4, 0.02, 21], "besides icc and cluster_size"),
    ],
)
def test_cells_that_make_no_design_effect_are_refused(columns, cells, what):
    with pytest.raises(StudyTableError, match=what):
        _read(f"{BINARY} {columns}", ["A", 12, 80, 20, 90, *cells])


def test_the_arms_of_a_cluster_trial_have_one_design_effect():
    columns = "study arm events n icc cluster_size"
    rows = [["A", "t", 5, 50, 0.02, 21], ["A", "c", 9, 50, 0.02, 21]]
    table = _read(columns, *rows).select(arms=("t", "c"))
    assert_allclose(table.design().design_effect, [1.4])
    with pytest.raises(StudyTableError, match=r"1\.2, but 1\.4 in another arm"):
        _read(columns, rows[0], ["A", "c", 9, 50, 0.02, 11])


def test_capitals_in_the_names_of_design_columns_make_no_difference():
    table = _read(BINARY + " ICC Cluster_Size", ["A", 12, 80, 20, 90, 0.1, 11])
    assert_allclose(table.design().design_effect, [2])


def test_an_icc_alone_stays_a_covariate_and_is_said_to_make_no_design_effect():
    table = _read(BINARY + " icc", ["A", 12, 80, 20, 90, 0.1])
    assert table.covariates == ("icc",)
    assert "icc without cluster_size: no design effect is made of it" in table.notes


# ---- shared control arms ----------------------------------------------------------------------


def test_a_shared_control_arm_is_refused_unless_it_is_said_what_to_do():
    with pytest.raises(StudyTableError, match=r"shared='split'.*shared='covariance'"):
        shared_table()


def test_a_split_control_arm_is_counted_once():
    table = shared_table(shared="split")
    counts = table.two_arm()
    assert_array_equal(counts.n_control, [32, 32, 118, 41])
    assert_array_equal(counts.events_control, [12, 12, 31, 8])
    halves = _read(BINARY, ["a", 14, 60, 12, 32], ["b", 9, 58, 12, 32], ["c", 20, 120, 31, 118],
                   ["d", 7, 40, 8, 41])  # fmt: skip
    for measure in ("OR", "RR", "RD", "AS"):
        got, want = compute_effects(table, measure), compute_effects(halves, measure)
        assert_allclose([got.y, got.S], [want.y, want.S], rtol=CLOSED)
    for method in ("MH", "MH-RM", "PETO", "EE"):
        got, want = (pool(x, "OR", methods=method)[method] for x in (table, halves))
        assert_allclose([got.estimate, got.se], [want.estimate, want.se], rtol=CLOSED)
    (note,) = (text for text in compute_effects(table, "OR").notes if "divided" in text)
    assert note.endswith("Smith 2010 low, Smith 2010 high")


def test_an_odd_control_arm_is_split_into_fractions():
    table = _read(BINARY + " shared_control", ["a", 1, 9, 3, 9, "x"], ["b", 2, 9, 3, 9, "x"],
                  shared="split")  # fmt: skip
    assert_array_equal(table.two_arm().events_control, [1.5, 1.5])
    assert_array_equal(table.frame["events"], [1, 3, 2, 3])  # as reported


def test_what_is_left_of_a_shared_arm_is_whole_again():
    table = shared_table(shared="split").drop("Smith 2010 low")
    assert_array_equal(table.two_arm().n_control, [64, 118, 41])
    whole = shared_table(shared="covariance").drop("Smith 2010 low")
    assert compute_effects(whole, "OR").S.ndim == 1


def _simulated(measure, rng, repeats):
    """Effects of two treated arms against one control arm, many times: (2, repeats)."""
    if MEASURES[measure].layout == "binary":
        a1, a2, c = (rng.binomial(n, p, repeats) for n, p in ((200, 0.3), (150, 0.4), (180, 0.5)))
        rows = [(a1, 200 - a1, c, 180 - c), (a2, 150 - a2, c, 180 - c)]
    elif MEASURES[measure].layout == "rates":
        x1, x2, x3 = (rng.poisson(mean, repeats) for mean in (80, 60, 90))
        rows = [(x1, 100, x3, 120), (x2, 90, x3, 120)]
    else:

        def arm(mean, sd, n):
            sample = rng.normal(mean, sd, (repeats, n))
            return sample.mean(axis=1), sample.std(axis=1, ddof=1), np.full(repeats, n)

        c = arm(4, 2, 60)
        rows = [(*arm(6, 2, 50), *c), (*arm(7, 2, 40), *c)]
    return np.stack([MEASURES[measure].compute(*map(np.asarray, row))[0] for row in rows])


TRUE = {
    "binary": (BINARY, ["a", 60, 200, 90, 180], ["b", 60, 150, 90, 180]),
    "rates": (RATES, ["a", 80, 100, 90, 120], ["b", 60, 90, 90, 120]),
    "means": (MEANS, ["a", 6, 2, 50, 4, 2, 60], ["b", 7, 2, 40, 4, 2, 60]),
}
WITH_COVARIANCE = [name for name, measure in MEASURES.items() if measure.shared is not None]


@pytest.mark.parametrize("measure", WITH_COVARIANCE)
def test_the_covariance_is_that_of_repeated_trials_with_one_control_arm(measure):
    """Brute force: the covariance of the effects over many trials, the formula at the truth."""
    y = _simulated(measure, np.random.default_rng(7), 20_000)
    columns, *rows = TRUE[MEASURES[measure].layout]
    table = _read(columns + " shared_control", *([*row, "x"] for row in rows), shared="covariance")
    S = compute_effects(table, measure).S
    drawn = np.cov(y)
    assert_allclose(S[0, 1], drawn[0, 1], atol=0.04 * np.sqrt(drawn[0, 0] * drawn[1, 1]))
    assert_array_equal(S, S.T)
    assert (np.linalg.eigvalsh(S) > 0).all()


def test_the_covariances_are_the_textbook_ones():
    """Gleser and Olkin (2009), The Handbook of Research Synthesis, chapter 19."""
    columns, *rows = TRUE["binary"]
    table = _read(columns + " shared_control", *([*row, "x"] for row in rows), shared="covariance")
    want = {"OR": 2 / 90, "RR": 1 / 90 - 1 / 180, "RD": 0.25 / 180, "AS": 0.25 / 180}
    for measure, covariance in want.items():
        effects = compute_effects(table, measure)
        alone = compute_effects(_read(columns, *rows), measure)
        assert_allclose(effects.S[0, 1], covariance, rtol=CLOSED)
        assert_allclose(np.diag(effects.S), alone.S, rtol=CLOSED)
    means = _read(MEANS + " shared_control", *([*row, "x"] for row in TRUE["means"][1:]),
                  shared="covariance")  # fmt: skip
    assert_allclose(compute_effects(means, "MD").S[0, 1], 4 / 60, rtol=CLOSED)
    d = compute_effects(means, "D")
    product = d.y[0] * d.y[1] * 60 / (2 * 110 * 100)
    assert_allclose(d.S[0, 1], 1 / 60 + product, rtol=CLOSED)


def test_a_measure_without_the_covariance_refuses_by_name():
    with pytest.raises(ModelError, match=r"PETO has no formula.*shared='split'"):
        compute_effects(shared_table(shared="covariance"), "PETO")


def test_sums_of_counts_refuse_a_control_arm_that_is_shared_whole():
    table = shared_table(shared="covariance")
    for method in ("MH", "MH-RM", "DL-MH", "PETO"):
        with pytest.raises(NotEstimableError, match="share their control arm"):
            pool(table, "OR", methods=method)
    assert "share their control arm" in " ".join(pool(table, "OR")["MH"].notes)


def test_pooling_correlated_effects_is_generalised_least_squares():
    table = shared_table(shared="covariance")
    effects = compute_effects(table, "OR")
    W = np.linalg.inv(effects.S)
    row = pool(table, "OR", methods="EE")["EE"]
    assert_allclose(row.se, W.sum() ** -0.5, rtol=CLOSED)
    assert_allclose(row.estimate, (W @ effects.y).sum() / W.sum(), rtol=CLOSED)
    assert row.k == 4
    split = pool(shared_table(shared="split"), "OR", methods="EE")["EE"]
    assert_allclose(row.estimate, split.estimate, rtol=0.02)
    assert np.isfinite(
        [x.estimate for x in pool(table, "OR", methods=["DL", "REML", "PM"]).rows]
    ).all()


def test_the_exact_posterior_of_correlated_effects_is_that_of_a_plain_grid():
    """Brute force: p(mu, tau) by the density of N(mu, S + tau^2 I) on a fine grid."""
    table = shared_table(shared="covariance")
    model = bm.Model(measure="OR", likelihood=bm.NormalLikelihood(), effect=bm.Normal(0, 2.82),
                     heterogeneity=bm.HalfNormal(0.5))  # fmt: skip
    fitted = bm.fit(model, table)
    effects = compute_effects(table, "OR")
    tau = (np.arange(1500) + 0.5) / 1500 * 3.5
    lam, Q = np.linalg.eigh(effects.S)
    y, x = Q.T @ effects.y, Q.T @ np.ones(4)
    w = 1 / (lam + tau[:, None] ** 2)
    precision = (w * x**2).sum(axis=1) + 1 / 2.82**2
    mean = (w * x * y).sum(axis=1) / precision
    log = 0.5 * (np.log(w).sum(axis=1) - np.log(precision) + mean**2 * precision)
    log = log - 0.5 * (w * y**2).sum(axis=1) - 2 * tau**2
    weight = np.exp(log - log.max())
    assert_allclose(float(fitted.mu.mean), (weight * mean).sum() / weight.sum(), rtol=1e-5)
    assert fitted.accuracy.error <= EXACT


@pytest.mark.slow
@pytest.mark.nuts
def test_nuts_agrees_on_correlated_effects():
    table = shared_table(shared="covariance")
    model = bm.Model(measure="OR", likelihood=bm.NormalLikelihood(), effect=bm.Normal(0, 2.82),
                     heterogeneity=bm.HalfNormal(0.5))  # fmt: skip
    exact, sampled = bm.fit(model, table), bm.fit(model, table, engine="nuts", rng=1)
    assert_allclose(float(sampled.mu.mean), float(exact.mu.mean), atol=0.02)
    assert_allclose(float(sampled.tau.mean), float(exact.tau.mean), atol=0.02)


def test_rows_of_one_arm_must_agree_about_it():
    with pytest.raises(StudyTableError, match=r"study 'b', ci = 4: not as in study 'a'"):
        _read(BINARY + " shared_control", ["a", 1, 9, 3, 9, "x"], ["b", 2, 9, 4, 9, "x"],
              shared="split")  # fmt: skip


def test_saying_what_to_do_about_no_shared_arm_is_refused():
    with pytest.raises(StudyTableError, match="no column shared_control"):
        _read(BINARY, ["a", 1, 9, 3, 9], shared="split")


def test_rows_that_look_like_one_trial_are_noted():
    rows = [["Smith 2010a", 1, 30, 7, 31], ["Smith 2010b", 2, 33, 7, 31], ["Lee 2001", 2, 9, 7, 31]]
    (note,) = (text for text in _read(BINARY, *rows).notes if "the same control arm" in text)
    assert note.startswith("Smith 2010a, Smith 2010b:")


def test_a_label_given_twice_is_refused_with_a_word_on_shared_arms():
    with pytest.raises(StudyTableError, match="one label in a column shared_control"):
        _read(BINARY, ["Smith", 1, 30, 7, 31], ["Smith", 2, 33, 7, 31])


def test_several_outcomes_have_their_own_shared_arms():
    rows = [[f"{s}", o, 3, 20, c, 21, "x"] for o, c in (("death", 5), ("stroke", 2)) for s in "ab"]
    table = _read("study outcome ai n1i ci n2i shared_control", *rows, shared="covariance")
    effects = compute_effects(table.select(outcome="stroke"), "OR")
    assert_allclose(effects.S[0, 1], 1 / 2 + 1 / 19, rtol=CLOSED)


def test_tables_with_one_label_for_two_control_arms_are_not_joined():
    one = _read(BINARY + " shared_control", ["a", 1, 9, 3, 9, "x"], ["b", 2, 9, 3, 9, "x"],
                shared="split")  # fmt: skip
    two = _read(BINARY + " shared_control", ["c", 1, 9, 4, 8, "x"], ["d", 2, 9, 4, 8, "x"],
                shared="split")  # fmt: skip
    with pytest.raises(StudyTableError, match="shared_control = x"):
        one.append(two)


@pytest.mark.parametrize(
    ("columns", "row", "fix"),
    [
        ("study yi vi design_effect", ["A", 0.1, 0.2, 1.5], "Add a column unadjusted"),
        ("study ri ni design_effect", ["A", 0.1, 20, 1.5], "not for correlations"),
        ("study yi vi shared_control", ["A", 0.1, 0.2, "x"], "the data of both arms"),
        ("study arm events n shared_control", ["A", "x", 1, 9, "x"], "select(arms=...)"),
    ],
)
def test_a_design_column_that_cannot_be_used_is_refused_and_not_kept_unused(columns, row, fix):
    with pytest.raises(StudyTableError, match="keeps a column of this name") as e:
        _read(columns, row)
    assert fix in e.value.problems[0].fix


def test_a_cross_check_and_its_forest_show_correlated_effects():
    model = bm.Model(measure="OR", likelihood=bm.NormalLikelihood(), effect=bm.Normal(0, 2.82),
                     heterogeneity=bm.HalfNormal(0.5))  # fmt: skip
    for told in ("covariance", "split"):
        check = bm.crosscheck(model, shared_table(shared=told), nuts=False)
        rows = check.to_frame()
        assert {"frequentist", "exact"} <= set(rows["road"])
        assert len(check.effects.y) == 4


def test_a_table_without_shared_arms_is_joined_to_one_with_them():
    shared, plain = shared_table(shared="split"), _read(BINARY, ["Lee 2001", 2, 30, 7, 31])
    for table in (shared.append(plain), plain.append(shared)):
        assert table.shared == "split"
        assert_array_equal(sorted(table.two_arm().n_control), [31, 32, 32, 41, 118])
    with pytest.raises(StudyTableError, match="shared of DataFrame is covariance"):
        shared.append(shared_table(shared="covariance"))


@pytest.mark.parametrize("measure", ["SMD", "D", "VR"])
def test_a_control_arm_in_parts_too_small_for_a_standard_deviation_is_refused(measure):
    rows = [[name, 5, 2, 30, 6, 2.5, 3, "x"] for name in ("a", "b", "c")]
    table = _read(MEANS + " shared_control", *rows, shared="split")
    with pytest.raises(StudyTableError, match=r"'a', 1 patients: so small a part.*covariance"):
        compute_effects(table, measure)
    assert_allclose(compute_effects(table, "MD").S, 4 / 30 + 6.25, rtol=CLOSED)


def test_marks_of_made_numbers_survive_being_read_again():
    rows = [["A", "drug", 30, 5, 1, 9], ["A", "none", 30, 6, 2, 10]]
    made = _read("study arm n median q1 q3", *rows)
    again = read_studies(made.frame)
    assert again.frame["derived"].tolist() == made.frame["derived"].tolist()
    got, want = (compute_effects(x.select(arms=("drug", "none")), "MD") for x in (again, made))
    assert got.row_notes == want.row_notes
    assert "computed from numbers that were made, not reported: A" in got.notes
    told = _read("study yi vi derived", ["A", 0.1, 0.2, "read off a figure"], ["B", 0.1, 0.2, "NA"])
    assert compute_effects(told, "GEN").row_notes == ("read off a figure", "")


def test_rows_of_one_control_arm_must_agree_about_its_clusters():
    columns = BINARY + " shared_control icc cluster_size"
    rows = [["a", 1, 9, 3, 9, "x", 0.05, 11], ["b", 2, 9, 3, 9, "x", "", ""]]
    with pytest.raises(StudyTableError, match="'b', icc: not as in study 'a'") as e:
        _read(columns, *rows, shared="split")
    assert [one.column for one in e.value.problems] == ["icc", "cluster_size"]


def test_the_covariance_of_a_cluster_trial_is_times_its_design_effect():
    rows = [["a", 3, 30, 6, 45, "x", 1.5], ["b", 5, 28, 6, 45, "x", 1.5]]
    table = _read(BINARY + " shared_control design_effect", *rows, shared="covariance")
    assert_allclose(compute_effects(table, "OR").S[0, 1], 1.5 * (1 / 6 + 1 / 39), rtol=CLOSED)
