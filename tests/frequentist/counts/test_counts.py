from dataclasses import fields

import numpy as np
import pytest
from frequentist.metafor_cases import TABLES
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import stats
from tolerances import CLOSED

from bayesmeta.errors import NotEstimableError
from bayesmeta.frequentist.counts.tables import MANTEL_HAENSZEL, REVMAN, Tables, peto_or

cells = st.integers(1, 300)
studies = st.lists(st.tuples(cells, cells, cells, cells), min_size=1, max_size=6)
zero_or_more = st.integers(0, 40)


def tables(a, b, c, d):
    return Tables(
        a=np.array(a, float), b=np.array(b, float), c=np.array(c, float), d=np.array(d, float)
    )


@pytest.mark.parametrize(("name", "measure"), TABLES)
def test_mantel_haenszel_agrees_with_metafor(name, measure, golden):
    data = golden("metafor_pool")[name]
    found = MANTEL_HAENSZEL[measure](tables(data["ai"], data["bi"], data["ci"], data["di"]))
    want = data[measure]["mantel_haenszel"]
    assert_allclose([found.estimate, found.se], [want["beta"], want["se"]], rtol=CLOSED)


@pytest.mark.parametrize("name", [name for name, measure in TABLES if measure == "OR"])
def test_peto_agrees_with_metafor(name, golden):
    data = golden("metafor_pool")[name]
    found = peto_or(tables(data["ai"], data["bi"], data["ci"], data["di"]))
    want = data["OR"]["peto"]
    assert_allclose(
        [found.estimate, found.se, found.q, found.q_p],
        [want["beta"], want["se"], want["QE"], want["QEp"]],
        rtol=CLOSED,
    )


def slow_peto(rows):
    """Peto by the book: observed minus expected over the hypergeometric variance."""
    terms = []
    for a, b, c, d in rows:
        moments = stats.hypergeom(a + b + c + d, a + c, a + b)
        if moments.var() > 0:
            terms.append((a - moments.mean(), moments.var()))
    z, v = (np.array(x) for x in zip(*terms, strict=True))
    mean = z.sum() / v.sum()
    return mean, v.sum() ** -0.5, (v * (z / v - mean) ** 2).sum(), len(terms) - 1


@given(st.lists(st.tuples(*[zero_or_more] * 4), min_size=1, max_size=6))
def test_peto_is_the_score_over_the_hypergeometric_variance(rows):
    rows = [(3, 4, 5, 6), *(row for row in rows if row[0] + row[1] and row[2] + row[3])]
    found = peto_or(tables(*zip(*rows, strict=True)))
    estimate, se, q, df = slow_peto(rows)
    assert_allclose(found.estimate, estimate, rtol=1e-9, atol=1e-11)
    assert_allclose(found.se, se, rtol=1e-10)
    assert_allclose(found.q, q, rtol=1e-8, atol=1e-10)
    assert found.q_df == df


@given(studies)
def test_swapping_the_arms_flips_the_sign_of_peto(rows):
    a, b, c, d = zip(*rows, strict=True)
    one, other = peto_or(tables(a, b, c, d)), peto_or(tables(c, d, a, b))
    assert_allclose(other.estimate, -one.estimate, rtol=1e-9, atol=1e-12)
    assert_allclose([other.se, other.q], [one.se, one.q], rtol=1e-8, atol=1e-11)


def test_peto_has_no_estimate_from_double_zero_studies():
    with pytest.raises(NotEstimableError, match="Peto's method has no finite estimate"):
        peto_or(tables([0, 9], [12, 0], [0, 8], [9, 0]))


def test_leading_axes_of_peto_are_a_batch():
    a, b, c, d = np.random.default_rng(4).integers(1, 50, size=(4, 5, 7))
    found = peto_or(tables(a, b, c, d))
    for i in range(5):
        one = peto_or(tables(a[i], b[i], c[i], d[i]))
        for field in fields(one):
            assert_allclose(getattr(found, field.name)[i], getattr(one, field.name), rtol=1e-12)


def slow_mantel_haenszel(measure, rows):
    """Mantel-Haenszel by the book, one table after the other: (estimate, variance)."""
    up = down = first = second = third = 0.0
    for a, b, c, d in rows:
        n1, n2, N = a + b, c + d, a + b + c + d
        if measure == "OR":
            R, S = a * d / N, b * c / N
            P, Q = (a + d) / N, (b + c) / N
            up, down = up + R, down + S
            first, second, third = first + P * R, second + P * S + Q * R, third + Q * S
        elif measure == "RR":
            up, down = up + a * n2 / N, down + c * n1 / N
            first += (n1 * n2 * (a + c) - a * c * N) / N**2
        else:
            up, down = up + (a * n2 - c * n1) / N, down + n1 * n2 / N
            first += (a * b * n2**3 + c * d * n1**3) / (n1 * n2 * N**2)
    if measure == "OR":
        variance = first / (2 * up**2) + second / (2 * up * down) + third / (2 * down**2)
        return np.log(up / down), variance
    if measure == "RR":
        return np.log(up / down), first / (up * down)
    return up / down, first / down**2


@pytest.mark.parametrize("measure", REVMAN)
def test_the_revman_form_adds_one_half_before_the_sums(measure):
    given_cells = [(0, 12, 3, 9), (4, 20, 6, 18), (2, 8, 0, 10)]
    by_hand = [(0.5, 12.5, 3.5, 9.5), (4, 20, 6, 18), (2.5, 8.5, 0.5, 10.5)]
    found = REVMAN[measure](tables(*zip(*given_cells, strict=True)).with_half_added())
    estimate, variance = slow_mantel_haenszel(measure, by_hand)
    assert_allclose(found.estimate, estimate, rtol=1e-13)
    assert_allclose(found.se**2, variance, rtol=1e-13)


@pytest.mark.parametrize("measure", MANTEL_HAENSZEL)
@given(rows=studies)
def test_swapping_the_arms_flips_the_sign(measure, rows):
    a, b, c, d = zip(*rows, strict=True)
    for form in (MANTEL_HAENSZEL, REVMAN):
        one, other = form[measure](tables(a, b, c, d)), form[measure](tables(c, d, a, b))
        assert_allclose(other.estimate, -one.estimate, rtol=1e-9, atol=1e-12)
        assert_allclose(other.se, one.se, rtol=1e-9)


@pytest.mark.parametrize("measure", MANTEL_HAENSZEL)
@given(rows=studies)
def test_the_order_of_the_studies_does_not_matter(measure, rows):
    a, b, c, d = zip(*rows, strict=True)
    for form in (MANTEL_HAENSZEL, REVMAN):
        one = form[measure](tables(a, b, c, d))
        other = form[measure](tables(a[::-1], b[::-1], c[::-1], d[::-1]))
        assert_allclose(other.estimate, one.estimate, rtol=1e-9, atol=1e-12)
        assert_allclose(other.se, one.se, rtol=1e-9)


@given(cells, cells, cells, cells)
def test_one_study_pools_to_its_own_effect_and_error(a, b, c, d):
    one, n1, n2 = tables([a], [b], [c], [d]), a + b, c + d
    odds = MANTEL_HAENSZEL["OR"](one)
    assert_allclose(odds.estimate, np.log(a * d / (b * c)), rtol=1e-10, atol=1e-13)
    assert_allclose(odds.se**2, 1 / a + 1 / b + 1 / c + 1 / d, rtol=1e-10)
    risk = MANTEL_HAENSZEL["RR"](one)
    assert_allclose(risk.estimate, np.log(a / n1) - np.log(c / n2), rtol=1e-9, atol=1e-12)
    assert_allclose(risk.se**2, b / (a * n1) + d / (c * n2), rtol=1e-10)
    difference = REVMAN["RD"](one)
    assert_allclose(difference.estimate, a / n1 - c / n2, rtol=1e-9, atol=1e-14)
    assert_allclose(difference.se**2, a * b / n1**3 + c * d / n2**3, rtol=1e-10)


def test_a_double_zero_study_adds_nothing_to_the_odds_ratio():
    without = MANTEL_HAENSZEL["OR"](tables([4, 9], [20, 30], [6, 8], [18, 40]))
    with_it = MANTEL_HAENSZEL["OR"](tables([4, 9, 0], [20, 30, 15], [6, 8, 0], [18, 40, 14]))
    assert_allclose([with_it.estimate, with_it.se], [without.estimate, without.se], rtol=1e-14)


@pytest.mark.parametrize(
    ("measure", "rows", "what"),
    [
        ("OR", [(0, 10, 3, 7), (0, 8, 1, 9)], "treated events x control non-events"),
        ("OR", [(3, 7, 0, 10), (1, 9, 0, 8)], "treated non-events x control events"),
        ("RR", [(0, 10, 3, 7), (0, 8, 1, 9)], "treated arms' events"),
        ("RR", [(3, 7, 0, 10), (1, 9, 0, 8)], "control arms' events"),
        ("RR", [(10, 0, 10, 0), (9, 0, 8, 0)], "variance of the log risk ratio"),
        ("RD", [(0, 10, 0, 10), (0, 8, 0, 9)], "variance of the risk difference"),
        ("RD", [(10, 0, 0, 10), (9, 0, 0, 13)], "variance of the risk difference"),
    ],
)
def test_a_sum_of_zero_is_named_as_the_reason(measure, rows, what):
    with pytest.raises(NotEstimableError, match=what):
        MANTEL_HAENSZEL[measure](tables(*zip(*rows, strict=True)))


@pytest.mark.parametrize("measure", MANTEL_HAENSZEL)
def test_leading_axes_are_a_batch(measure):
    rng = np.random.default_rng(3)
    a, b, c, d = rng.integers(1, 50, size=(4, 5, 7))
    found = MANTEL_HAENSZEL[measure](tables(a, b, c, d))
    for i in range(5):
        one = MANTEL_HAENSZEL[measure](tables(a[i], b[i], c[i], d[i]))
        assert_allclose(found.estimate[i], one.estimate, rtol=1e-13)
        assert_allclose(found.se[i], one.se, rtol=1e-13)


def test_only_tables_with_a_zero_get_one_half():
    found = tables([0, 4], [12, 20], [3, 6], [9, 18]).with_half_added()
    cells_of_both = [getattr(found, field.name).tolist() for field in fields(found)]
    assert cells_of_both == [[0.5, 4.0], [12.5, 20.0], [3.5, 6.0], [9.5, 18.0]]
