"""Two exact engines with different mathematics, on random problems, within their own errors."""

import numpy as np
import pytest
from cases import PROBS, bind_normal

import bayesmeta as bm
from bayesmeta.inference.gaussian import fit_gaussian
from bayesmeta.inference.grid import fit_grid

EFFECTS = [bm.Normal(0, 2.82), bm.Normal(0, 0.1), bm.Flat()]
HETEROGENEITY = [
    bm.HalfNormal(0.5),
    bm.HalfCauchy(0.3),
    bm.Uniform(0, 5),
    bm.LogNormal(-1, 1),
    bm.InverseGamma(1, 0.15),
    bm.Exponential(0.5),
    bm.OnTau2(bm.LogNormal(-2, 1.5)),
    bm.HalfStudentT(3, 1),
]


def random_problem(rng):
    """From 1 to 30 studies, standard errors over three decades, tau from 0 to 10 of them."""
    k = int(rng.choice([1, 2, 3, 5, 10, 30]))
    se = 0.3 * (10 ** rng.uniform(0, 3)) ** rng.uniform(-0.5, 0.5, k)
    tau = rng.choice([0, 0.1, 1, 10]) * np.median(se)
    y = 3 * rng.normal() * rng.choice([0, 1, 10]) + tau * rng.normal(size=k)
    effect, heterogeneity = rng.choice(len(EFFECTS)), rng.choice(len(HETEROGENEITY))
    y = y + se * rng.normal(size=k)
    return bind_normal(y, se**2, EFFECTS[effect], HETEROGENEITY[heterogeneity])


def differences(one, other):
    """In posterior SDs, or a quarter of the interval; relative for tau; absolute otherwise."""
    yield "evidence", one.log_marginal_likelihood - other.log_marginal_likelihood
    for name in ("mu", "theta_new"):
        a, b = one.marginals[name], other.marginals[name]
        p, q = a.quantile(PROBS), b.quantile(PROBS)
        scale = a.sd if np.isfinite(a.sd) else (p[2] - p[0]) / 4
        yield f"{name} quantiles", np.abs(p - q).max() / scale
        yield f"{name} below 0", a.cdf(0.0) - b.cdf(0.0)
        if np.isfinite(a.sd):
            yield f"{name} sd", a.sd / b.sd - 1
    yield "tau quantiles", np.abs(one.tau.quantile(PROBS) / other.tau.quantile(PROBS) - 1).max()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_engines_differ_by_no_more_than_they_say(seed):
    rng = np.random.default_rng(seed)
    for _ in range(8):
        bound = random_problem(rng)
        gaussian, grid = fit_gaussian(bound), fit_grid(bound)
        allowed = gaussian.accuracy.error + grid.accuracy.error
        for name, difference in differences(gaussian, grid):
            assert abs(difference) <= allowed, (name, str(bound.model.heterogeneity))
