"""The log likelihood of the between-study variance tau2, restricted or not."""

import numpy as np

from bayesmeta.frequentist.least_squares import decorrelate, degrees_of_freedom, weighted_fit
from bayesmeta.scales import FloatArray


def restricted_log_likelihood(
    tau2: FloatArray, y: FloatArray, S: FloatArray, X: FloatArray
) -> FloatArray:
    """Log restricted likelihood of tau2, with all constants.

    Parameters
    ----------
    tau2 : (...)
        Between-study variance, in squared units of `y`; its axes are the batch axes.
    y, S, X : arrays
        As for `tau2_reml`.

    Returns
    -------
    (...)
        -(df log(2 pi) + log|V| + log|X'WX| - log|X'X| + y'Py) / 2, V = S + tau2 I, W = V^-1.

    References
    ----------
    Harville (1977), JASA 72:320.

    Examples
    --------
    >>> y, v, X = np.array([0.1, 0.5, 0.9]), np.full(3, 0.04), np.ones((3, 1))
    >>> restricted_log_likelihood(np.array([0.0, 0.12]), y, v, X).round(4).tolist()
    [-2.619, -1.0053]
    """
    df = degrees_of_freedom(X)
    y, v, X = decorrelate(y, S, X)
    plain = weighted_fit(y, np.ones_like(v), X)
    constant = df * np.log(2 * np.pi) - plain.log_det
    return np.asarray(height(tau2, plain.residual, v, X, restricted=True) - 0.5 * constant)


def log_likelihood(tau2: FloatArray, y: FloatArray, S: FloatArray, X: FloatArray) -> FloatArray:
    """Log likelihood of tau2, highest over the coefficients, with all constants.

    Parameters
    ----------
    tau2 : (...)
        Between-study variance, in squared units of `y`; its axes are the batch axes.
    y, S, X : arrays
        As for `tau2_ml`.

    Returns
    -------
    (...)
        -(k log(2 pi) + log|V| + y'Py) / 2, V = S + tau2 I, for k rows.

    References
    ----------
    Harville (1977), JASA 72:320.

    Examples
    --------
    >>> y, v, X = np.array([0.1, 0.5, 0.9]), np.full(3, 0.04), np.ones((3, 1))
    >>> log_likelihood(np.array([0.0, 0.066667]), y, v, X).round(4).tolist()
    [-1.9285, -0.8997]
    """
    y, v, X = decorrelate(y, S, X)
    residual = weighted_fit(y, np.ones_like(v), X).residual
    constant = y.shape[-1] * np.log(2 * np.pi)
    return np.asarray(height(tau2, residual, v, X, restricted=False) - 0.5 * constant)


def height(
    tau2: FloatArray, residual: FloatArray, v: FloatArray, X: FloatArray, *, restricted: bool
) -> FloatArray:
    """Give the log likelihood of tau2 without constants; `residual` is of any fit of `X`.

    Each column of W^(1/2) X is projected out of the columns after it and of the residual in turn
    (modified Gram-Schmidt), which needs no factorisation per member of a batch.
    """
    V = v + np.asarray(tau2)[..., None]
    root = 1.0 / np.sqrt(V)
    left = residual * root
    columns = [X[..., j] * root for j in range(X.shape[-1])]
    minus_twice = np.log(V).sum(-1)
    while columns:
        first = columns.pop(0)
        length = _dot(first, first)
        if restricted:
            minus_twice = minus_twice + np.log(length)
        unit = first / length[..., None]
        left = left - _dot(first, left)[..., None] * unit
        columns = [column - _dot(first, column)[..., None] * unit for column in columns]
    return np.asarray(-0.5 * (minus_twice + _dot(left, left)))


def _dot(a: FloatArray, b: FloatArray) -> FloatArray:
    return np.asarray(np.einsum("...r,...r->...", a, b))
