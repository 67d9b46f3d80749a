"""Conditional likelihood of the odds ratio, against exact counting."""

from decimal import Decimal, localcontext
from math import comb

import numpy as np
import pytest
from cases import counts
from likelihoods.brute import TAU, rectangle, reported
from numpy.testing import assert_allclose, assert_array_equal

import bayesmeta as bm
from bayesmeta.effects import get_measure
from bayesmeta.errors import ImproperPosteriorError, ModelError

OR = get_measure("OR")
LIKELIHOOD = bm.ConditionalLikelihood()
TABLES = {
    "ordinary": (4, 123, 11, 139),
    "events are many": (300, 500, 280, 400),
    "zero treated": (0, 20, 5, 20),
    "all events": (20, 20, 12, 30),
    "a sum too long to stand": (4000, 9000, 3000, 9500),
    "long, at its end": (1, 9000, 7000, 9500),
    "rare": (1, 10**6, 5, 10**6),
    "unequal": (3000, 10**6, 100, 50_000),
}


def model(effect, tau):
    return bm.Model(measure="OR", likelihood=LIKELIHOOD, effect=effect, heterogeneity=tau)


def by_counting(table, theta):
    """All tables with these margins, in 60 digits: each term from the one before."""
    r, n_t, r_c, n_c = table
    s = r + r_c
    first, last = max(0, s - n_c), min(n_t, s)
    with localcontext() as context:
        context.prec = 60
        psi = Decimal(float(theta)).exp()
        term = Decimal(comb(n_t, first) * comb(n_c, s - first))
        total, wanted = Decimal(0), Decimal(0)
        for x in range(first, last + 1):
            wanted = term if x == r else wanted
            total += term
            term = term * (n_t - x) * (s - x) * psi / ((x + 1) * (n_c - s + x + 1))
        return float((wanted / total).ln())


def prepared(*tables):
    return LIKELIHOOD.prepare(counts(*tables), OR, "none")


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("away", [-9.0, -1.0, 0.0, 0.7, 12.0])
def test_the_probability_of_a_table_given_its_margins(name, away):
    data = prepared(TABLES[name])
    theta = data.y + away * data.se
    got = LIKELIHOOD.log_g(data, theta[:, None])[0, 0]
    assert_allclose(got, by_counting(TABLES[name], theta[0]), rtol=1e-12, atol=1e-14)


def test_a_million_treated_events_have_their_normal_approximation():
    """By Stirling's formula log g at its peak is -log(2 pi SD^2)/2, SD that of the events."""
    data = prepared((500_000, 10**6, 510_000, 10**6))
    theta = data.y[:, None] + np.array([-1.0, 0.0, 1.0]) * data.se[:, None]
    got = LIKELIHOOD.log_g(data, theta)[0]
    assert_allclose(got[1], -0.5 * np.log(2 * np.pi / data.se[0] ** 2), atol=1e-5)
    assert_allclose(got[[0, 2]] - got[1], -0.5, atol=1e-4)


def test_tables_without_an_event_say_nothing():
    data = prepared((0, 20, 0, 30), (20, 20, 30, 30))
    assert_array_equal(LIKELIHOOD.log_g(data, np.full((2, 1), 3.0)), 0)
    assert_array_equal(LIKELIHOOD.vanishes(data), False)
    with pytest.raises(ImproperPosteriorError):
        bm.fit(model(bm.Flat(), bm.HalfNormal(0.5)), counts((0, 20, 0, 30)))


def test_what_vanishes_where():
    tables = [TABLES[n] for n in ("ordinary", "events are many", "zero treated", "all events")]
    want = [[True, True], [True, True], [False, True], [True, False]]
    data = prepared(*tables)
    assert_array_equal(LIKELIHOOD.vanishes(data), want)
    far = LIKELIHOOD.log_g(data, np.tile([-60.0, -40.0, 40.0, 60.0], (4, 1)))
    assert_array_equal(np.abs(far[:, [0, 3]] - far[:, [1, 2]]) > 1e-9, want)


def test_leaving_a_double_zero_study_out_changes_nothing():
    priors = bm.Normal(0, 2.82), bm.HalfNormal(0.5)
    rows = (3, 40, 7, 42), (1, 30, 6, 31)
    with_it = bm.fit(model(*priors), counts(*rows, (0, 20, 0, 20)))
    without = bm.fit(model(*priors), counts(*rows))
    assert_allclose(with_it.mu.quantile(0.975), without.mu.quantile(0.975), rtol=1e-8)
    evidences = with_it.log_marginal_likelihood, without.log_marginal_likelihood
    assert_allclose(*evidences, rtol=1e-8)


@pytest.mark.slow
@pytest.mark.parametrize(
    "rows", [((1, 20, 6, 22), (0, 15, 3, 16)), ((11, 40, 20, 41), (2, 30, 0, 30), (0, 9, 0, 8))]
)
def test_zero_cells_and_two_studies_against_a_plain_rectangle(rows):
    theta = np.linspace(-24, 24, 801)
    g = np.array([[by_counting(row, t) for t in theta] for row in rows])
    want = rectangle(g, theta, bm.Normal(0, 1.5))
    post = bm.fit(model(bm.Normal(0, 1.5), TAU), counts(*rows))
    assert_allclose(list(reported(post).values()), list(want.values()), rtol=1e-7)


def test_many_events_agree_with_the_binomial_likelihood():
    table = counts((50_000, 10**5, 51_000, 10**5), (40_000, 10**5, 39_000, 10**5))
    priors = {"effect": bm.Normal(0, 1), "heterogeneity": bm.HalfNormal(0.1)}
    binomial = bm.Model(measure="OR", likelihood=bm.BinomialLikelihood(bm.Normal(0, 10)), **priors)
    got = bm.fit(model(*priors.values()), table).mu.quantile([0.025, 0.975])
    assert_allclose(got, bm.fit(binomial, table).mu.quantile([0.025, 0.975]), atol=1e-5)


def test_other_measures_are_refused():
    with pytest.raises(ModelError, match="conditional likelihood is offered for OR, not for RR"):
        LIKELIHOOD.prepare(counts(TABLES["ordinary"]), get_measure("RR"), "none")


@pytest.mark.slow
@pytest.mark.nuts
def test_a_sum_too_long_for_the_sampler_is_refused_by_name():
    table = counts((50_000, 10**6, 60_000, 10**6))
    with pytest.raises(ModelError, match=r"'study 1'.*too long for NUTS.*exact"):
        bm.fit(model(bm.Normal(0, 1), bm.HalfNormal(1)), table, engine="nuts", rng=1)
