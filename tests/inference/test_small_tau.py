from dataclasses import replace

import numpy as np
import pytest
from cases import binomial_model, counts
from numpy.testing import assert_allclose, assert_array_equal

import bayesmeta as bm
from bayesmeta.inference.integrate import StudyIntegral
from bayesmeta.inference.small_tau import sum_rows

TABLES = {
    "ordinary": counts((4, 123, 11, 139), (62, 13598, 248, 12867), (30, 200, 41, 190)),
    "zero cells": counts((0, 20, 5, 20), (3, 41, 0, 44), (0, 20, 0, 30)),
}


class Counting:
    """The sums of an integral, and how many pairs were asked for."""

    def __init__(self, integral):
        self.integral, self.pairs = integral, 0
        self.tables, self.bends_slowly = integral.tables, integral.bends_slowly

    def sum(self, mu, tau):
        self.pairs += len(mu)
        return self.integral.sum(mu, tau)


def rows(studies, line, *, largest=0.15, likelihood=None, part=1.0):
    """Rows of one line of mu for 20 values of tau, the last of which is not small.

    The tables are long enough for `part` of the line.
    """
    model = binomial_model()
    bound = replace(model, likelihood=likelihood or model.likelihood).bind(studies)
    tau = bound.data.se.min() * np.append(largest * np.linspace(0, 1, 19) ** 2, 2.0)
    mu = np.tile(line, (len(tau), 1))
    ends = part * mu[:, [0, -1]].reshape(-1)
    return Counting(StudyIntegral.build(bound, ends, np.repeat(tau, 2))), mu, tau


@pytest.mark.parametrize("name", TABLES)
def test_rows_of_small_tau_are_summed_at_few_points_and_exact_between_them(name):
    integral, mu, tau = rows(TABLES[name], np.linspace(-1.5, 0.5, 9))
    got = sum_rows(integral, mu, tau)
    assert integral.pairs <= (8 + 3) * 9
    want = integral.integral.sum(mu.reshape(-1), np.repeat(tau, 9))
    assert_allclose(got.log_likelihood, want.log_likelihood, rtol=0, atol=3e-12)
    assert_allclose(got.total, want.total, rtol=0, atol=3e-12)


def test_no_less_is_said_to_be_lost_than_at_any_of_the_rows():
    integral, mu, tau = rows(TABLES["zero cells"], np.linspace(-40.0, 40.0, 161), part=0.1)
    got = sum_rows(integral, mu, tau)
    assert integral.pairs < mu.size
    want = integral.integral.sum(mu.reshape(-1), np.repeat(tau, 161))
    assert ((want.leak > 1e-12) & (want.leak < 0.5)).any()
    assert (got.leak >= 0.5 * want.leak)[want.leak > 1e-15].all()


def test_rows_with_nodes_of_their_own_are_summed_as_they_are():
    integral, mu, tau = rows(TABLES["ordinary"], np.linspace(-1.5, 0.5, 9))
    mu = mu + 1e-9 * np.arange(len(tau))[:, None]
    got = sum_rows(integral, mu, tau)
    want = integral.integral.sum(mu.reshape(-1), np.repeat(tau, 9))
    assert_array_equal(got.total, want.total)


def test_where_eight_points_do_not_say_it_all_every_row_is_summed():
    """Nodes hundreds of standard errors away: log L_i changes by thousands with tau."""
    line, likelihood = np.linspace(60.0, 90.0, 9), bm.NormalLikelihood()
    integral, mu, tau = rows(TABLES["ordinary"], line, largest=0.2, likelihood=likelihood)
    got = sum_rows(integral, mu, tau)
    want = integral.integral.sum(mu.reshape(-1), np.repeat(tau, 9))
    assert_array_equal(got.total, want.total)
