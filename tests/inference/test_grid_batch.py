"""Many data sets at once, against the fit of each by itself."""

import numpy as np
import pytest
from cases import BASELINE, counts, estimates
from families import FAMILIES, draw
from numpy.testing import assert_allclose

import bayesmeta as bm
from bayesmeta.errors import ModelError, NotExactError
from bayesmeta.inference.grid import fit_grid
from bayesmeta.inference.grid_batch import fit_grid_batch

BATCH_TOL = 1e-5


def numbers(posterior, at):
    """What a batch reports of one data set; means in posterior SDs are compared apart."""
    return {
        "mu_mean": posterior.mu.mean / posterior.mu.sd,
        "mu_sd": np.log(posterior.mu.sd),
        "tau_mean": np.log(posterior.tau.mean),
        "tau_sd": np.log(posterior.tau.sd),
        "log_marginal_likelihood": posterior.log_marginal_likelihood,
        "cdf": [
            posterior.mu.cdf(at[0]),
            posterior.tau.cdf(at[1]),
            posterior.theta_new.cdf(at[2]),
            posterior.theta.cdf(at[3])[0],
        ],
    }


def batch_numbers(fit, j):
    """The same of row j of a batch."""
    return {
        "mu_mean": fit.mu_mean[j] / fit.mu_sd[j],
        "mu_sd": np.log(fit.mu_sd[j]),
        "tau_mean": np.log(fit.tau_mean[j]),
        "tau_sd": np.log(fit.tau_sd[j]),
        "log_marginal_likelihood": fit.log_marginal_likelihood[j],
        "cdf": fit.cdf[j],
    }


def assert_same(bound, data_set, at):
    fit = fit_grid_batch(bound, data_set, at=at, tol=BATCH_TOL)
    assert fit.ok.all()
    for j, points in enumerate(at):
        want = numbers(fit_grid(bound.take(np.flatnonzero(data_set == j))), points)
        for name, value in batch_numbers(fit, j).items():
            assert_allclose(value, want[name], rtol=0, atol=fit.error[j], err_msg=f"{j} {name}")


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
def test_a_batch_agrees_with_single_fits_within_its_error(name):
    bound, truth = draw(name, 3)
    assert_same(bound, np.repeat(np.arange(3), FAMILIES[name].studies), truth)


def test_data_sets_may_have_different_numbers_of_studies_in_any_order():
    model = bm.Model(
        measure="OR",
        likelihood=bm.BinomialLikelihood(BASELINE),
        effect=bm.Normal(0, 2.82),
        heterogeneity=bm.HalfNormal(0.5),
    )
    bound = model.bind(counts((3, 20, 5, 20), (4, 50, 9, 45), (1, 12, 2, 10), (2, 9, 1, 8)))
    at = np.array([[-0.5, 0.2, -0.5, -1.0], [0.3, 0.1, 0.2, 0.2]])
    assert_same(bound, np.array([1, 0, 0, 0]), at)


def normal_bound(**changes):
    model = bm.Model(
        measure="GEN",
        likelihood=bm.NormalLikelihood(),
        **{"effect": bm.Normal(0, 1), "heterogeneity": bm.HalfNormal(0.5)} | changes,
    )
    return model.bind(estimates([0.1, 0.4, 0.2], [0.04, 0.02, 0.05]))


def test_a_mean_between_bounds_agrees_with_single_fits():
    bound = normal_bound(effect=bm.Uniform(-1.5, 2))
    assert_same(bound, np.array([0, 0, 1]), np.array([[0.2, 0.1, 0.3, 0.1], [0.4, 0.3, 0.6, 0.2]]))


def test_arrays_that_do_not_fit_together_are_refused():
    with pytest.raises(ModelError, match=r"data_set \(3,\) and at \(batch, 4\)"):
        fit_grid_batch(normal_bound(), np.zeros(2, dtype=int), at=np.zeros((1, 4)))
    with pytest.raises(ModelError, match="from 0 to 1"):
        fit_grid_batch(normal_bound(), np.zeros(3, dtype=int), at=np.zeros((2, 4)))


@pytest.mark.parametrize(
    "changes",
    [
        {"heterogeneity": bm.Fixed(0)},
        {"effect": bm.Truncated(bm.Normal(0, 1), 0, np.inf)},
        {"random_effects": bm.StudentRandomEffects(4)},
    ],
)
def test_models_outside_the_batch_are_refused_by_name(changes):
    with pytest.raises(NotExactError, match="A batch needs"):
        fit_grid_batch(normal_bound(**changes), np.zeros(3, dtype=int), at=np.zeros((1, 4)))
