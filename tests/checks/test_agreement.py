"""Agreement of a sampled posterior with the exact one."""

from dataclasses import replace

import numpy as np
import pytest
from checks.fakes import as_nuts
from numpy.testing import assert_allclose

import bayesmeta as bm
from bayesmeta.checks.agreement import LIMIT, compare_posteriors

MODEL = bm.Model(
    measure="OR",
    likelihood=bm.NormalLikelihood(),
    effect=bm.Normal(0, 2.82),
    heterogeneity=bm.HalfNormal(0.5),
)


def fit_bcg(**changes):
    return bm.fit(replace(MODEL, **changes), bm.load("bcg"))


@pytest.fixture(scope="module")
def exact():
    return fit_bcg()


def test_draws_of_the_exact_posterior_agree_with_it(exact):
    agreement = compare_posteriors(exact, as_nuts(exact))
    assert agreement.ok
    assert len(agreement.differences) == 8


@pytest.mark.slow
def test_over_many_runs_z_is_standard_normal(exact):
    z = [
        [d.z for d in compare_posteriors(exact, as_nuts(exact, draws=1000, seed=s)).differences]
        for s in range(40)
    ]
    assert_allclose(np.std(z, axis=0), 1.0, atol=0.35)


def test_a_shift_of_half_a_standard_deviation_is_seen(exact):
    agreement = compare_posteriors(exact, as_nuts(exact, shift=0.1))
    assert not agreement.ok
    assert agreement.largest.parameter == "mu"
    assert agreement.z("mu", "mean") > LIMIT


def test_another_prior_is_seen(exact):
    assert not compare_posteriors(exact, as_nuts(fit_bcg(heterogeneity=bm.HalfNormal(0.4)))).ok


def test_a_posterior_that_holds_nan_does_not_agree(exact):
    assert not compare_posteriors(exact, as_nuts(exact, shift=np.nan)).ok


def test_a_known_tau_is_compared_by_its_value_alone():
    known = fit_bcg(heterogeneity=bm.Fixed(0.3))
    agreement = compare_posteriors(known, as_nuts(known))
    assert agreement.ok
    assert [d.statistic for d in agreement.differences if d.parameter == "tau"] == ["mean"]


def test_moments_that_do_not_exist_are_left_out():
    flat = replace(MODEL, heterogeneity=bm.Flat(), effect=bm.Flat())
    heavy = bm.fit(flat, bm.load("bcg").drop(*bm.load("bcg").studies[4:]))
    assert np.isnan(heavy.tau.sd)
    compared = {
        (d.parameter, d.statistic)
        for d in compare_posteriors(heavy, as_nuts(heavy, draws=400)).differences
    }
    assert ("tau", "sd") not in compared
    assert ("tau", "97.5% quantile") in compared


def test_the_frame_has_one_row_per_number(exact):
    frame = compare_posteriors(exact, as_nuts(exact)).to_frame()
    assert list(frame.columns) == ["parameter", "statistic", "exact", "sampled", "mcse", "z"]
    assert_allclose(frame["z"], (frame["sampled"] - frame["exact"]) / frame["mcse"])
