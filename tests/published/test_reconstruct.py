"""The counts behind printed results, against the log of another program and brute force."""

import itertools
import math
import re

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from tolerances import CLOSED

import bayesmeta as bm
from bayesmeta.frequentist.counts.sums import pool_terms, table_terms
from bayesmeta.frequentist.counts.tables import Tables

REVIEWS = (
    "zhou_2019_lupus_nephritis",
    "wang_2018_nephrotic_syndrome",
    "kraaij_2016_lupus_nephritis",
)
RULES = {
    "zhou": "random if Q p < 0.1 else fixed",
    "wang": "random if Q p < 0.1 or I2 > 50% else fixed",
}
BY_NAME = {  # what else is known of the trials; every other row: rare events, or nothing to choose
    "zhou-2-11": {"known": {"Mok 2016": (46, 45)}},
    "zhou-2-12": {"at_least": {"Mok 2016": (46, 45), "Li 2012": (9, 9), "Yap 2012": (1, 4)}},
    "zhou-2-15": {"known": {"Bao 2008": (10, 1), "Liu 2015": (83, 46)}},
    "zhou-2-16": {"known": {"Bao 2008": (18, 9), "Liu 2015": (151, 114)}},
}


def row(text, ci, **numbers):
    return bm.PublishedRow(
        model=numbers.pop("model", "fixed"),
        estimate=bm.Printed.parse(text),
        ci=None if ci is None else tuple(map(bm.Printed.parse, ci)),
        k=numbers.pop("k", None),
        **{name: bm.Printed.parse(value) for name, value in numbers.items()},
    )


def printed(row_id):
    name = next(one for one in REVIEWS if one.startswith(row_id.split("-")[0]))
    return next(one for one in bm.load_published(name) if one.row_id == row_id)


def search(result, arms, **told):
    method = "DL-MH" if result.printed.model == "random" else "MH-RM"
    return bm.reconstruct(result.printed, arms, measure=result.measure, method=method, **told)


def arms_of(text):
    found = re.finditer(r"(?:^|; )(.*?) (\d+)/(\d+)", text)
    return {one[1]: (int(one[2]), int(one[3])) for one in found}


def shown(events):
    return " | ".join(", ".join(f"{a}v{c}" for a, c in counts) for counts in events.tolist())


def log_rows():
    frames = [bm.load_frame(f"{name}/reconstruction") for name in REVIEWS]
    return pd.concat(frames).to_dict("records")


LOG = {line["row"]: line for line in log_rows()}


@pytest.mark.slow
@pytest.mark.parametrize("row_id", [one for one in LOG if not one.startswith("kraaij")])
def test_every_reconstruction_is_found_again(row_id):
    line, result = LOG[row_id], printed(row_id)
    found = search(result, arms_of(line["trials"]))
    assert (found.found, found.folded) == (int(line["found"]), int(line["folded"]))
    if line["status"] == "not used":
        assert found.kept == 0
        return
    rule = None if len(found.arms) == 1 else RULES[row_id.split("-")[0]]
    told = BY_NAME.get(row_id, {"rare": row_id.startswith("zhou-3")})
    kept = found.keep(**told, rule=rule)
    assert shown(kept.events) == line["counts"]
    assert kept.unique == (line["status"] == "reconstructed-unique")


@pytest.mark.slow
@pytest.mark.parametrize(("row_id", "number"), [("7", 783), ("8", 4), ("9", 675), ("16", 0)])
def test_triple_therapy_is_not_pinned_down(row_id, number):
    # The log has 789, 1, 673 and 0. All sets in one list only have a trial with events in a whole
    # arm, to which 1/2 is added here, as RevMan's row of `pool` does, and was not in the log.
    row_id = f"kraaij-R-{row_id.zfill(2)}"
    found = search(printed(row_id), arms_of(LOG[row_id]["trials"]))
    assert found.found == found.folded == number


def test_random_effects_of_two_small_trials_have_one_table_and_its_mirror_image():
    found = search(printed("zhou-3-16"), {"Yap": (9, 7), "Li": (20, 20)})
    assert_array_equal(found.events, [[[4, 1], [3, 8]], [[4, 1], [12, 17]]])
    assert (found.found, found.folded, found.keep(rare=True).kept) == (2, 1, 1)
    assert str(found).startswith("2 sets of tables give every printed digit, 1 without mirror")


def test_a_single_trial_agrees_with_brute_force():
    result = row("2.5", ("0.6", "10.1"))
    found = bm.reconstruct(result, [(17, 19)], measure="OR", method="EE")
    expected = []
    for a, c in itertools.product(range(1, 17), range(1, 19)):
        log = math.log(a * (19 - c) / (c * (17 - a)))
        se = math.sqrt(1 / a + 1 / (17 - a) + 1 / c + 1 / (19 - c))
        limits = math.exp(log - 1.959963984540054 * se), math.exp(log + 1.959963984540054 * se)
        values = zip((math.exp(log), *limits), (2.5, 0.6, 10.1), strict=True)
        if all(abs(value - number) <= 0.05 for value, number in values):
            expected.append([[a, c]])
    assert expected
    assert found.events.tolist() == expected


def test_fewer_printed_digits_leave_more_tables():
    arms = {"Sinha": (31, 29)}
    exact = bm.reconstruct(row("1.79", ("1.11", "2.90")), arms, measure="RR", method="EE")
    rough = bm.reconstruct(row("1.8", None), arms, measure="RR", method="EE")
    assert shown(exact.events) == "23v12"
    assert {shown(one[None]) for one in exact.events} < {shown(one[None]) for one in rough.events}


@pytest.mark.parametrize("method", ["MH-RM", "DL-MH", "MH", "EE", "DL"])
@pytest.mark.parametrize("measure", ["OR", "RR"])
def test_the_sums_pool_as_the_reference_does(measure, method):
    rng = np.random.default_rng(1)
    n = rng.integers(8, 40, size=(2, 4))
    for _ in range(6):
        p = rng.uniform(0.05, 0.9, size=(2, 4)) if _ else np.full((2, 4), 0.05)
        events = rng.binomial(n, p)
        events[:, 3] = (0, 3)  # a zero cell, no double-zero study
        events[0, :3] = np.maximum(events[0, :3], 1)
        cells = {"ai": events[0], "n1i": n[0], "ci": events[1], "n2i": n[1]}
        frame = pd.DataFrame({"study": list("abcd"), **cells})
        expected = bm.pool(bm.read_studies(frame), measure, methods=[method])[method]
        a, c = events.astype(float)
        tables = Tables(a=a, b=n[0] - a, c=c, d=n[1] - c)
        found = pool_terms(table_terms(tables, measure, method)[:, :, None], method)
        pairs = {
            "estimate": math.exp(expected.estimate),
            "ci_low": math.exp(expected.ci_low),
            "ci_high": math.exp(expected.ci_high),
            "p": expected.p_value,
            "q": expected.q,
            "q_p": expected.q_p,
            "i2": expected.i2,
            "tau2": expected.tau2,
        }
        for name, value in pairs.items():
            assert_allclose(getattr(found, name), [value], rtol=CLOSED, atol=1e-12, err_msg=name)


def test_mirror_images_have_the_same_results():
    found = search(printed("zhou-3-19"), {"Li": (20, 20), "Mok": (74, 76)})
    results = found.results
    assert results["mirror_class"].nunique() == 1
    for name in ("estimate", "ci_low", "ci_high", "q", "tau2"):
        assert_allclose(results[name], results[name].iloc[0], rtol=CLOSED)


def test_solutions_are_a_study_table_from_which_one_is_chosen():
    found = search(printed("zhou-3-16"), {"Yap": (9, 7), "Li": (20, 20)})
    table = bm.read_studies(found.frame).select(arms=("treated", "control"))
    assert table.solutions == ("1", "2")
    pooled = bm.pool(table.select(solution=1), "OR", methods=["DL-MH"])["DL-MH"]
    assert round(math.exp(pooled.estimate), 2) == 0.95


def test_known_events_make_the_search_smaller_and_keep_its_solutions():
    result, arms = printed("zhou-3-17"), {"Li": (20, 20), "Mok": (74, 76)}
    everything = search(result, arms)
    some = search(result, arms, known={"Mok": (4, None)})
    assert shown(some.events) == shown(everything.keep(known={"Mok": (4, 7)}).events)
    assert everything.keep(at_most={"Li": (2, 6)}).unique
    assert everything.keep(at_least={"Li": (3, None)}).reasons == ("Li at least 3 v any",)


def test_a_rule_leaves_out_what_would_have_been_pooled_otherwise():
    arms = {"Choudhry": (21, 20), "Wang": (26, 8)}
    found = search(printed("wang-R-07"), arms)
    assert (found.kept, found.keep(rule=RULES["wang"]).kept) == (14, 7)
    assert found.keep(rule="DL if Q p < 0.1 or I2 > 50% else MH").kept == 7


def test_no_solution_is_said():
    found = bm.reconstruct(row("1.00", ("0.99", "1.01")), [(5, 5)], measure="OR", method="EE")
    assert found.kept == 0
    assert str(found).startswith("No set of tables gives every printed digit")
    assert found.frame.empty


def test_a_search_that_is_too_large_is_refused_with_its_size():
    with pytest.raises(bm.StudyTableError, match=r"sets of tables, more than 1e\+09.*known"):
        bm.reconstruct(row("1.0", None), [(60, 60)] * 4, measure="OR", method="MH-RM")


ARMS = {"A": (9, 7), "B": (20, 20)}
FAULTS = {
    "no trial": ({}, row("1.2", None), None, "no trial is given"),
    "an arm of nobody": ({"A": (0, 7)}, row("1.2", None), None, "not two numbers of patients"),
    "half a patient": ({"A": (9.5, 7)}, row("1.2", None), None, "not two numbers of patients"),
    "one arm": ({"A": (9,)}, row("1.2", None), None, "not two numbers of patients"),
    "another k": (ARMS, row("1.2", None, k=3), None, "2 trials are given, and .* for 3"),
    "a logarithm": (ARMS, row("-0.20", None), None, "estimate = -0.20: a ratio below 0"),
    "swapped limits": (ARMS, row("1.2", ("2.1", "0.4")), None, "lower limit is above"),
    "a p above 1": (ARMS, row("1.2", None, p="1.2"), None, "p = 1.2: no P value"),
    "an unknown trial": (ARMS, row("1.2", None), {"C": (1, 1)}, "study 'C': no such trial"),
    "too many events": (ARMS, row("1.2", None), {"A": (10, 1)}, "not events out of 9 and 7"),
    "no event known": (ARMS, row("1.2", None), {"A": (0, 0)}, "Leave the trial out"),
}


@pytest.mark.parametrize(("arms", "result", "known", "message"), FAULTS.values(), ids=FAULTS)
def test_what_cannot_be_searched_is_told(arms, result, known, message):
    with pytest.raises(bm.StudyTableError, match=message):
        bm.reconstruct(result, arms, measure="OR", method="EE", known=known)


def test_other_measures_and_methods_are_refused_by_name():
    with pytest.raises(bm.ModelError, match=r"Unknown measure 'RD'.*'OR', 'RR'"):
        bm.reconstruct(row("1.2", None), [(9, 7)], measure="RD", method="EE")
    with pytest.raises(bm.ModelError, match=r"Unknown method 'MH-RN'.*Did you mean 'MH-RM'"):
        bm.reconstruct(row("1.2", None), [(9, 7)], measure="OR", method="MH-RN")


def test_an_unknown_trial_is_not_kept_silently():
    found = search(printed("zhou-3-16"), {"Yap": (9, 7), "Li": (20, 20)})
    with pytest.raises(bm.StudyTableError, match="study 'Lee': no such trial"):
        found.keep(known={"Lee": (1, 1)})
