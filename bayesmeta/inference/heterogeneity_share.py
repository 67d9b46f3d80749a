"""I2 as a posterior: the share of the variability between estimates that is heterogeneity."""

import numpy as np

from bayesmeta.errors import ModelError
from bayesmeta.inference.mapped import Mapped
from bayesmeta.inference.marginals import Marginal
from bayesmeta.likelihoods import NormalData
from bayesmeta.model import BoundModel
from bayesmeta.random_effects import NormalRandomEffects, UnrelatedEffects
from bayesmeta.scales import FloatArray


def typical_variance(S: FloatArray) -> float:
    """Typical sampling variance of estimates with a common mean.

    Parameters
    ----------
    S : (row,) or (row, row)
        Sampling variances, or the full covariance.

    Returns
    -------
    float
        (k - 1) / tr(P), with P the residual projection of weighted least squares; for variances v
        and w = 1/v it is (k - 1) sum(w) / (sum(w)^2 - sum(w^2)).

    References
    ----------
    Higgins and Thompson (2002), Statistics in Medicine 21:1539-1558, eq. 9; with a covariance,
    Jackson, White and Riley (2012), Statistics in Medicine 31:3805-3820.

    Examples
    --------
    >>> round(typical_variance(np.array([0.04, 0.04, 0.04])), 6)
    0.04
    """
    if S.ndim == 1:
        w = 1 / (S / S.min())
        trace = (w.sum() - (w**2).sum() / w.sum()) / S.min()
    else:
        W = np.linalg.inv(S)
        rows = W.sum(axis=0)
        trace = np.trace(W) - rows @ rows / rows.sum()
    return float((len(S) - 1) / trace)


def share_of_heterogeneity(bound: BoundModel, tau: Marginal) -> Mapped:
    """Posterior of I2 in percent, by the increasing map ``100 tau^2 / (tau^2 + v)``.

    Raises
    ------
    ModelError
        The likelihood is not normal, so that there is no sampling variance apart from the effect;
        the random effects are not normal; or there is one study only.
    """
    data = bound.data
    if not isinstance(data, NormalData):
        raise ModelError(
            f"I2 has no meaning for the {bound.model.likelihood} likelihood, which has no sampling "
            "variance apart from the effect. Report tau, or use the normal likelihood"
        )
    if isinstance(bound.model.random_effects, UnrelatedEffects):
        raise ModelError(
            "I2 has no meaning for unrelated effects, which have no tau. Report the effects of the "
            "studies"
        )
    if not isinstance(bound.model.random_effects, NormalRandomEffects):
        raise ModelError(
            f"I2 has no meaning for {bound.model.random_effects} random effects, whose tau is not "
            "the SD of the true effects. Report tau"
        )
    if len(data.y) < 2:
        raise ModelError("I2 compares studies, and there is one estimate only. Report tau")
    v = typical_variance(data.S)

    def forward(x: FloatArray) -> FloatArray:
        with np.errstate(divide="ignore"):
            return (100 / (1 + v / x**2))[:, None]  # 100 where tau is infinite

    def backward(value: FloatArray) -> FloatArray:
        share = np.clip(value / 100, 0.0, 1.0)
        with np.errstate(divide="ignore"):
            x = np.sqrt(v * share / (1 - share))
        return np.where(value < 0, -np.inf, x)[:, None]

    def slope(value: FloatArray) -> FloatArray:
        share = value / 100
        return (np.sqrt(v / share) * (1 - share) ** -1.5 / 200)[:, None]

    return Mapped(base=tau, forward=forward, backward=backward, slope=slope, weights=np.ones(1))
