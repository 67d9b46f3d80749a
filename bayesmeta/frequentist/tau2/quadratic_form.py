"""Distribution of a positive quadratic form in normal variables: a sum of weighted chi-squareds."""

import numpy as np

from bayesmeta.errors import NotEstimableError
from bayesmeta.scales import FloatArray

_STEP, _REACH = 0.1, 50.0  # of the nodes along the parabola, which ends at Re z = -(reach + terms)
_TOLERANCE = 1e-10  # largest difference between two sets of nodes that is let pass


def mixture_cdf(q: FloatArray, weights: FloatArray) -> FloatArray:
    """Give P(sum of weight x chi-squared(1) <= q), all of them independent.

    The Laplace transform of the density, product of (1 + 2 weight s)^(-1/2), has its singularities
    on the negative real axis; the inversion integral is a sum over a parabola around it, which
    converges geometrically. Two interleaved sets of nodes must agree.

    Parameters
    ----------
    q : (...)
        Where the distribution function is wanted.
    weights : (..., term)
        Not negative.

    Returns
    -------
    (...)
        Probabilities, exact to about 1e-13 absolute; 0 where `q` is not positive.

    Raises
    ------
    NotEstimableError
        The two sets of nodes differ by more than 1e-10.

    References
    ----------
    Imhof (1961), Biometrika 48:419, for the distribution; the contour, Weideman and Trefethen
    (2007), Mathematics of Computation 76:1341.

    Examples
    --------
    >>> float(mixture_cdf(np.array(5.991464547107979), np.ones(2)).round(12))  # chi-squared(2)
    0.95
    """
    return _invert(np.asarray(q, dtype=float), weights, None)


def mixture_cdf_slope(q: FloatArray, weights: FloatArray, change: FloatArray) -> FloatArray:
    """Give the derivative of `mixture_cdf` along a change of the weights.

    Parameters
    ----------
    q : (...)
        Where the distribution function is taken.
    weights, change : (..., term)
        Weights, and their derivative by the parameter of interest.

    Returns
    -------
    (...)
        Derivative of the probability by that parameter.

    Raises
    ------
    NotEstimableError
        Two sets of nodes differ by more than 1e-10 of the largest relative change.

    Examples
    --------
    >>> q, one = np.array(2.0), np.ones(2)
    >>> float(mixture_cdf_slope(q, one, one).round(12)), round(-float(np.exp(-1.0)), 12)
    (-0.367879441171, -0.367879441171)
    """
    return _invert(np.asarray(q, dtype=float), weights, change)


def _invert(q: FloatArray, weights: FloatArray, change: FloatArray | None) -> FloatArray:
    positive = q > 0
    scaled = weights / np.where(positive, q, 1.0)[..., None]
    terms = weights.shape[-1]
    mu = np.maximum(3.0 + np.sqrt(terms) / 2.0, _saddle_point(scaled))  # where the parabola begins
    step = _STEP / np.sqrt(1.0 + terms / 20.0)
    nodes = 2 * int(np.sqrt(1.0 + (_REACH + terms) / float(np.min(mu))) / step + 1.0)
    u = step / 2.0 * np.arange(nodes)  # even nodes are one trapezoid, odd ones another
    root = 1.0 + 1j * u
    z = mu[..., None] * root**2  # (..., node)
    factors = 1.0 + 2.0 * scaled[..., None, :] * z[..., None]  # (..., node, term)
    value = np.exp(z - 0.5 * np.log(factors).sum(-1)) / root
    unit: FloatArray | float = 1.0
    if change is not None:
        moved = change / np.where(positive, q, 1.0)[..., None]
        value = value * -(moved[..., None, :] * z[..., None] / factors).sum(-1)
        unit = np.abs(change / np.where(weights > 0, weights, 1.0)).max(-1, initial=0.0)
    real = value.real
    even = step / np.pi * (real[..., 0] + 2.0 * real[..., 2::2].sum(-1))
    odd = step / np.pi * 2.0 * real[..., 1::2].sum(-1)
    if np.any(positive & ~(np.abs(even - odd) <= _TOLERANCE * unit)):
        raise NotEstimableError(
            "The distribution of the generalised Q statistic was not found to 1e-10 "
            f"(two sets of nodes differ by {float(np.max(np.abs(even - odd))):.0e}). "
            "The Q-profile interval does not need it."
        )
    return np.asarray(np.where(positive, (even + odd) / 2.0, 0.0))


def _saddle_point(scaled: FloatArray) -> FloatArray:
    """Give z >= 0 at which exp(z) over the root of the product is least; 0 where that is below 0.

    The slope falls and is convex in z, so that Newton's steps from 0 cannot pass the root.
    """
    z = np.zeros(scaled.shape[:-1])
    for _ in range(20):  # near the saddle is enough
        part = scaled / (1.0 + 2.0 * scaled * z[..., None])
        z = z + np.maximum(0.0, (part.sum(-1) - 1.0) / (2.0 * (part**2).sum(-1)))
    return z
