"""Risks of two arms, from an effect and the average of their log odds phi.

Every pair (theta, phi) gives exactly one pair of risks, and exchanging the arms only changes the
sign of theta. The exact road takes the difference of the log odds from one formula with arsinh; the
sampled one takes the risks from the root of their quadratic equation.
"""

import math
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from bayesmeta.scales import FloatArray

if TYPE_CHECKING:
    from pytensor.tensor.variable import TensorVariable

    type Tensor = TensorVariable[Any, Any]

type RiskMeasure = Literal["OR", "RR", "RD"]

RISK_MEASURES: tuple[RiskMeasure, ...] = ("OR", "RR", "RD")
_CLIP = 1e-12  # risks that the sampler is kept from, where their complement is all that counts


def half_log_odds_ratio(measure: RiskMeasure, theta: FloatArray, phi: FloatArray) -> FloatArray:
    """Half of the log odds ratio, so that the arms' log odds are phi + it and phi - it.

    Parameters
    ----------
    measure : {"OR", "RR", "RD"}
        What `theta` is: log odds ratio, log risk ratio, or risk difference in (-1, 1).
    theta, phi : (...)
        Effect, and the mean of the log odds of the treated and the control arm.

    Returns
    -------
    (...)
        With h = theta/2 for the ratios and h = artanh(theta) for the difference: h (OR),
        h + arsinh(sinh(h) exp(phi)) (RR), h + arsinh(sinh(h) cosh(phi)) (RD). The last two solve
        p_t = p_c exp(theta) and p_t = p_c + theta, as follows from
        expit(u) - expit(v) = sinh((u - v)/2) / (cosh((u + v)/2) + cosh((u - v)/2)).

    Examples
    --------
    >>> from scipy.special import expit
    >>> half = half_log_odds_ratio("RR", np.log(2.0), np.array(-1.0))
    >>> round(float(expit(-1 + half) / expit(-1 - half)), 12)
    2.0
    """
    if measure == "OR":
        return theta / 2 + np.zeros_like(phi)
    base, rest = _split_half(measure, theta, phi)
    out: FloatArray = np.sign(theta) * base + rest
    return out


def log_odds_of_arms(
    measure: RiskMeasure, theta: FloatArray, phi: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Log odds of the treated and of the control arm, to the last digits for large phi too.

    Parameters
    ----------
    measure : {"OR", "RR", "RD"}
    theta, phi : (...)
        As of `half_log_odds_ratio`.

    Returns
    -------
    (...), (...)

    Examples
    --------
    >>> treated, control = log_odds_of_arms("RD", np.array(-0.9), np.array(-1e9))
    >>> round(float(control), 12) == round(float(np.log(0.9 / 0.1)), 12)
    True
    """
    if measure == "OR":
        return phi + theta / 2, phi - theta / 2
    base, rest = _split_half(measure, theta, phi)
    base = np.sign(theta) * base
    treated, control = phi + base, phi - base
    treated += rest
    control -= rest
    return treated, control


def _split_half(
    measure: RiskMeasure, theta: FloatArray, phi: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Half the log odds ratio of RR or RD as ``sign(theta) base + rest``.

    The base is 0, phi or -phi, which cancels phi in the log odds of one arm.
    """
    if measure == "RR":
        h, base = theta / 2, np.maximum(phi, 0)
        log_factor = phi - base
    else:
        h, base = np.arctanh(theta), np.abs(phi)
        log_factor = np.log1p(np.exp(-2 * base)) - math.log(2)
    size = np.abs(h)
    with np.errstate(divide="ignore"):  # log 0 at theta = 0
        log_size = size + np.log(-np.expm1(-2 * size)) - math.log(2)
    log_factor = log_factor + log_size
    x = log_factor + base  # log of what arsinh is taken of, which may be beyond all floats
    far = x > 20  # where arsinh(exp(x)) is x + log 2
    rise = np.arcsinh(np.exp(np.minimum(x, 20.0))) - base
    if far.any():
        rise = np.where(far, log_factor + math.log(2), rise)
    return base, h + np.sign(h) * rise


def arms_in_pymc(measure: RiskMeasure, theta: "Tensor", phi: "Tensor") -> dict[str, dict[str, Any]]:
    """Risk arguments of the treated and the control arm's `pm.Binomial`.

    RR: the root p_c of r (1 - K) p^2 + K (1 + r) p - K = 0 with r = exp(theta), K = exp(2 phi), as
    log odds without cancellation. RD: the mean risk m, p_c = m - theta/2, p_t = m + theta/2.
    """
    import pytensor.tensor as pt

    if measure == "OR":
        return {"treated": {"logit_p": phi + theta / 2}, "control": {"logit_p": phi - theta / 2}}
    if measure == "RR":
        r = pt.exp(theta)
        away = pt.abs(1 - r)
        root = pt.log(away + pt.sqrt(away**2 + 4 * pt.exp(theta - 2 * phi)))
        half = math.log(2)
        control = pt.switch(pt.ge(theta, 0), half - root, root + 2 * phi - theta - half)
        return {"treated": {"logit_p": 2 * phi - control}, "control": {"logit_p": control}}
    K, square = pt.exp(2 * phi), theta**2 / 4
    m = (K + (1 - K) * square) / (K + pt.sqrt(K + (1 - K) ** 2 * square))
    return {
        "treated": {"p": pt.clip(m + theta / 2, _CLIP, 1 - _CLIP)},
        "control": {"p": pt.clip(m - theta / 2, _CLIP, 1 - _CLIP)},
    }


def nuisance_at(measure: RiskMeasure, theta: FloatArray, risk: FloatArray) -> FloatArray:
    """Average log odds at which the control arm has about this `risk`, for a first look.

    The treated risk that theta then asks for is kept below 1 (and above 0 for RD).
    """
    control = np.log(risk) - np.log1p(-risk)
    if measure == "OR":
        return control + theta / 2
    if measure == "RR":
        log_treated = np.minimum(theta + np.log(risk), np.log1p(-risk / 4))
        return 0.5 * (control + log_treated - np.log(-np.expm1(log_treated)))
    treated = np.clip(risk + theta, 1e-6, 1 - 1e-6)
    return 0.5 * (control + np.log(treated) - np.log1p(-treated))
