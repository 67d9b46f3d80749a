"""Data sets drawn from the model, for every study likelihood."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

import bayesmeta as bm
from bayesmeta.inference.grid_batch import GridBatchFit, fit_grid_batch
from bayesmeta.likelihoods import Likelihood

STUDIES = 3
TOL = 1e-4  # of the cdfs; the test of 2 000 of them sees differences of 0.04
EFFECT = bm.Normal(0.2, 1.0)
SCALE = 0.5  # of the half-normal prior of tau


@dataclass(frozen=True, kw_only=True)
class Family:
    """A likelihood, how data follow from the true effects, and what their prior is.

    `simulate(rng, theta)`: columns of a table, with the nuisance parameters drawn from their prior
    or, where that is improper, fixed at what the function says. Priors of mu and tau are `effect`
    and a half-normal of `scale`; mu and the true effects are cut to `bounds`.
    """

    measure: str
    likelihood: Likelihood
    simulate: Any
    effect: bm.Normal = EFFECT
    scale: float = SCALE
    studies: int = STUDIES
    bounds: tuple[float, float] = (-np.inf, np.inf)

    def draw_normal(self, rng, mean, sd, shape):
        """Draw between the bounds: what falls beyond is drawn again."""
        x = mean + sd * rng.standard_normal(shape)
        while (beyond := (x <= self.bounds[0]) | (x >= self.bounds[1])).any():
            x = np.where(beyond, mean + sd * rng.standard_normal(shape), x)
        return x


def expit(x):
    return 1 / (1 + np.exp(-x))


LEVEL = bm.Normal(-1.0, 0.8)  # prior of the baselines: log odds, average log odds or log rates


def draw_level(rng, theta):
    return rng.normal(LEVEL.mean, LEVEL.sd, theta.shape)


def draw_sizes(rng, theta):
    return rng.integers(20, 120, theta.shape), rng.integers(20, 120, theta.shape)


def table(rng, n_t, n_c, p_t, p_c):
    return {"ai": rng.binomial(n_t, p_t), "n1i": n_t, "ci": rng.binomial(n_c, p_c), "n2i": n_c}


def odds_ratios(rng, theta):
    """The control arm's log odds are drawn from their prior."""
    level = draw_level(rng, theta)
    return table(rng, *draw_sizes(rng, theta), expit(level + theta), expit(level))


def risk_ratios(rng, theta):
    """The average log odds are; the risks solve p_t = r p_c and logit p_t + logit p_c = 2 phi."""
    big_k, r = np.exp(2 * draw_level(rng, theta)), np.exp(theta)
    p_c = 2 * big_k / (big_k * (1 + r) + np.sqrt(big_k**2 * (1 - r) ** 2 + 4 * r * big_k))
    return table(rng, *draw_sizes(rng, theta), np.minimum(r * p_c, 1.0), p_c)


def risk_differences(rng, theta):
    """The average log odds are; m is the mean of the risks m - theta/2 and m + theta/2."""
    big_k = np.exp(2 * draw_level(rng, theta))
    square = theta**2 / 4
    m = (big_k + (1 - big_k) * square) / (big_k + np.sqrt(big_k + (1 - big_k) ** 2 * square))
    n_t, n_c = (2 * n for n in draw_sizes(rng, theta))
    return table(rng, n_t, n_c, m + theta / 2, m - theta / 2)


def rate_ratios(rng, theta):
    """The control arm's log rate is."""
    t_t, t_c = rng.uniform(10, 80, theta.shape), rng.uniform(10, 80, theta.shape)
    level = draw_level(rng, theta)
    return {
        "x1i": rng.poisson(t_t * np.exp(level + theta)),
        "t1i": t_t,
        "x2i": rng.poisson(t_c * np.exp(level)),
        "t2i": t_c,
    }


def proportions(rng, theta):
    """Nothing else is unknown."""
    n = rng.integers(10, 80, theta.shape)
    return {"xi": rng.binomial(n, expit(theta)), "ni": n}


def rates(rng, theta):
    """Nothing else is unknown."""
    time = rng.uniform(5, 60, theta.shape)
    return {"xi": rng.poisson(time * np.exp(theta)), "ti": time}


def correlations(rng, theta):
    """Of n pairs drawn one by one: means 0 and SDs 1, on which r does not depend."""
    n = rng.integers(6, 30, theta.shape)
    x, e = rng.standard_normal((2, *theta.shape, 30))
    keep = np.arange(30) < n[:, None]
    rho = np.tanh(theta)[:, None]
    pair = np.stack([x, rho * x + np.sqrt(1 - rho**2) * e])
    pair = keep * (pair - (keep * pair).sum(axis=-1, keepdims=True) / n[:, None])
    cross = (pair[0] * pair[1]).sum(axis=-1)
    return {"ri": cross / np.sqrt((pair**2).sum(axis=-1).prod(axis=0)), "ni": n}


def t_estimates(rng, theta):
    """Standard errors are estimated with 4 to 30 df; the true ones are fixed."""
    df = rng.integers(4, 31, theta.shape)
    se = np.exp(rng.uniform(np.log(0.1), np.log(0.6), theta.shape))
    y = theta + se * rng.standard_normal(theta.shape)
    return {"yi": y, "vi": se**2 * rng.chisquare(df) / df, "df": df}


def means(rng, theta):
    """The control arm's mean and both variances have improper priors: fixed at 5, 1 and 4."""
    out = {}
    for arm, mean, sd in (("1", 5 + theta, 1.0), ("2", np.full_like(theta, 5.0), 2.0)):
        n = rng.integers(5, 40, theta.shape)
        out[f"m{arm}i"] = mean + sd / np.sqrt(n) * rng.standard_normal(theta.shape)
        out[f"sd{arm}i"] = sd * np.sqrt(rng.chisquare(n - 1) / (n - 1))
        out[f"n{arm}i"] = n
    return out


FAMILIES = {
    "binomial OR": Family(
        measure="OR", likelihood=bm.BinomialLikelihood(LEVEL), simulate=odds_ratios
    ),
    "binomial RR": Family(
        measure="RR", likelihood=bm.BinomialLikelihood(LEVEL), simulate=risk_ratios
    ),
    "binomial RD": Family(
        measure="RD",
        likelihood=bm.BinomialLikelihood(LEVEL),
        simulate=risk_differences,
        effect=bm.Normal(0.1, 0.3),
        scale=0.2,
        studies=2,
        bounds=(-1, 1),
    ),
    "conditional OR": Family(
        measure="OR", likelihood=bm.ConditionalLikelihood(), simulate=odds_ratios
    ),
    "poisson IRR": Family(
        measure="IRR", likelihood=bm.PoissonLikelihood(LEVEL), simulate=rate_ratios
    ),
    "one-arm PLO": Family(measure="PLO", likelihood=bm.OneArmLikelihood(), simulate=proportions),
    "one-arm IRLN": Family(measure="IRLN", likelihood=bm.OneArmLikelihood(), simulate=rates),
    "correlation ZCOR": Family(
        measure="ZCOR", likelihood=bm.CorrelationLikelihood(), simulate=correlations
    ),
    "t, one estimate": Family(
        measure="GEN", likelihood=bm.StudentLikelihood(), simulate=t_estimates
    ),
    "t, two means": Family(measure="MD", likelihood=bm.StudentLikelihood(), simulate=means),
}


def draw(name, data_sets):
    """Draw data sets; give their bound model, and the truth."""
    family, rng = FAMILIES[name], np.random.default_rng([20_260_301, len(name)])
    mu = family.draw_normal(rng, family.effect.mean, family.effect.sd, data_sets)
    tau = np.abs(rng.normal(0, family.scale, data_sets))
    theta = family.draw_normal(rng, mu[:, None], tau[:, None], (data_sets, family.studies + 1))
    columns = family.simulate(rng, theta[:, :-1].reshape(-1))
    labels = [f"study {i}" for i in range(data_sets * family.studies)]
    model = bm.Model(
        measure=family.measure,
        likelihood=family.likelihood,
        effect=family.effect,
        heterogeneity=bm.HalfNormal(family.scale),
    )
    bound = model.bind(bm.read_studies(pd.DataFrame({"study": labels, **columns})))
    return bound, np.column_stack([mu, tau, theta[:, -1], theta[:, 0]])


def fit(name, data_sets) -> GridBatchFit:
    """Exact cdfs at the truth."""
    bound, truth = draw(name, data_sets)
    data_set = np.repeat(np.arange(data_sets), FAMILIES[name].studies)
    return fit_grid_batch(bound, data_set, at=truth, tol=TOL)
