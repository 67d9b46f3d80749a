"""The test for subgroup differences."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose
from tolerances import CLOSED

import bayesmeta as bm
from bayesmeta.frequentist.subgroups import compare_subgroups

GROUPS = "rrrraarrrssss"  # any partition will do


@pytest.fixture(scope="module")
def groups():
    trials = bm.load("bcg")
    found = []
    for group in "ras":
        others = [name for name, one in zip(trials.studies, GROUPS, strict=True) if one != group]
        found.append(trials.drop(*others))
    return found


def pooled(groups, method):
    return [bm.pool(part, "OR", methods=[method])[method] for part in groups]


def test_q_of_all_studies_is_that_within_groups_and_that_between(groups, golden):
    within = sum(row.q for row in pooled(groups, "EE"))
    test = compare_subgroups(pooled(groups, "EE"))
    whole = golden("metafor_pool")["bcg"]["OR"]["inverse_variance"]["EE"]
    assert_allclose(test.q + within, whole["QE"], rtol=CLOSED)
    assert test.df + sum(row.q_df for row in pooled(groups, "EE")) == whole["k"] - 1


def test_of_two_groups_it_is_the_square_of_the_difference_in_standard_errors(groups):
    one, other = pooled(groups[:2], "REML")
    z = (one.estimate - other.estimate) / np.hypot(one.se, other.se)
    test = compare_subgroups([one, other])
    assert_allclose([test.q, test.df], [z**2, 1], rtol=CLOSED)
    assert_allclose(test.i2, 100 * max(0.0, 1 - 1 / z**2), rtol=CLOSED)


def test_a_group_without_an_estimate_does_not_count(groups):
    rows = pooled(groups, "DL")
    missing = replace(rows[0], estimate=np.nan, se=np.nan)
    assert compare_subgroups([missing, *rows[1:]]) == compare_subgroups(rows[1:])


def test_one_group_is_not_compared(groups):
    assert compare_subgroups(pooled(groups[:1], "DL")) is None
    assert compare_subgroups([]) is None
