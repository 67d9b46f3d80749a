import numpy as np
import pytest
from cases import PROBS, bind_normal
from numpy.testing import assert_allclose
from tolerances import EXACT

import bayesmeta as bm
from bayesmeta.errors import ImproperPosteriorError, ModelError, NotExactError
from bayesmeta.inference.batch import fit_batch
from bayesmeta.inference.gaussian import fit_gaussian

EFFECT, TAU = bm.Normal(0, 2), bm.HalfNormal(0.5)


def ragged(batch=6, rows=7, seed=2):
    rng = np.random.default_rng(seed)
    keep = rng.random((batch, rows)) < 0.7
    keep[:, 0] = True
    v = rng.uniform(0.02, 0.5, (batch, rows))
    return rng.normal(0.2, 0.8, (batch, rows)), v, keep


@pytest.mark.parametrize(
    ("effect", "tau"),
    [(EFFECT, TAU), (bm.Flat(), TAU), (EFFECT, bm.HalfCauchy(0.3)), (bm.Fixed(0.1), TAU),
     (EFFECT, bm.Fixed(0.2)), (EFFECT, bm.Uniform(0, 3))],
)  # fmt: skip
def test_a_batch_is_its_single_fits(effect, tau):
    y, v, keep = ragged()
    batch = fit_batch(y, v, keep=keep, effect=effect, heterogeneity=tau)
    assert batch.ok.all()
    for i in range(len(y)):
        one = fit_gaussian(bind_normal(y[i][keep[i]], v[i][keep[i]], effect, tau))
        assert_allclose(batch.log_marginal_likelihood[i], one.log_marginal_likelihood, rtol=EXACT)
        for name, marginal in one.marginals.items():
            got = getattr(batch, f"{name}_quantiles")[i]
            assert_allclose(got, marginal.quantile(PROBS), rtol=EXACT, atol=1e-9, err_msg=name)
            assert_allclose(getattr(batch, f"{name}_mean")[i], marginal.mean, rtol=EXACT, atol=1e-9)
            assert_allclose(getattr(batch, f"{name}_sd")[i], marginal.sd, rtol=EXACT, atol=1e-12)
        assert_allclose(batch.mu_below_zero[i], one.mu.cdf(0.0), rtol=EXACT)


def test_masked_rows_may_hold_anything():
    y, v, keep = ragged()
    clean = fit_batch(y, v, keep=keep, effect=EFFECT, heterogeneity=TAU)
    y, v = np.where(keep, y, np.nan), np.where(keep, v, -1.0)
    again = fit_batch(y, v, keep=keep, effect=EFFECT, heterogeneity=TAU)
    assert_allclose(again.mu_mean, clean.mu_mean, rtol=EXACT)


def test_bad_numbers_are_told_with_their_place():
    y, v, keep = ragged()
    v[3, 0] = 0.0
    with pytest.raises(ModelError, match=r"v = 0.0 at batch 3, row 0: .*Mask the row"):
        fit_batch(y, v, keep=keep, effect=EFFECT, heterogeneity=TAU)
    with pytest.raises(ModelError, match="arrays of one shape"):
        fit_batch(y, v[:, :2], effect=EFFECT, heterogeneity=TAU)


def test_a_row_that_misses_the_tolerance_says_so_alone():
    y, v, keep = ragged(batch=2, rows=3)
    fit = fit_batch(y, v, keep=keep, effect=EFFECT, heterogeneity=TAU, tol=1e-17)
    assert not fit.ok.any()
    assert np.isnan(fit.mu_mean).all()
    assert (fit.error > 1e-17).all()


def test_improper_and_unsupported_priors_raise():
    y, v, _ = ragged()
    with pytest.raises(ImproperPosteriorError):
        fit_batch(y[:, :2], v[:, :2], effect=bm.Flat(), heterogeneity=bm.Flat())
    with pytest.raises(NotExactError, match="normal, flat or fixed"):
        fit_batch(y, v, effect=bm.Cauchy(0, 1), heterogeneity=TAU)


@pytest.mark.parametrize("effect", [EFFECT, bm.Flat(), bm.Fixed(0.1)])
def test_cdfs_at_given_points_are_those_of_single_fits(effect):
    y, v, keep = ragged()
    at = np.random.default_rng(3).uniform(0.1, 0.6, (len(y), 4))
    batch = fit_batch(y, v, keep=keep, effect=effect, heterogeneity=TAU, at=at)
    for i in range(len(y)):
        one = fit_gaussian(bind_normal(y[i][keep[i]], v[i][keep[i]], effect, TAU))
        want = [one.mu.cdf(at[i, 0]), one.tau.cdf(at[i, 1]), one.theta_new.cdf(at[i, 2]),
                one.theta.cdf(at[i, 3])[0]]  # fmt: skip
        assert_allclose(batch.cdf[i], want, rtol=EXACT, atol=1e-10)


def test_points_of_another_shape_are_refused():
    y, v, _ = ragged()
    with pytest.raises(ModelError, match=r"shape \(6, 4\), not \(6,\)"):
        fit_batch(y, v, effect=EFFECT, heterogeneity=TAU, at=np.zeros(6))
    masked = np.ones(y.shape, dtype=bool)
    masked[2, 0] = False
    with pytest.raises(ModelError, match="row 0 of every model"):
        fit_batch(y, v, keep=masked, effect=EFFECT, heterogeneity=TAU, at=np.zeros((6, 4)))
