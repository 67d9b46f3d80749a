"""Exact posterior of unrelated effects under the normal likelihood: one closed form."""

from dataclasses import dataclass

import numpy as np

from bayesmeta.errors import NotExactError
from bayesmeta.inference.marginals import Marginal, NormalMixture, Undefined
from bayesmeta.inference.posterior import Accuracy, Draws, Posterior
from bayesmeta.likelihoods import NormalData
from bayesmeta.model import BoundModel
from bayesmeta.priors import Flat, Normal
from bayesmeta.scales import FloatArray

_NOTE = (
    "the true effects are unrelated: mu is their mean, weighted by the inverse of the sampling "
    "variances; there is no tau, and nothing is learnt about a new study"
)


def fit_unrelated(bound: BoundModel, *, tol: float = 1e-8) -> Posterior:
    """Posterior of theta_i ~ effect prior, each by itself, and of their weighted mean.

    With y ~ N(theta, S) and theta ~ N(m, s^2 I) the posterior of theta is normal with precision
    S^-1 + I / s^2; mu = 1'S^-1 theta / 1'S^-1 1. Under a flat prior mu is N of the common-effect
    estimate and its standard error.

    Raises
    ------
    NotExactError
        Another likelihood than the normal one, or an effect prior that is not normal or flat.
    """
    data, effect = bound.data, bound.model.effect
    if not isinstance(data, NormalData) or not isinstance(effect, Normal | Flat):
        raise NotExactError(
            f"Unrelated effects are offered under the normal likelihood with a normal or flat "
            f"effect prior, not under the {bound.model.likelihood} likelihood with {effect}. "
            'Choose those, or random_effects="normal"'
        )
    k = len(data.y)
    inverse = np.diag(1 / data.S) if data.S.ndim == 1 else np.linalg.inv(data.S)
    precision, pull = inverse, inverse @ data.y
    evidence = 0.0  # of a flat prior of density 1: each estimate's density integrates to 1
    theta_new: Marginal = Undefined()
    one = np.ones(1)
    if isinstance(effect, Normal):
        precision = inverse + np.eye(k) / effect.sd**2
        pull = pull + effect.mean / effect.sd**2
        total = (np.diag(data.S) if data.S.ndim == 1 else data.S) + effect.sd**2 * np.eye(k)
        away = data.y - effect.mean
        misfit = away @ np.linalg.solve(total, away)
        evidence = -0.5 * float(misfit + np.linalg.slogdet(2 * np.pi * total)[1])
        theta_new = NormalMixture(means=effect.mean * one, sds=effect.sd * one, weights=one)
    cov = np.linalg.inv(precision)
    mean = cov @ pull
    weight = inverse.sum(axis=1) / inverse.sum()
    eps = float(np.finfo(float).eps)
    error = eps * (64 + 4 * float(np.abs(data.y).max() / data.se.min()) + 8 * abs(evidence))
    return Posterior(
        bound=bound,
        engine="gaussian",
        mu=NormalMixture(
            means=weight @ mean * one, sds=np.sqrt(weight @ cov @ weight) * one, weights=one
        ),
        tau=Undefined(),
        theta_new=theta_new,
        theta=NormalMixture(
            means=mean[:, None], sds=np.sqrt(np.diagonal(cov))[:, None], weights=one
        ),
        log_marginal_likelihood=evidence,
        accuracy=Accuracy(error=error, tol=tol, nodes=(1,)),
        joint=UnrelatedJoint(bound=bound, mean=mean, cov=cov, weight=weight),
        notes=(*data.notes, _NOTE),
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class UnrelatedJoint:
    """Joint posterior of unrelated effects: `mean` (study,), `cov`, and weights of their mean."""

    bound: BoundModel
    mean: FloatArray
    cov: FloatArray
    weight: FloatArray

    def draw(self, draws: int, rng: np.random.Generator) -> Draws:
        """Give independent draws in 4 chains; tau is nan, for there is none."""
        n = -(-draws // 4)
        noise = rng.standard_normal((4, n, len(self.mean)))
        theta = self.mean + noise @ np.linalg.cholesky(self.cov).T
        nothing = np.full((4, n), np.nan)
        effect = self.bound.model.effect
        new = rng.normal(effect.mean, effect.sd, (4, n)) if isinstance(effect, Normal) else nothing
        return Draws(mu=theta @ self.weight, tau=nothing, theta_new=new, theta=theta)

    def log_likelihood(self, mu: FloatArray, tau: FloatArray) -> FloatArray | None:
        """Log N(y_i | m, v_i + s^2), whatever mu is; None for a flat prior or correlated rows."""
        data, effect = self.bound.data, self.bound.model.effect
        assert isinstance(data, NormalData)
        if data.S.ndim == 2 or not isinstance(effect, Normal):
            return None
        variance = data.S + effect.sd**2
        own = -0.5 * (np.log(2 * np.pi * variance) + (data.y - effect.mean) ** 2 / variance)
        return np.broadcast_to(own, (*np.broadcast_shapes(mu.shape, tau.shape), len(own)))

    def sample_stats(self) -> None:
        """None: there is no sampler."""
        return
