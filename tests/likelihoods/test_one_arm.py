"""Exact likelihoods of one group per study."""

import numpy as np
import pandas as pd
import pytest
from likelihoods.brute import TAU, rectangle, reported
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from scipy.special import expit

import bayesmeta as bm
from bayesmeta.effects import compute_effects, get_measure
from bayesmeta.errors import ModelError, StudyTableError

ONE_ARM = bm.OneArmLikelihood()


def groups(rows, size="ni"):
    labels = [f"study {i + 1}" for i in range(len(rows))]
    return bm.read_studies(pd.DataFrame(rows, columns=["xi", size]).assign(study=labels))


def model(measure, effect, tau):
    return bm.Model(measure=measure, likelihood=ONE_ARM, effect=effect, heterogeneity=tau)


def by_scipy(measure, row, theta):
    if measure == "PLO":
        return stats.binom.logpmf(*row, expit(theta))
    return stats.poisson.logpmf(row[0], row[1] * np.exp(theta))


@pytest.mark.parametrize("measure", ["PLO", "IRLN"])
def test_the_probability_of_the_events(measure):
    rows, theta = [(3, 20), (0, 15), (9, 9), (400, 1000)], np.linspace(-9, 4, 14)
    data = ONE_ARM.prepare(
        groups(rows, "ni" if measure == "PLO" else "ti"), get_measure(measure), "none"
    )
    got = ONE_ARM.log_g(data, np.tile(theta, (4, 1)))
    assert_allclose(got, [by_scipy(measure, row, theta) for row in rows], rtol=1e-9, atol=1e-12)


def test_what_vanishes_where():
    rows = [(3, 20), (0, 15), (9, 9)]
    proportions = ONE_ARM.prepare(groups(rows), get_measure("PLO"), "none")
    assert_array_equal(ONE_ARM.vanishes(proportions), [[True, True], [False, True], [True, False]])
    rates = ONE_ARM.prepare(groups(rows, "ti"), get_measure("IRLN"), "none")
    assert_array_equal(ONE_ARM.vanishes(rates), [[True, True], [False, True], [True, True]])


@pytest.mark.slow
@pytest.mark.parametrize(("measure", "size"), [("PLO", "ni"), ("IRLN", "ti")])
@pytest.mark.parametrize("rows", [[(1, 20), (0, 15)], [(0, 9), (12, 30), (5, 11)]])
def test_zero_cells_and_two_studies_against_a_plain_rectangle(measure, size, rows):
    theta = np.linspace(-24, 24, 801)
    g = np.array([by_scipy(measure, row, theta) for row in rows])
    want = rectangle(np.maximum(g, -600), theta, bm.Normal(-1, 1.5), mu=(-11, 9))
    post = bm.fit(model(measure, bm.Normal(-1, 1.5), TAU), groups(rows, size))
    assert_allclose(list(reported(post).values()), list(want.values()), rtol=1e-7)


@pytest.mark.slow
def test_placebo_responders(golden):
    """RBesT vignette: logit mean N(0, 2), tau half-normal; to its Monte Carlo error.

    Some quantiles are a little more away: of tau, printed 0.041, 0.346, 0.893, exact 0.044, 0.353,
    0.875; of the new response, printed 0.112, 0.459, exact 0.111, 0.471 (by plain sums too).
    """
    table = groups(golden("published_counts")["ankylosing_spondylitis"])
    post = bm.fit(model("PLO", bm.Normal(0, 2), bm.HalfNormal(1)), table)
    assert_allclose(post.tau.mean, 0.377, atol=5e-3)
    assert_allclose(post.tau.quantile(0.5), 0.346, atol=7e-3)
    assert_allclose(post.tau.interval(), [0.041, 0.893], atol=2e-2)
    assert_allclose(expit(post.theta_new.interval()), [0.112, 0.459], atol=1.3e-2)
    narrow = bm.fit(model("PLO", bm.Normal(0, 2), bm.HalfNormal(0.5)), table)
    assert_allclose(narrow.tau.mean, 0.334, atol=5e-3)
    for fit, mean, sd in ((post, 0.258, 0.084), (narrow, 0.257, 0.079)):
        x = np.linspace(-14, 11, 801)
        weight = fit.theta_new.pdf(x) * (x[1] - x[0])
        moments = [weight @ expit(x) ** m for m in (1, 2)]
        assert_allclose(moments[0], mean, atol=5e-3)
        assert_allclose(np.sqrt(moments[1] - moments[0] ** 2), sd, atol=5e-3)


def test_many_events_agree_with_the_normal_likelihood():
    for measure, size in (("PLO", "ni"), ("IRLN", "ti")):
        table = groups([(500_000, 10**6), (410_000, 10**6)], size)
        priors = {"effect": bm.Normal(0, 2), "heterogeneity": bm.HalfNormal(0.1)}
        normal = bm.Model(measure=measure, likelihood=bm.NormalLikelihood(), **priors)
        want = bm.fit(normal, table).mu.quantile([0.025, 0.975])
        got = bm.fit(model(measure, *priors.values()), table).mu.quantile([0.025, 0.975])
        assert_allclose(got, want, atol=1e-5)


def test_rates_of_one_group_are_read_and_have_their_log_rate():
    table = groups([(4, 100.5), (0, 20)], "ti")
    assert (table.layout, table.single_rates().time.tolist()) == ("single_rates", [100.5, 20])
    effects = compute_effects(table, "IRLN")
    assert_allclose(effects.y, [np.log(4 / 100.5), np.log(0.5 / 20)])
    assert_allclose(effects.S, [0.25, 2])
    with pytest.raises(StudyTableError, match="ti = 0: no person-time"):
        groups([(4, 0)], "ti")


def test_one_group_has_no_odds_ratio():
    with pytest.raises(
        ModelError, match="one_arm likelihood is offered for PLO, PR or IRLN, not for"
    ):
        ONE_ARM.prepare(groups([(4, 10)]), get_measure("PLN"), "none")
