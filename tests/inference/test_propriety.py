"""The rule of propriety, on both sides of its border."""

import numpy as np
import pytest
from cases import binomial_model, counts, estimates, normal_model
from numpy.testing import assert_allclose

import bayesmeta as bm
from bayesmeta.errors import ImproperPosteriorError
from bayesmeta.inference.propriety import find_tail_order

HC = bm.HalfCauchy(0.5)


def tails(model, table):
    return find_tail_order(model.bind(table))


def studies(k):
    return estimates(np.linspace(-0.5, 0.5, k), np.full(k, 0.05))


@pytest.mark.parametrize(
    ("effect", "tau", "k"),
    [
        (bm.Flat(), bm.Flat(), 2),
        (bm.Flat(), bm.Flat(), 1),
        (bm.Normal(0, 1), bm.Flat(), 1),
        (bm.Flat(), bm.OnTau2(bm.Flat()), 3),
    ],
)
def test_improper_posteriors_raise(effect, tau, k):
    with pytest.raises(ImproperPosteriorError, match=r"does not integrate.*half_normal"):
        bm.fit(normal_model(effect, tau), studies(k))


@pytest.mark.parametrize(
    ("effect", "tau", "k"),
    [
        (bm.Flat(), bm.Flat(), 3),
        (bm.Normal(0, 1), bm.Flat(), 2),
        (bm.Flat(), bm.OnTau2(bm.Flat()), 4),
        (bm.Flat(), bm.HalfNormal(1), 1),
        (bm.Flat(), HC, 1),
    ],
)
def test_one_step_on_the_other_side_they_fit(effect, tau, k):
    post = bm.fit(normal_model(effect, tau), studies(k))
    assert post.accuracy.error < 1e-8
    # the order claimed is the order the density has: its log-log slope far out
    order = find_tail_order(post.bound).of_tau
    if np.isfinite(order):
        far = np.array([2e3, 4e3])
        slope = np.diff(np.log(post.tau.pdf(far))) / np.log(2)
        assert_allclose(-slope, order, rtol=0.02)


def test_zero_cells_do_not_count_where_they_do_not_vanish():
    """Three tables, one of them vanishing at both ends: flat priors need three such."""
    table = counts((3, 20, 6, 22), (0, 15, 3, 16), (0, 30, 5, 31))
    assert tails(binomial_model(bm.Normal(0, 1), HC), table).of_tau == 3
    with pytest.raises(ImproperPosteriorError):
        tails(binomial_model(bm.Flat(), bm.Flat()), table)
    proper = counts((3, 20, 6, 22), (2, 15, 3, 16), (1, 30, 5, 31))
    assert tails(binomial_model(bm.Flat(), bm.Flat()), proper).of_tau == 2


def test_a_heavy_effect_prior_passes_its_tail_on_where_no_study_vanishes():
    table = counts((0, 20, 5, 20))
    cauchy = tails(binomial_model(bm.Cauchy(0, 1), bm.HalfNormal(0.5)), table)
    assert not cauchy.has_moment(1, of_mu=True)
    assert tails(binomial_model(bm.Normal(0, 1), bm.HalfNormal(0.5)), table).has_moment(2)
    both = counts((3, 20, 6, 22))
    assert tails(binomial_model(bm.Cauchy(0, 1), bm.HalfNormal(0.5)), both).has_moment(2)


def test_a_known_tau_needs_nothing_of_it():
    assert tails(normal_model(bm.Flat(), bm.Fixed(0.3)), studies(1)).has_moment(2)
