"""The joint density of the mean effect and the heterogeneity, point by point."""

import numpy as np

from bayesmeta.errors import NotExactError
from bayesmeta.inference.gaussian import GaussianJoint
from bayesmeta.inference.gaussian_nodes import condition_on_tau
from bayesmeta.inference.posterior import Posterior
from bayesmeta.model import has_known_tau
from bayesmeta.priors import Fixed
from bayesmeta.scales import FloatArray


def joint_log_density(posterior: Posterior, mu: FloatArray, tau: FloatArray) -> FloatArray:
    """Log density of (mu, tau) given the data: likelihood times priors, no estimate from draws.

    Parameters
    ----------
    posterior : Posterior
        Of any engine.
    mu, tau : (point,)
        Analysis scale; tau > 0.

    Returns
    -------
    (point,)
        Per unit of mu and of tau, analysis scale. From NUTS, which does not give the marginal
        likelihood, it is known up to a constant.

    Raises
    ------
    NotExactError
        There is no such density (mu or tau is known), or this engine
        does not have the likelihood.

    Examples
    --------
    >>> import bayesmeta as bm
    >>> model = bm.Model(measure="OR", likelihood=bm.NormalLikelihood(),
    ...                  effect=bm.Normal(0, 2.82), heterogeneity=bm.HalfNormal(0.5))
    >>> post = bm.fit(model, bm.load("bcg"))
    >>> float(np.exp(joint_log_density(post, np.array([-0.7]), np.array([0.6])))[0].round(4))
    5.478
    """
    model, joint = posterior.bound.model, posterior.joint
    if isinstance(model.effect, Fixed) or has_known_tau(model):
        raise NotExactError(
            f"(mu, tau) has no joint density under {model}: one of them is known. Look at the "
            "marginals instead"
        )
    log_likelihood = joint.log_likelihood(mu, tau)
    if log_likelihood is not None:
        out: FloatArray = (
            log_likelihood.sum(-1)
            + model.effect.logpdf(mu)
            + model.heterogeneity.logpdf(tau)
            - (posterior.log_marginal_likelihood or 0.0)
        )
        return out
    if not isinstance(joint, GaussianJoint):
        raise NotExactError(
            "The studies are correlated, and this engine has no likelihood of them together. "
            'Fit with engine="exact"'
        )
    given = condition_on_tau(joint.rotated, tau)
    mean = given.beta[:, 0] + joint.rotated.offset[0]
    variance = given.cov[:, 0, 0]
    with np.errstate(divide="ignore"):
        of_tau = np.log(posterior.tau.pdf(tau))
    conditional: FloatArray = of_tau - 0.5 * (
        np.log(2 * np.pi * variance) + (mu - mean) ** 2 / variance
    )
    return conditional
