"""The densities that NUTS sees, against ours."""

import numpy as np
import pymc as pm
import pytensor
import pytest
from numpy.testing import assert_allclose
from priors.examples import CONTINUOUS, bulk

from bayesmeta.priors import Fixed, Flat, HalfNormal, LogNormal, OnTau2, Truncated, parse_prior

CONSTANTS = 3e-8  # PyMC holds constants of its own, such as log(2), in float32
DISTRIBUTIONS = [text for text in CONTINUOUS if "on_tau2" not in text]
TAU = np.array([0.01, 0.3, 1.5])

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def logp():
    """The log density of every example at its bulk, by PyMC, in one compiled function."""
    densities = []
    for text in DISTRIBUTIONS:
        kind, arguments = parse_prior(text).pymc_form()
        densities.append(pm.logp(getattr(pm, kind).dist(**arguments), bulk(text)))
    values = pytensor.function([], densities, mode="FAST_COMPILE")()
    return dict(zip(DISTRIBUTIONS, values, strict=True))


@pytest.mark.parametrize("text", DISTRIBUTIONS)
def test_the_density_is_that_of_pymc(text, logp):
    assert_allclose(parse_prior(text).logpdf(bulk(text)), logp[text], rtol=0, atol=CONSTANTS)


@pytest.mark.parametrize("prior", [HalfNormal(0.5), Truncated(LogNormal(0, 1), 0.001, 3)])
def test_a_prior_adds_its_variable_to_the_model(prior):
    with pm.Model() as model:
        tau = prior.pymc("tau")
    assert model.free_RVs == [tau]
    assert_allclose(pm.logp(tau, TAU).eval(), prior.logpdf(TAU), atol=CONSTANTS)


@pytest.mark.parametrize("variance", [HalfNormal(0.5), Flat()])
def test_a_prior_on_tau2_adds_the_variance_and_its_root(variance):
    with pm.Model() as model:
        tau = OnTau2(variance).pymc("tau")
    (tau2,) = model.free_RVs
    assert_allclose(tau.eval({tau2: 0.09}), 0.3)
    on_tau = pm.logp(tau2, TAU**2).eval() + np.log(2 * TAU)
    assert_allclose(on_tau, OnTau2(variance).logpdf(TAU), atol=CONSTANTS)
    assert_allclose(pm.logp(tau2, -0.1).eval(), -np.inf)


def test_a_flat_prior_covers_the_line_for_an_effect_and_half_of_it_for_tau():
    with pm.Model():
        mu, tau = Flat().pymc("mu"), Flat().pymc("tau")
    x = np.array([-1.0, 0.5, 1e6])
    assert_allclose(pm.logp(mu, x).eval(), [0, 0, 0])
    assert_allclose(pm.logp(tau, x).eval(), [-np.inf, 0, 0])


def test_a_fixed_value_is_a_constant_of_the_model():
    with pm.Model() as model:
        tau = OnTau2(Fixed(0.09)).pymc("tau")
    assert model.free_RVs == []
    assert_allclose(tau.eval(), 0.3)
