"""True study effects whose densities are hard to lay on one line."""

import pandas as pd
from numpy.testing import assert_allclose, assert_array_equal

import bayesmeta as bm
from bayesmeta.inference import study_effects
from bayesmeta.inference.gaussian import fit_gaussian
from bayesmeta.inference.grid import fit_grid
from bayesmeta.inference.study_effects import _has_moment
from tests.tolerances import EXACT


def test_densities_in_bands_of_tau_are_those_of_the_gaussian_engine(monkeypatch):
    """Two precise studies that agree, and one that tells nothing: a small tau makes a peak."""
    monkeypatch.setattr(study_effects, "_MOST_ALONE", 100)  # nodes of one line for all tau
    table = bm.read_studies(
        pd.DataFrame({"study": ["a", "b", "c"], "yi": [0.65, 0.65, -1.1], "vi": [1e-6, 1e-6, 2.0]})
    )
    bound = bm.Model(
        measure="GEN",
        likelihood=bm.NormalLikelihood(),
        effect=bm.Normal(0.6, 0.3),
        heterogeneity=bm.HalfStudentT(3, 1),
    ).bind(table)
    got, want = fit_grid(bound).theta, fit_gaussian(bound).theta
    p = [0.025, 0.5, 0.975]
    assert got.density.masses.shape[1] > 1
    assert_allclose(got.quantile(p), want.quantile(p), rtol=0, atol=EXACT)
    assert_allclose(got.mean, want.mean, rtol=0, atol=EXACT)
    assert_allclose(got.sd, want.sd, rtol=EXACT)


def test_a_true_effect_whose_likelihood_ends_flat_has_no_more_moments_than_a_new_one():
    """A rate of no event, and a heavy prior of tau: nothing makes the effect's tail light."""
    table = bm.read_studies(
        pd.DataFrame({"study": ["a", "b", "c"], "xi": [0, 4, 9], "ti": [10.0, 50.0, 80.0]})
    )
    bound = bm.Model(
        measure="IRLN",
        likelihood=bm.OneArmLikelihood(),
        effect=bm.Normal(0, 100),
        heterogeneity=bm.HalfCauchy(0.3),
    ).bind(table)
    # tau falls as tau^-2 by its prior, and as tau^-2 more by the studies with events
    assert_array_equal(_has_moment(bound, 2), [True, True, True])
    assert_array_equal(_has_moment(bound, 3), [False, True, True])
