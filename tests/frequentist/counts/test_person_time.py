import numpy as np
import pandas as pd
import pytest
from frequentist.tables import contrasts, table
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

import bayesmeta as bm
from bayesmeta.errors import ModelError, NotEstimableError
from bayesmeta.frequentist import pool
from bayesmeta.frequentist.counts.person_time import (
    PersonTime,
    mantel_haenszel_ird,
    mantel_haenszel_irr,
)
from bayesmeta.studies import read_studies

PRINTED = 6e-5
RATES = ("x1i", "t1i", "x2i", "t2i")

arms = st.lists(
    st.tuples(st.integers(0, 40), st.floats(1, 900), st.integers(0, 40), st.floats(1, 900)),
    min_size=2,
    max_size=6,
).filter(lambda rows: sum(row[0] for row in rows) > 0 and sum(row[2] for row in rows) > 0)


@pytest.mark.parametrize(
    ("name", "measure"),
    [("doctors", "IRR"), ("doctors", "IRD"), ("tolbutamide", "OR"), ("tolbutamide", "RR"),
     ("tolbutamide", "RD")],
)  # fmt: skip
def test_the_tables_of_rothman_greenland_and_lash_come_out(name, measure, golden):
    data = golden("pooling_printed")["rothman2008"][name]
    row = pool(table(data["rows"], data["columns"]), measure, methods="MH", level=0.9)["MH"]
    want = data[measure]
    found = [row.estimate, row.ci_low, row.ci_high, row.q, row.q_p]
    expected = [want["estimate"], *want["ci"], want["q"], want["q_p"]]
    assert_allclose(found, expected, rtol=0, atol=PRINTED)


def test_a_bundled_table_as_a_loop():
    rates = bm.load("nielweise2008").rates()
    up = down = top = weight = spread = 0.0
    cells = zip(rates.events_treated, rates.time_treated, rates.events_control, rates.time_control,
                strict=True)  # fmt: skip
    for x1, t1, x2, t2 in cells:
        total = t1 + t2
        up, down = up + x1 * t2 / total, down + x2 * t1 / total
        top += (x1 + x2) * t1 * t2 / total**2
        weight += t1 * t2 / total
        spread += (t1 * t2 / total) ** 2 * (x1 / t1**2 + x2 / t2**2)
    ratio = pool(bm.load("nielweise2008"), "IRR", methods="MH")["MH"]
    want = [np.log(up / down), np.sqrt(top / (up * down))]
    assert_allclose([ratio.estimate, ratio.se], want, rtol=1e-12)
    difference = pool(bm.load("nielweise2008"), "IRD", methods="MH")["MH"]
    want = [(up - down) / weight, np.sqrt(spread) / weight]
    assert_allclose([difference.estimate, difference.se], want, rtol=1e-12)


@given(arms)
def test_swapping_the_arms_flips_the_sign(rows):
    swapped = [(x2, t2, x1, t1) for x1, t1, x2, t2 in rows]
    for estimate in (mantel_haenszel_irr, mantel_haenszel_ird):
        one, other = (
            estimate(
                PersonTime(**dict(zip(("x1", "t1", "x2", "t2"), np.array(cells).T, strict=True)))
            )
            for cells in (rows, swapped)
        )
        assert_allclose(other.estimate, -one.estimate, rtol=1e-9, atol=1e-12)
        assert_allclose(other.se, one.se, rtol=1e-9)


def test_rare_events_have_the_rate_ratio_of_the_risk_ratio():
    rows = [(7, 1_344_000.0, 11, 1_988_000.0), (3, 1_201_200.0, 14, 1_096_200.0)]
    rates = pool(table(rows, RATES), "IRR", methods="MH")["MH"]
    counts = [(a, int(n1), c, int(n2)) for a, n1, c, n2 in rows]
    risks = pool(table(counts, ("ai", "n1i", "ci", "n2i")), "RR", methods="MH")["MH"]
    assert_allclose([rates.estimate, rates.se], [risks.estimate, risks.se], rtol=1e-4)


def test_an_arm_without_any_event_has_no_rate_ratio():
    studies = table([(0, 10.0, 3, 12.0), (0, 8.0, 1, 9.0)], RATES)
    with pytest.raises(NotEstimableError, match="treated arms' events is zero"):
        pool(studies, "IRR", methods="MH")
    row = pool(studies, "IRD", methods="MH")["MH"]
    assert row.estimate < 0 < row.se


def test_a_study_without_events_is_left_out_of_q_and_named():
    studies = table([(7, 10.0, 3, 12.0), (0, 8.0, 0, 9.0), (2, 8.0, 5, 9.0)], RATES)
    row = pool(studies, "IRR", methods="MH")["MH"]
    assert (row.k, row.q_df) == (3, 1)
    assert "Q leaves out double-zero studies: study 2" in row.notes


def test_revman_has_no_form_for_person_time():
    assert "MH-RM" not in pool(bm.load("nielweise2008"), "IRR").methods
    with pytest.raises(ModelError, match="MH-RM"):
        pool(bm.load("nielweise2008"), "IRR", methods="MH-RM")
    with pytest.raises(ModelError, match="Method MH"):
        pool(contrasts([0.1], [0.1]), "GEN", methods="MH")


@pytest.mark.parametrize(("method", "source"), [("MH", "Sato"), ("MH-RM", "Greenland and Robins")])
def test_the_risk_difference_says_whose_error_it_has(method, source):
    row = pool(bm.load("bcg"), "RD", methods=method)[method]
    assert any(source in note for note in row.notes)


def test_a_design_effect_divides_events_and_times():
    rows = {"x1i": [8, 20], "t1i": [100, 200], "x2i": [12, 30], "t2i": [90, 210]}
    halves = {name: [x // 2 for x in value] for name, value in rows.items()}
    designed = pd.DataFrame(rows | {"design_effect": [2.0, 2.0]})
    one = pool(read_studies(designed), "IRR", methods="MH")["MH"]
    other = pool(read_studies(pd.DataFrame(halves)), "IRR", methods="MH")["MH"]
    assert_allclose([one.estimate, one.se], [other.estimate, other.se], rtol=1e-12)


def test_person_time_with_a_shared_control_arm_needs_it_split():
    frame = pd.DataFrame(
        {
            "study": list("ab"),
            "x1i": [8, 20],
            "t1i": [100, 200],
            "x2i": [12, 12],
            "t2i": [90, 90],
            "shared_control": "A",
        }
    )
    with pytest.raises(NotEstimableError, match="shared='split'"):
        pool(read_studies(frame, shared="covariance"), "IRR", methods="MH")
