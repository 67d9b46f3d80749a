import numpy as np
import pytest
from frequentist.effect_sets import effect_sets
from frequentist.trouble_cases import contrasts
from hypothesis import given, settings
from numpy.testing import assert_allclose
from scipy import stats

from bayesmeta.errors import ModelError
from bayesmeta.frequentist.bias.fail_safe import fail_safe_n, orwin_n, rosenberg_n, rosenthal_n
from bayesmeta.studies import load


def test_the_printed_numbers_of_passive_smoking_are_met(golden):
    data = golden("metafor_trouble")["hackshaw1998"]
    want = data["fsn"]
    found = fail_safe_n(contrasts(data["yi"], data["vi"]), "GEN", target=want["orwin_target"])
    assert {row.method: row.n for row in found.rows} == {
        name: want[name] for name in ("rosenthal", "orwin", "rosenberg")
    }


def test_the_printed_numbers_of_teacher_expectancy_are_met(golden):
    want = golden("metafor_trouble")["raudenbush_printed"]["fsn"]
    found = fail_safe_n(load("raudenbush1985"), "GEN", target=want["orwin_target"])
    assert {row.method: row.n for row in found.rows} == {
        name: want[name] for name in ("rosenthal", "orwin", "rosenberg")
    }


def p_of_summed_z(y, v, nulls):
    z = (y / np.sqrt(v)).sum() / np.sqrt(len(y) + nulls)
    return stats.norm.sf(abs(z))


@given(effect_sets(min_rows=3, max_rows=8))
def test_rosenthals_number_is_where_significance_is_lost(effects):
    n = rosenthal_n(effects.y, effects.v, alpha=0.05)
    if n > 0:
        assert_allclose(p_of_summed_z(effects.y, effects.v, n), 0.05, rtol=1e-9)
    else:
        assert p_of_summed_z(effects.y, effects.v, 0) >= 0.05 - 1e-12


@given(effect_sets(min_rows=3, max_rows=8))
def test_rosenbergs_number_is_where_the_common_effect_loses_significance(effects):
    y, w = effects.y, 1 / effects.v
    n = rosenberg_n(y, effects.v, alpha=0.05)
    total = w.sum() + n * w.mean()
    p = 2 * stats.norm.sf(abs((w * y).sum() / np.sqrt(total)))
    if n > 0:
        assert_allclose(p, 0.05, rtol=1e-9)
    else:
        assert p >= 0.05 - 1e-12


@given(effect_sets(min_rows=3, max_rows=8))
def test_orwins_number_leaves_the_target(effects):
    mean = effects.y.mean()
    if abs(mean) > 1e-6:
        n = orwin_n(effects.y, target=mean / 5)
        assert_allclose(effects.y.sum() / (len(effects.y) + n), mean / 5, rtol=1e-9)


@settings(max_examples=12)
@given(effect_sets(min_rows=3, max_rows=8))
def test_turning_the_effects_round_changes_no_number(effects):
    first = fail_safe_n(contrasts(effects.y, effects.v), "GEN")
    second = fail_safe_n(contrasts(-effects.y, effects.v), "GEN")
    assert [row.n for row in second.rows] == [row.n for row in first.rows]


def test_a_target_on_the_other_side_keeps_its_row_with_the_reason():
    row = fail_safe_n(load("bcg"), "RR", target=0.1)["orwin"]
    assert row.n is None
    assert "give a target between it and 0" in row.notes[0]


def test_an_alpha_that_is_a_coverage_is_refused():
    with pytest.raises(ModelError, match=r"alpha = 0.95 is not an error rate"):
        fail_safe_n(load("bcg"), "RR", alpha=0.95)


def test_the_frame_has_a_row_for_each_method():
    assert fail_safe_n(load("bcg"), "RR").to_frame()["n"].tolist() == [598, 13, 370]
