"""Columns under other names: capitals, signs between words, names told by hand."""

import pandas as pd
import pytest
from numpy.testing import assert_allclose

from bayesmeta.errors import StudyTableError
from bayesmeta.studies import read_studies

PAIRED = {"study": ["A"], "mean_post": [5], "sd_post": [2], "mean_pre": [6], "sd_pre": [2], "n": 20}
MEDIANS = {"study": ["A", "A"], "arm": ["drug", "none"], "n": 30, "median": [5, 6]}


@pytest.mark.parametrize(("header", "columns"), [("R", {}), ("corr", {"r": "corr"})])
def test_the_correlation_of_pairs_may_be_called_otherwise(header, columns):
    table = read_studies(pd.DataFrame(PAIRED | {header: [0.6]}), columns=columns)
    assert_allclose(table.frame["r"], [0.6])


@pytest.mark.parametrize(
    ("low", "columns"), [("Min", {}), ("lowest", {"min": "lowest"})], ids=["capital", "by hand"]
)
def test_minimum_and_maximum_may_be_called_otherwise(low, columns):
    table = read_studies(pd.DataFrame(MEDIANS | {low: [1, 2], "MAX": [9, 10]}), columns=columns)
    plain = read_studies(pd.DataFrame(MEDIANS | {"min": [1, 2], "max": [9, 10]}))
    assert_allclose(table.frame["sd"], plain.frame["sd"])


def test_the_five_numbers_of_wide_tables_may_be_called_otherwise():
    row = {"study": ["A"], "med1i": 5, "q1_1i": 1, "q3_1i": 9, "n1i": 30}
    row |= {"med2i": 6, "q1_2i": 2, "q3_2i": 10, "n2i": 30}
    capitals = pd.DataFrame({name.upper(): value for name, value in row.items()})
    by_hand = pd.DataFrame(row).rename(columns={"med1i": "middle"})
    want = read_studies(pd.DataFrame(row)).frame["mean"]
    assert_allclose(read_studies(capitals).frame["mean"], want)
    assert_allclose(read_studies(by_hand, columns={"med1i": "middle"}).frame["mean"], want)


def test_a_space_or_a_point_is_as_good_as_an_underscore():
    trials = {"study": ["A"], "ai": 3, "n1i": 30, "ci": 6, "n2i": 45, "ICC": 0.05}
    table = read_studies(pd.DataFrame(trials | {"Cluster size": 11}))
    assert "column 'Cluster size' read as 'cluster_size'" in table.notes
    assert_allclose(table.frame["design_effect"], [1.5, 1.5])


def test_the_missing_column_is_that_of_the_layout_that_fits_best():
    trials = pd.DataFrame({"study": ["A"], "arm": ["x"], "n": [9], "mean": [1], "se": [0.1]})
    with pytest.raises(StudyTableError, match="missing: sd"):
        read_studies(trials)
