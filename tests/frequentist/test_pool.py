import functools
import math

import numpy as np
import pandas as pd
import pytest
from frequentist.effect_sets import effect_sets
from frequentist.metafor_cases import CASES, ITERATED, RANDOM, TABLES
from hypothesis import given, settings
from numpy.testing import assert_allclose
from scipy import stats
from tolerances import CLOSED, ITERATIVE

from bayesmeta.errors import ModelError, NotEstimableError
from bayesmeta.frequentist import METHODS, pool
from bayesmeta.frequentist.tau2 import TAU2
from bayesmeta.studies import read_studies

INVERSE_VARIANCE = ("EE", *RANDOM)
CUT_SHORT = ("normand1999", "MD", "DL")  # metafor's search for the upper limit of tau2 ended
JSON_KEYS = [
    "measure", "scale", "method", "interval", "k", "estimate", "se", "ci_low", "ci_high", "p_value",
    "tau2", "tau2_ci_low", "tau2_ci_high", "tau2_interval", "i2", "i2_ci_low", "i2_ci_high", "h2",
    "h2_ci_low", "h2_ci_high", "q", "q_df", "q_p", "pi_low", "pi_high", "pi_method", "notes",
]  # fmt: skip


def wide(rows):
    """A table of counts from rows of (ai, bi, ci, di)."""
    names = [f"study {i}" for i in range(1, len(rows) + 1)]
    cells = {cell: [row[i] for row in rows] for i, cell in enumerate(("ai", "bi", "ci", "di"))}
    return read_studies(pd.DataFrame({"study": names, **cells}))


def contrasts(y, v):
    names = [f"study {i}" for i in range(1, len(y) + 1)]
    return read_studies(pd.DataFrame({"study": names, "estimate": y, "se": np.sqrt(v)}))


@functools.cache
def table_of(golden, name, measure):
    """The study table and the measure to pool it by; read once for all methods."""
    data = golden("metafor_pool")[name]
    if "ai" in data:
        return counts_of(golden, name), measure
    return contrasts(data[measure]["yi"], data[measure]["vi"]), "GEN"


@functools.cache
def counts_of(golden, name):
    """The study table of a data set of counts."""
    data = golden("metafor_pool")[name]
    return wide(list(zip(*(data[cell] for cell in ("ai", "bi", "ci", "di")), strict=True)))


def near(method):
    rtol = ITERATIVE if method in ITERATED else CLOSED
    return {"rtol": rtol, "atol": 1e-14}


@pytest.mark.parametrize("method", INVERSE_VARIANCE)
@pytest.mark.parametrize(("name", "measure"), CASES)
def test_every_number_of_a_row_agrees_with_metafor(name, measure, method, golden):
    data = golden("metafor_pool")[name]
    want = data[measure]["inverse_variance"][method]
    row = pool(*table_of(golden, name, measure), methods=method)[method]
    keys = ["beta", "se", "ci_lb", "ci_ub", "pval", "tau2", "I2", "H2", "QE", "QEp", "k"]
    found = [row.estimate, row.se, row.ci_low, row.ci_high, row.p_value, row.tau2, row.i2, row.h2,
             row.q, row.q_p, row.k]  # fmt: skip
    assert_allclose(found, [want[key] for key in keys], **near(method))
    assert row.q_df == want["k"] - 1
    if method == "EE":
        assert np.isnan([row.pi_low, row.pi_high, row.tau2_ci_low, row.tau2_ci_high]).all()
        assert row.pi_method is None
    else:
        assert_allclose([row.pi_low, row.pi_high], [want["pi_lb"], want["pi_ub"]], **near(method))
        assert row.pi_method == "z: estimate +- z sqrt(se^2 + tau2)"
    if "tau2_qprofile_ci" in want and (name, measure, method) != CUT_SHORT:
        found = [row.tau2_ci_low, row.tau2_ci_high]
        assert_allclose(found, want["tau2_qprofile_ci"], rtol=ITERATIVE)


def test_the_one_limit_of_tau2_that_metafor_cut_short_is_ten_times_its_estimate(golden):
    # the interval does not depend on the estimator: under PM and REML metafor has the limit given
    # here; under DL its search ended at 10 tau2, where Q is not at its quantile
    name, measure, method = CUT_SHORT
    blocks = golden("metafor_pool")[name][measure]["inverse_variance"]
    row = pool(*table_of(golden, name, measure), methods=method)[method]
    low, high = blocks[method]["tau2_qprofile_ci"]
    assert_allclose(
        [row.tau2_ci_low, row.tau2_ci_high], blocks["PM"]["tau2_qprofile_ci"], rtol=1e-6
    )
    assert_allclose([row.tau2_ci_low, 10 * row.tau2], [low, high], rtol=1e-6)
    y, v = (np.array(golden("metafor_pool")[name][measure][key]) for key in ("yi", "vi"))
    for tau2, met in ((row.tau2_ci_high, True), (high, False)):
        w = 1 / (v + tau2)
        q = (w * (y - (w * y).sum() / w.sum()) ** 2).sum()
        assert math.isclose(q, stats.chi2.ppf(0.025, len(y) - 1), rel_tol=1e-7) == met


@pytest.mark.parametrize("interval", ["hksj", "hksj-adhoc"])
@pytest.mark.parametrize("method", RANDOM)
@pytest.mark.parametrize(("name", "measure"), CASES)
def test_knapp_hartung_rows_agree_with_metafor(name, measure, method, interval, golden):
    data = golden("metafor_pool")[name]
    block = data[measure]["inverse_variance"][method]
    want = block["knha" if interval == "hksj" else "adhoc"]
    row = pool(*table_of(golden, name, measure), methods=method, interval=interval)[method]
    found = [row.estimate, row.se, row.ci_low, row.ci_high, row.p_value]
    expected = [block["beta"], *(want[key] for key in ("se", "ci_lb", "ci_ub", "pval"))]
    assert_allclose(found, expected, **near(method))
    half = (row.pi_high - row.pi_low) / (row.ci_high - row.ci_low)
    assert_allclose(half, math.sqrt(1 + row.tau2 / row.se**2), rtol=1e-9)
    assert row.pi_method == "t(k - 1): estimate +- t sqrt(se^2 + tau2)"


@pytest.mark.parametrize(("name", "measure"), TABLES)
def test_mantel_haenszel_rows_agree_with_metafor(name, measure, golden):
    data = golden("metafor_pool")[name]
    want = data[measure]["mantel_haenszel"]
    row = pool(*table_of(golden, name, measure), methods="MH")["MH"]
    keys = ["beta", "se", "ci_lb", "ci_ub", "pval", "I2", "QE", "QEp"]
    found = [row.estimate, row.se, row.ci_low, row.ci_high, row.p_value, row.i2, row.q, row.q_p]
    assert_allclose(found, [want[key] for key in keys], **near("MH"))
    assert row.tau2 == 0.0
    assert np.isnan([row.tau2_ci_low, row.tau2_ci_high, row.pi_low, row.pi_high]).all()


@pytest.mark.parametrize("name", [name for name, measure in TABLES if measure == "OR"])
def test_peto_rows_agree_with_metafor(name, golden):
    data = golden("metafor_pool")[name]
    want = data["OR"]["peto"]
    row = pool(*table_of(golden, name, "OR"), methods="PETO")["PETO"]
    keys = ["beta", "se", "ci_lb", "ci_ub", "pval", "QE", "QEp"]
    found = [row.estimate, row.se, row.ci_low, row.ci_high, row.p_value, row.q, row.q_p]
    assert_allclose(found, [want[key] for key in keys], **near("PETO"))
    assert_allclose(row.i2, 100 * max(0, 1 - row.q_df / row.q), rtol=1e-12)
    assert_allclose(row.h2, row.q / row.q_df, rtol=1e-12)
    assert row.tau2 == 0.0


def test_peto_of_one_study_is_its_one_newton_step():
    row = pool(wide([(4, 20, 6, 18)]), "OR", methods="PETO")["PETO"]
    variance = 24 * 24 * 10 * 38 / (48**2 * 47)
    assert_allclose([row.estimate, row.se], [-1 / variance, variance**-0.5], rtol=1e-12)
    assert (row.k, row.q, row.q_df, row.q_p) == (1, 0.0, 0, 1.0)
    assert np.isnan([row.i2, row.h2]).all()


def test_peto_names_the_studies_that_add_nothing():
    rows = [(4, 20, 6, 18), (0, 15, 0, 14), (5, 30, 9, 25)]
    with_it = pool(wide(rows), "OR", methods="PETO")["PETO"]
    without = pool(wide([rows[0], rows[2]]), "OR", methods="PETO")["PETO"]
    assert with_it.estimate == without.estimate
    assert (with_it.k, with_it.q_df) == (3, 1)
    assert with_it.notes == ("double-zero studies add nothing: study 2",)


def test_peto_pools_odds_ratios_only():
    studies = wide([(4, 20, 6, 18), (5, 30, 9, 25)])
    with pytest.raises(ModelError, match="PETO pools counts by OR; this is RR"):
        pool(studies, "RR", methods="PETO")
    assert "PETO" not in pool(studies, "RR").methods


def test_all_intervals_of_a_row_have_its_level(golden):
    block = golden("metafor_pool")["raudenbush1985"]["GEN"]
    y, v = np.array(block["yi"]), np.array(block["vi"])
    row = pool(contrasts(y, v), "GEN", methods="DL", level=0.8)["DL"]
    z = 1.2815515655446004  # qnorm(0.9)
    assert_allclose(row.ci_high - row.estimate, z * row.se, rtol=1e-12)
    assert_allclose(row.pi_high - row.estimate, z * math.hypot(row.se, math.sqrt(row.tau2)))
    for tau2, quantile in (
        (row.tau2_ci_low, 25.989423082637209),  # qchisq(0.9, 18)
        (row.tau2_ci_high, 10.864936116508861),  # qchisq(0.1, 18)
    ):
        w = 1 / (v + tau2)
        q = (w * (y - (w * y).sum() / w.sum()) ** 2).sum()
        assert_allclose(q, quantile, rtol=1e-10)


@pytest.mark.parametrize("method", RANDOM)
@pytest.mark.parametrize("interval", ["wald", "hksj"])
def test_the_hts_prediction_interval_has_k_minus_2_degrees_of_freedom(method, interval, golden):
    data = golden("metafor_pool")["bcg"]
    want = data["OR"]["inverse_variance"][method]
    studies, _ = table_of(golden, "bcg", "OR")
    row = pool(studies, "OR", methods=method, interval=interval, pi="hts")[method]
    se = want["se"] if interval == "wald" else want["knha"]["se"]
    half = 2.2009851600916384 * math.sqrt(se**2 + want["tau2"])  # qt(0.975, 11)
    found = [row.pi_low, row.pi_high]
    assert_allclose(found, [want["beta"] - half, want["beta"] + half], **near(method))
    assert row.pi_method == "t(k - 2): estimate +- t sqrt(se^2 + tau2)"


def test_two_studies_have_no_hts_prediction_interval_and_say_so():
    row = pool(contrasts([0.1, 0.9], [0.1, 0.1]), "GEN", methods="DL", pi="hts")["DL"]
    assert np.isnan([row.pi_low, row.pi_high]).all()
    assert "prediction interval undefined: t(k - 2) needs three studies" in row.notes
    assert math.isfinite(row.ci_high)


def test_an_unknown_prediction_interval_gets_a_suggestion():
    with pytest.raises(ModelError, match=r"Unknown prediction interval 'HTS'.*Did you mean 'hts'"):
        pool(contrasts([0.1], [0.1]), "GEN", pi="HTS")


def test_a_published_reml_fit_comes_out(golden):
    data = golden("metafor_pool")["crins2014"]
    row = pool(*table_of(golden, "crins2014", "OR"), methods="REML")["REML"]
    want = data["published"]["REML"]
    found = [math.sqrt(row.tau2), row.estimate, row.se]
    assert_allclose(found, [want["tau"], want["mu"], want["se"]], rtol=ITERATIVE)


def test_a_row_printed_by_revman_comes_out(golden):
    data = golden("metafor_pool")["zhou2019_hypertension"]
    row = pool(*table_of(golden, "zhou2019_hypertension", "OR"), methods="MH-RM")["MH-RM"]
    found = {
        "OR": math.exp(row.estimate),
        "ci_low": math.exp(row.ci_low),
        "ci_high": math.exp(row.ci_high),
        "p": row.p_value,
        "q_p": row.q_p,
    }
    printed = data["published"]["MH-RM"]
    assert {key: f"{value:.2f}" for key, value in found.items()} == printed


def test_a_random_row_printed_by_revman_comes_out():
    # Zhou et al. (2019), Drug Des Devel Ther 13:857, Table 2: tacrolimus with mycophenolate and
    # glucocorticoids v cyclophosphamide and glucocorticoids, complete remission, "M-H, random".
    # With arms of 20 and 181, the counts of the two trials are the only ones that give that row.
    studies = wide([(10, 10, 1, 19), (83, 98, 46, 135)])
    row = pool(studies, "OR", methods="DL-MH")["DL-MH"]
    numbers = [row.estimate, row.ci_low, row.ci_high]
    assert [f"{math.exp(x):.2f}" for x in numbers] == ["5.13", "0.75", "35.02"]
    assert (f"{row.p_value:.2f}", f"{row.q_p:.2f}") == ("0.10", "0.07")
    plain = pool(studies, "OR", methods="DL")["DL"]
    assert f"{math.exp(plain.estimate):.3f}" == "5.115"  # about the other centre: not as printed


@pytest.mark.parametrize(("name", "measure"), TABLES)
def test_dl_about_mantel_haenszel_as_a_loop(name, measure, golden):
    data = golden("metafor_pool")[name]
    studies, _ = table_of(golden, name, measure)
    rows = pool(studies, measure, methods=["MH-RM", "DL-MH"])
    centre, row = rows["MH-RM"].estimate, rows["DL-MH"]
    effects = list(zip(data[measure]["yi"], data[measure]["vi"], strict=True))
    if measure != "RD":
        arms = zip(*(data[cell] for cell in ("ai", "bi", "ci", "di")), strict=True)
        both = [(a + c > 0 and b + d > 0) for a, b, c, d in arms]
        effects = [effect for effect, kept in zip(effects, both, strict=True) if kept]
    q = sum((y - centre) ** 2 / v for y, v in effects)
    w = [1 / v for _, v in effects]
    scale = sum(w) - sum(x**2 for x in w) / sum(w)
    tau2 = max(0.0, (q - len(w) + 1) / scale)
    w = [1 / (v + tau2) for _, v in effects]
    estimate = sum(x * y for x, (y, _) in zip(w, effects, strict=True)) / sum(w)
    assert_allclose([row.q, row.tau2], [q, tau2], rtol=1e-9)
    assert_allclose([row.estimate, row.se], [estimate, sum(w) ** -0.5], rtol=1e-9)
    i2 = 100 * max(0, 1 - (len(w) - 1) / q)
    assert_allclose([row.i2, row.q_df, row.k], [i2, len(w) - 1, len(w)], rtol=1e-9)


def test_the_t_interval_keeps_the_wald_error(golden):
    data = golden("metafor_pool")["bcg"]
    want = data["OR"]["inverse_variance"]["DL"]
    row = pool(*table_of(golden, "bcg", "OR"), methods="DL", interval="t", level=0.9)["DL"]
    assert_allclose(row.se, want["se"], rtol=CLOSED)
    t = 1.782287555649159  # qt(0.95, 12)
    assert_allclose(row.ci_high - row.estimate, t * row.se, rtol=1e-12)


def test_all_methods_that_apply_are_shown_when_none_is_named():
    rows = [(4, 20, 6, 18), (5, 30, 9, 25)]
    random = ("DL", "REML", "ML", "PM", "EB", "SJ", "HE", "HS", "DL2")
    assert pool(wide(rows), "OR").methods == ("EE", "MH", "MH-RM", *random, "DL-MH", "PETO")
    assert pool(contrasts([0.1, 0.2], [0.1, 0.1]), "GEN").methods == ("EE", *random)


@pytest.mark.parametrize("method", [name for name in METHODS if METHODS[name].default])
def test_every_method_has_the_json_keys_of_the_design(method):
    row = pool(wide([(4, 20, 6, 18), (5, 30, 9, 25)]), "OR", methods=method)[method].as_dict()
    assert list(row) == JSON_KEYS
    numbers = [value for value in row.values() if isinstance(value, float)]
    assert np.isfinite(numbers).all()
    assert isinstance(row["notes"], list)


def test_undefined_numbers_are_none_in_json():
    row = pool(wide([(4, 20, 6, 18)]), "OR", methods="REML")["REML"].as_dict()
    assert [row[key] for key in ("tau2", "i2", "h2", "pi_low", "pi_method")] == [None] * 5


@pytest.mark.parametrize(
    "method", [name for name in METHODS if METHODS[name].default and name != "PETO"]
)
def test_one_study_gives_its_own_estimate(method):
    row = pool(wide([(4, 20, 6, 18)]), "OR", methods=method)[method]
    assert_allclose(row.estimate, math.log(4 * 18 / (20 * 6)), rtol=1e-12)
    assert_allclose(row.se**2, 1 / 4 + 1 / 20 + 1 / 6 + 1 / 18, rtol=1e-12)
    assert (row.k, row.q, row.q_df, row.q_p) == (1, 0.0, 0, 1.0)
    assert np.isnan([row.i2, row.h2, row.pi_low, row.tau2_ci_high]).all()
    if method in (*TAU2, "DL-MH"):
        assert math.isnan(row.tau2)
        assert "tau not estimable from one study" in row.notes


@pytest.mark.parametrize("interval", ["t", "hksj", "hksj-adhoc"])
def test_one_study_has_no_t_interval_and_says_so(interval):
    row = pool(wide([(4, 20, 6, 18)]), "OR", methods="DL", interval=interval)["DL"]
    assert np.isnan([row.ci_low, row.ci_high, row.p_value]).all()
    assert math.isfinite(row.se)
    assert any("no degree of freedom" in note for note in row.notes)


def test_tau2_at_its_bound_is_noted():
    row = pool(contrasts([0.1, 0.12, 0.11], [1.0, 1.0, 1.0]), "GEN")["REML"]
    assert row.tau2 == row.tau2_ci_high == 0.0
    assert any("lower bound 0" in note for note in row.notes)
    assert any("no tau2 >= 0" in note for note in row.notes)


def test_a_knapp_hartung_error_below_the_plain_one_is_noted():
    studies = contrasts([0.1, 0.12, 0.11], [1.0, 1.0, 1.0])
    narrow = pool(studies, "GEN", methods="DL", interval="hksj")["DL"]
    assert any("hksj-adhoc never goes below" in note for note in narrow.notes)
    assert narrow.se < pool(studies, "GEN", methods="DL", interval="hksj-adhoc")["DL"].se


def test_the_revman_form_corrects_zero_cells_and_leaves_double_zeros_out():
    rows = [(0, 12, 3, 9), (4, 20, 6, 18), (0, 15, 0, 14), (2, 8, 1, 10)]
    row = pool(wide(rows), "OR", methods="MH-RM")["MH-RM"]
    up = down = 0.0
    for a, b, c, d in [(0.5, 12.5, 3.5, 9.5), (4, 20, 6, 18), (2, 8, 1, 10)]:
        up, down = up + a * d / (a + b + c + d), down + b * c / (a + b + c + d)
    assert_allclose(row.estimate, math.log(up / down), rtol=1e-12)
    q = sum(
        (math.log(a * d / (b * c)) - row.estimate) ** 2 / (1 / a + 1 / b + 1 / c + 1 / d)
        for a, b, c, d in [(0.5, 12.5, 3.5, 9.5), (4, 20, 6, 18), (2, 8, 1, 10)]
    )
    assert_allclose(row.q, q, rtol=1e-10)
    assert (row.k, row.q_df) == (3, 2)
    assert "double-zero studies left out: study 3" in row.notes
    assert "1/2 added to every cell of: study 1" in row.notes


def test_without_zero_cells_both_mantel_haenszel_forms_agree():
    rows = pool(wide([(4, 20, 6, 18), (5, 30, 9, 25)]), "RR")
    for field in ("estimate", "se", "q", "i2", "k"):
        assert_allclose(getattr(rows["MH"], field), getattr(rows["MH-RM"], field), rtol=1e-14)


def test_the_risk_difference_keeps_double_zero_studies():
    row = pool(wide([(4, 20, 6, 18), (0, 15, 0, 14)]), "RD", methods="MH-RM")["MH-RM"]
    assert row.k == 2


def test_a_double_zero_study_is_named_by_mantel_haenszel():
    rows = [(4, 20, 6, 18), (5, 30, 9, 25), (0, 15, 0, 14)]
    row = pool(wide(rows), "OR", methods="MH")["MH"]
    assert (row.k, row.q_df) == (3, 1)
    assert any("study 3" in note for note in row.notes)


@pytest.mark.parametrize("measure", ["OR", "RR", "RD"])
def test_only_double_zero_studies_are_an_error_by_name_and_a_note_otherwise(measure):
    studies = wide([(0, 10, 0, 12), (0, 20, 0, 18)])
    with pytest.raises(NotEstimableError, match="every study is double-zero"):
        pool(studies, measure, methods="MH")
    row = pool(studies, measure)["MH"]
    assert math.isnan(row.estimate)
    assert any("double-zero" in note for note in row.notes)
    assert math.isfinite(pool(studies, measure)["EE"].estimate)


def test_a_sum_of_zero_is_an_error_by_name_and_a_note_otherwise():
    studies = wide([(0, 10, 3, 7), (0, 8, 1, 9)])
    with pytest.raises(NotEstimableError, match="treated events x control non-events"):
        pool(studies, "OR", methods=["EE", "MH"])
    reference = pool(studies, "OR")
    assert math.isnan(reference["MH"].se)
    assert any("is zero" in note for note in reference["MH"].notes)
    assert math.isfinite(reference["MH-RM"].estimate)


def test_an_unknown_method_gets_a_suggestion():
    with pytest.raises(ModelError, match=r"Unknown method 'reml'.*Did you mean 'REML'"):
        pool(contrasts([0.1], [0.1]), "GEN", methods=["reml"])


def test_an_unknown_interval_gets_a_suggestion():
    with pytest.raises(ModelError, match="Did you mean 'hksj'"):
        pool(contrasts([0.1], [0.1]), "GEN", interval="hskj")


def test_an_error_rate_for_a_level_is_refused():
    with pytest.raises(ModelError, match="not the error rate"):
        pool(contrasts([0.1], [0.1]), "GEN", level=0.05)


def test_mantel_haenszel_of_contrasts_is_refused():
    with pytest.raises(ModelError, match="pools counts"):
        pool(contrasts([0.1], [0.1]), "GEN", methods="MH")


def test_mantel_haenszel_has_the_wald_interval_only():
    studies = wide([(4, 20, 6, 18), (5, 30, 9, 25)])
    with pytest.raises(ModelError, match="no hksj interval"):
        pool(studies, "OR", methods="MH", interval="hksj")
    reference = pool(studies, "OR", interval="hksj")
    assert reference["MH"].interval == "wald"
    assert any("no hksj interval" in note for note in reference["MH"].notes)
    assert reference["REML"].interval == "hksj"


def test_the_frame_has_a_row_per_method_and_columns_per_scale():
    reference = pool(wide([(4, 20, 6, 18), (5, 30, 9, 25)]), "OR")
    frame = reference.to_frame()
    assert frame["method"].tolist() == list(reference.methods)
    assert_allclose(frame["natural_estimate"], np.exp(frame["estimate"]), rtol=1e-14)
    assert_allclose(frame["natural_ci_low"], np.exp(frame["ci_low"]), rtol=1e-14)
    assert frame["natural_scale"].tolist() == ["OR"] * len(reference)
    assert "natural_tau2" not in frame
    difference = pool(wide([(4, 20, 6, 18), (5, 30, 9, 25)]), "RD").to_frame()
    assert_allclose(difference["natural_estimate"], difference["estimate"], rtol=1e-14)


def test_a_method_that_was_not_asked_for_is_not_there():
    reference = pool(contrasts([0.1, 0.2], [0.1, 0.1]), "GEN", methods=["DL", "EE"])
    assert [row.method for row in reference] == ["DL", "EE"]
    with pytest.raises(KeyError, match="REML"):
        reference["REML"]


@pytest.mark.parametrize("estimator", TAU2)
def test_every_estimator_of_tau2_is_a_method(estimator):
    row = pool(contrasts([0.1, 0.5, 0.9], [0.04, 0.1, 0.2]), "GEN", methods=estimator)[estimator]
    y, v = np.array([0.1, 0.5, 0.9]), np.array([0.04, 0.1, 0.2])
    assert_allclose(row.tau2, TAU2[estimator](y, v, np.ones((3, 1))), rtol=1e-9)


@settings(max_examples=12)
@given(effect_sets(min_rows=2))
def test_the_p_value_is_that_of_the_interval_which_touches_zero(effects):
    studies = contrasts(effects.y, effects.v)
    row = pool(studies, "GEN", methods="REML")["REML"]
    if 1e-6 < row.p_value < 0.49:
        touching = pool(studies, "GEN", methods="REML", level=1 - row.p_value)["REML"]
        limit = touching.ci_low if row.estimate > 0 else touching.ci_high
        assert_allclose(limit, 0.0, atol=1e-6 * row.se)
