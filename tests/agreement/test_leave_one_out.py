"""PSIS-LOO on a tree's log_likelihood against exact leave-one-out."""

import arviz_stats as azs
import numpy as np
import pytest
from cases import binomial_model, normal_model
from numpy.testing import assert_allclose
from scipy.integrate import quad

import bayesmeta as bm

BCG = bm.load("bcg")


def refitted_elpd(model):
    """log p(y_i | the rest): the evidence with study i over the evidence without it."""
    whole = bm.fit(model, BCG).log_marginal_likelihood
    return np.array(
        [whole - bm.fit(model, BCG.drop(s)).log_marginal_likelihood for s in BCG.studies]
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "model",
    [normal_model(bm.Normal(0, 2.82), bm.HalfNormal(0.5), "OR"), binomial_model()],
    ids=["normal", "binomial"],
)
def test_psis_loo_agrees_with_exact_leave_one_out(model):
    tree = bm.fit(model, BCG).to_datatree(draws=8000, rng=3)
    loo = azs.loo(tree, reff=1.0, pointwise=True)
    exact = refitted_elpd(model)
    assert float(loo.pareto_k.max()) < 0.7
    assert_allclose(loo.elpd_i.values, exact, atol=0.05)
    assert_allclose(float(loo.elpd), exact.sum(), atol=0.06)


def test_the_exact_elpd_of_the_normal_model_is_the_published_sum():
    """-14.737, from an independent coding."""
    exact = refitted_elpd(normal_model(bm.Normal(0, 2.82), bm.HalfNormal(0.5), "OR"))
    assert_allclose(exact.sum(), -14.737, atol=5e-4)


def test_the_exact_elpd_is_the_predictive_density():
    """For one study: p(y_i | the rest) by quadrature over the posterior of a new study's effect."""
    model = normal_model(bm.Normal(0, 2.82), bm.HalfNormal(0.5), "OR")
    data = model.bind(BCG).data
    new = bm.fit(model, BCG.drop(BCG.studies[3])).theta_new

    def density(theta):
        variance = data.S[3]
        kernel = np.exp(-0.5 * (data.y[3] - theta) ** 2 / variance) / np.sqrt(2 * np.pi * variance)
        return kernel * float(new.pdf(theta))

    want = np.log(quad(density, -3, 1, points=[data.y[3]], epsrel=1e-9)[0])
    assert_allclose(refitted_elpd(model)[3], want, rtol=1e-7)
