"""What must hold of every method, whatever the data."""

from dataclasses import replace

import numpy as np
import pytest
from frequentist.effect_sets import effect_sets
from frequentist.tables import contrasts, table
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import stats

from bayesmeta.effects import MEASURES
from bayesmeta.frequentist import METHODS, pool
from bayesmeta.frequentist.tau2 import TAU2
from bayesmeta.frequentist.tau2.likelihood import fit_reml

COUNTED = {name: method.counts for name, method in METHODS.items() if method.counts}
FEW = settings(max_examples=8)
INTERVALS = [(name, one) for name, method in METHODS.items() for one in method.intervals]

cells = st.integers(1, 60)
tables = st.lists(st.tuples(cells, cells, cells, cells), min_size=2, max_size=6)


def of_contrasts(effects, method, **options):
    return pool(contrasts(effects.y, effects.v), "GEN", methods=method, **options)[method]


def of_tables(rows, method, measure, **options):
    return pool(table(rows), measure, methods=method, **options)[method]


@FEW
@given(data=st.data(), effects=effect_sets(min_rows=2))
def test_the_order_of_the_studies_does_not_matter(data, effects):
    order = data.draw(st.permutations(range(len(effects.y))))
    one = pool(contrasts(effects.y, effects.v), "GEN")
    other = pool(contrasts(effects.y[order], effects.v[order]), "GEN")
    for row in one:
        again = other[row.method]
        for name in ("estimate", "se", "tau2", "tau2_ci_high", "q", "p_value"):
            assert_allclose(getattr(again, name), getattr(row, name), rtol=1e-6, atol=1e-9)


@FEW
@given(data=st.data(), rows=tables)
def test_the_order_of_the_tables_does_not_matter(data, rows):
    plain, moved = table(rows), table(data.draw(st.permutations(rows)))
    for measure in ("OR", "RR", "RD"):
        one, other = pool(plain, measure), pool(moved, measure)
        for row in one:
            again = other[row.method]
            found = [again.estimate, again.se, again.q]
            assert_allclose(found, [row.estimate, row.se, row.q], rtol=1e-6, atol=1e-8)


@FEW
@given(rows=tables)
def test_swapping_the_arms_flips_the_sign(rows):
    plain, swapped = table(rows), table([(c, d, a, b) for a, b, c, d in rows])
    for measure in ("OR", "RR", "RD"):
        one, other = pool(plain, measure), pool(swapped, measure)
        for row in one:
            again = other[row.method]
            found = [again.estimate, again.ci_low, again.tau2]
            assert_allclose(found, [-row.estimate, -row.ci_high, row.tau2], rtol=1e-6, atol=1e-8)


@FEW
@given(effects=effect_sets(min_rows=2), unit=st.floats(1e-3, 1e3))
def test_effects_in_another_unit_give_everything_in_it(effects, unit):
    plain = pool(contrasts(effects.y, effects.v), "GEN")
    moved = pool(contrasts(unit * effects.y, unit**2 * effects.v), "GEN")
    for row in plain:
        again = moved[row.method]
        found = np.array([again.estimate, again.se, again.ci_low, again.pi_high]) / unit
        want = [row.estimate, row.se, row.ci_low, row.pi_high]
        assert_allclose(found, want, rtol=1e-6, atol=1e-8)
        assert_allclose(again.tau2 / unit**2, row.tau2, rtol=1e-6, atol=1e-9)
        assert_allclose([again.q, again.i2], [row.q, row.i2], rtol=1e-6, atol=1e-6)


@FEW
@given(effects=effect_sets(min_rows=2))
def test_every_study_twice_halves_the_common_effect_variance(effects):
    twice = replace(effects, y=np.tile(effects.y, 2), v=np.tile(effects.v, 2))
    one, other = of_contrasts(effects, "EE"), of_contrasts(twice, "EE")
    assert_allclose(other.estimate, one.estimate, rtol=1e-9, atol=1e-12)
    assert_allclose([other.se**2, other.q], [one.se**2 / 2, 2 * one.q], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("method", [name for name in COUNTED if METHODS[name].common])
@FEW
@given(rows=tables)
def test_every_table_twice_halves_the_variance(method, rows):
    once, twice = table(rows), table(2 * rows)
    for measure in set(COUNTED[method]) & {"OR", "RR", "RD"}:
        one, other = (pool(studies, measure, methods=method)[method] for studies in (once, twice))
        assert_allclose(other.estimate, one.estimate, rtol=1e-9, atol=1e-12)
        assert_allclose(other.se**2, one.se**2 / 2, rtol=1e-9)


@FEW
@given(effects=effect_sets(min_rows=3))
def test_where_tau2_is_zero_the_estimate_is_the_common_effect(effects):
    shrunk = replace(effects, y=effects.y * 1e-4)  # far less spread than chance gives
    reference = pool(contrasts(shrunk.y, shrunk.v), "GEN")
    common = reference["EE"]
    for row in reference:
        if row.tau2 == 0.0:
            found = [row.estimate, row.se, row.ci_low]
            assert_allclose(found, [common.estimate, common.se, common.ci_low], rtol=1e-12)
    assert sum(row.tau2 == 0.0 for row in reference) >= len(TAU2)


@pytest.mark.slow
@pytest.mark.parametrize(("method", "interval"), INTERVALS)
@settings(max_examples=4)
@given(data=st.data())
def test_the_test_of_the_limit_has_the_level(method, interval, data):
    # the null is moved to the limit by shifting the effects; a count cannot be shifted, so that
    # there the limit's distance from the estimate is held against the quantile of the test
    if METHODS[method].counts:
        measure = METHODS[method].counts[0]
        rows = data.draw(tables)
        if MEASURES[measure].layout == "single":
            rows = [(a, a + b) for a, b, _, _ in rows]
            row = pool(
                table(rows, ("xi", "ni")), measure, methods=method, interval=interval, level=0.9
            )[method]
        else:
            row = of_tables(rows, method, measure, interval=interval, level=0.9)
        law = stats.norm if interval == "wald" else stats.t(row.k - 1)
        if row.se > 1e-9:
            ratio = (row.ci_high - row.estimate) / row.se
            assert_allclose(2 * law.sf(ratio), 0.1, rtol=1e-6)
        return
    effects = data.draw(effect_sets(min_rows=2))
    row = of_contrasts(effects, method, interval=interval, level=0.9)
    if row.se > 1e-9:
        for limit in (row.ci_low, row.ci_high):
            moved = replace(effects, y=effects.y - limit)
            p = of_contrasts(moved, method, interval=interval).p_value
            assert_allclose(p, 0.1, rtol=1e-5)


def test_the_reml_score_vanishes_at_every_one_of_ten_thousand_fits():
    rng = np.random.default_rng(11)
    v = 10 ** rng.uniform(-3, 1, size=(10_000, 10))
    y = rng.normal(size=v.shape) * np.sqrt(v + rng.choice([0.0, 0.01, 0.3, 4.0], size=(10_000, 1)))
    fit = fit_reml(y, v, np.ones((10, 1)))
    w = 1 / (v + fit.tau2[:, None])
    total = w.sum(1)
    mean = (w * y).sum(1) / total
    pull = (w**2 * (y - mean[:, None]) ** 2).sum(1)  # y'PPy
    trace = total - (w**2).sum(1) / total  # tr P
    score = (pull - trace) / trace
    inner = ~fit.boundary
    assert inner.sum() > 5000
    assert_allclose(score[inner], 0.0, atol=1e-10)
    assert (score[fit.boundary] <= 1e-10).all()
    assert (fit.last_step <= 1e-12).all()
