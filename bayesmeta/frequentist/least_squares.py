"""Weighted least squares with known variances: the algebra under every inverse-variance method."""

from dataclasses import dataclass

import numpy as np

from bayesmeta.errors import DesignError
from bayesmeta.scales import FloatArray

_RANK_TOLERANCE = 1e-12  # share of a column's length that is new to the columns before it


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WeightedFit:
    """What a weighted fit of y ~ N(X beta, diag(v)) leaves; every field has the batch axes first.

    With W = diag(1 / v), the residual projection is P = W - W X (X'WX)^-1 X'W.

    Attributes
    ----------
    beta : (..., coefficient)
        Coefficients on the analysis scale.
    cov : (..., coefficient, coefficient)
        Their covariance, (X'WX)^-1.
    residual : (..., row)
        y - X beta.
    weight : (..., row)
        1 / v.
    q : (...)
        Weighted residual sum of squares, y'Py.
    trace_p, trace_pp : (...)
        Traces of P and of PP, in powers of the weights' unit.
    log_det : (...)
        log |X'WX|.
    basis : (..., row, coefficient)
        Orthonormal columns that span W^(1/2) X.
    """

    beta: FloatArray
    cov: FloatArray
    residual: FloatArray
    weight: FloatArray
    q: FloatArray
    trace_p: FloatArray
    trace_pp: FloatArray
    log_det: FloatArray
    basis: FloatArray

    def quadratic(self, z: FloatArray) -> FloatArray:
        """Give z'Pz for z (..., row), without forming P."""
        scaled = z * np.sqrt(self.weight)
        inside = np.einsum("...rp,...r->...p", self.basis, scaled)
        return np.asarray((scaled**2).sum(-1) - (inside**2).sum(-1))


def decorrelate(
    y: FloatArray, S: FloatArray, X: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Rotate the rows so that their sampling covariance is diagonal.

    The rotation by the eigenvectors of `S` leaves tau2 times the identity as it is, so that a full
    covariance costs one eigendecomposition and nothing afterwards; variances pass through.

    Parameters
    ----------
    y : (..., row)
        Effects on the analysis scale.
    S : (..., row) or (..., row, row)
        Sampling variances, with as many axes as `y`; or their covariance, with one axis more.
    X : (..., row, coefficient)
        Design.

    Returns
    -------
    tuple of (..., row), (..., row), (..., row, coefficient)
        Effects, variances and design of rows that are independent.

    Raises
    ------
    DesignError
        `S` is not positive definite, or the shapes do not fit.

    Examples
    --------
    >>> S = np.array([[2.0, 1.0], [1.0, 2.0]])
    >>> y, v, X = decorrelate(np.array([0.0, 1.0]), S, np.ones((2, 1)))
    >>> v.round(12).tolist()
    [1.0, 3.0]
    """
    if S.ndim == y.ndim:
        v = S
    elif S.ndim == y.ndim + 1:
        v, vectors = np.linalg.eigh(S)
        y = np.einsum("...rs,...r->...s", vectors, y)
        X = np.einsum("...rs,...rp->...sp", vectors, X)
    else:
        raise DesignError(
            f"S has shape {S.shape} beside y {y.shape}: give one variance per row, "
            "or the covariance of the rows."
        )
    if not (np.all(v > 0) and np.all(np.isfinite(v))):
        raise DesignError(
            "The sampling covariance is not positive definite: a row has a variance "
            "that is zero, negative or infinite."
        )
    return y, v, X


def weighted_fit(y: FloatArray, v: FloatArray, X: FloatArray) -> WeightedFit:
    """Fit y ~ N(X beta, diag(v)) with v known; linear in the number of rows.

    Parameters
    ----------
    y : (..., row)
        Effects on the analysis scale.
    v : (..., row)
        Variances, in squared units of `y`; the between-study variance is already in them.
    X : (..., row, coefficient)
        Design of full column rank.

    Returns
    -------
    WeightedFit

    Raises
    ------
    DesignError
        `X` has not full column rank.

    Examples
    --------
    >>> fit = weighted_fit(np.array([0.0, 1.0]), np.array([1.0, 1.0]), np.ones((2, 1)))
    >>> fit.beta.tolist(), round(float(fit.q), 12)
    ([0.5], 0.5)
    """
    root = 1.0 / np.sqrt(v)
    scaled = X * root[..., None]
    basis, triangle = np.linalg.qr(scaled)
    _require_rank(scaled, triangle)
    inverse = np.linalg.inv(triangle)
    first = _coefficients(basis, inverse, root * y)
    left = y - np.einsum("...rp,...p->...r", X, first)
    second = _coefficients(basis, inverse, root * left)  # keeps the digits of y near 1e6
    residual = left - np.einsum("...rp,...p->...r", X, second)

    weight = root**2
    leverage = (basis**2).sum(-1)
    cross = np.einsum("...rp,...r,...rq->...pq", basis, weight, basis)
    diagonal = np.diagonal(triangle, axis1=-2, axis2=-1)
    return WeightedFit(
        beta=first + second,
        cov=inverse @ np.swapaxes(inverse, -1, -2),
        residual=residual,
        weight=weight,
        q=np.asarray((weight * residual**2).sum(-1)),
        trace_p=np.asarray((weight * (1.0 - leverage)).sum(-1)),
        trace_pp=np.asarray(
            (weight**2 * (1.0 - 2.0 * leverage)).sum(-1) + (cross**2).sum((-2, -1))
        ),
        log_det=np.asarray(2.0 * np.log(np.abs(diagonal)).sum(-1)),
        basis=basis,
    )


def degrees_of_freedom(X: FloatArray) -> int:
    """Give rows minus coefficients, or raise where nothing is left for heterogeneity.

    Raises
    ------
    DesignError
        As many coefficients as rows, or more.
    """
    rows, coefficients = X.shape[-2:]
    if rows <= coefficients:
        raise DesignError(
            f"{rows} rows and {coefficients} coefficients: no degree of freedom is left for "
            "heterogeneity. Add studies or drop moderators."
        )
    return int(rows - coefficients)


def _coefficients(basis: FloatArray, inverse: FloatArray, scaled: FloatArray) -> FloatArray:
    inside = np.einsum("...rp,...r->...p", basis, scaled)
    return np.asarray(np.einsum("...pq,...q->...p", inverse, inside))


def _require_rank(scaled: FloatArray, triangle: FloatArray) -> None:
    rows, coefficients = scaled.shape[-2:]
    if rows >= coefficients:
        diagonal = np.abs(np.diagonal(triangle, axis1=-2, axis2=-1))
        if np.all(diagonal > _RANK_TOLERANCE * np.linalg.norm(scaled, axis=-2)):
            return
    raise DesignError(
        f"The design ({rows} rows, {coefficients} coefficients) has not full column rank: "
        "one of its columns follows from the others."
    )
