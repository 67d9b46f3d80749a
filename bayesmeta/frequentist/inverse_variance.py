"""Inverse-variance pooling: the weighted fit, its heterogeneity, the Knapp-Hartung scale."""

from dataclasses import dataclass

import numpy as np
from scipy.special import chdtrc

from bayesmeta.frequentist.least_squares import (
    WeightedFit,
    decorrelate,
    degrees_of_freedom,
    weighted_fit,
)
from bayesmeta.scales import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Heterogeneity:
    """How much the effects differ beyond their sampling error; batch axes first.

    Attributes
    ----------
    q : (...)
        Cochran's Q about the common-effect fit.
    df : int
        Its degrees of freedom, rows minus coefficients.
    p : (...)
        Upper tail of Q under chi-squared(df).
    typical_variance : (...)
        Higgins and Thompson's typical sampling variance, in squared units of the effects.
    """

    q: FloatArray
    df: int
    p: FloatArray
    typical_variance: FloatArray

    def i2(self, tau2: FloatArray | float | None = None) -> FloatArray:
        """Give I2 in percent, from `tau2` of a random-effects fit or else from Q alone."""
        if tau2 is None:
            excess = np.maximum(0.0, self.q - self.df)
            return np.asarray(100.0 * excess / np.where(excess > 0, self.q, 1.0))
        tau2 = np.asarray(tau2)
        return np.asarray(100.0 * tau2 / (tau2 + self.typical_variance))

    def h2(self, tau2: FloatArray | float | None = None) -> FloatArray:
        """Give H2, from `tau2` of a random-effects fit or else Q over its degrees of freedom."""
        if tau2 is None:
            return np.asarray(self.q / self.df)
        return np.asarray(1.0 + np.asarray(tau2) / self.typical_variance)


def fit_inverse_variance(
    y: FloatArray, S: FloatArray, X: FloatArray, *, tau2: FloatArray | float = 0.0
) -> WeightedFit:
    """Pool effects with weights 1 / (sampling variance + tau2).

    Parameters
    ----------
    y : (..., row)
        Effects on the analysis scale (log for ratios).
    S : (..., row) or (..., row, row)
        Sampling variances or covariance of `y`, in squared units of `y`; positive definite.
    X : (..., row, coefficient)
        Design of full column rank; one column of ones gives the pooled effect.
    tau2 : (...)
        Between-study variance, in squared units of `y`; 0 is the common-effect fit.

    Returns
    -------
    WeightedFit
        Coefficients, their covariance and Q about them. Its rows are those of `decorrelate`.

    Raises
    ------
    DesignError
        `S` is not positive definite or `X` has not full column rank.

    References
    ----------
    Borenstein, Hedges, Higgins and Rothstein (2009), Introduction to Meta-Analysis, chapters 11,
    12 and 20.

    Examples
    --------
    >>> fit = fit_inverse_variance(np.array([0.0, 1.0]), np.array([1.0, 3.0]), np.ones((2, 1)))
    >>> round(float(fit.beta[0]), 12), round(float(fit.cov[0, 0]), 12)
    (0.25, 0.75)
    """
    y, v, X = decorrelate(y, S, X)
    return weighted_fit(y, v + np.asarray(tau2)[..., None], X)


def heterogeneity(y: FloatArray, S: FloatArray, X: FloatArray) -> Heterogeneity:
    """Test whether the rows share one linear predictor, and measure the sampling error.

    Parameters
    ----------
    y, S, X : arrays
        As for `fit_inverse_variance`.

    Returns
    -------
    Heterogeneity

    Raises
    ------
    DesignError
        As many coefficients as rows.

    References
    ----------
    Cochran (1954), Biometrics 10:101; Higgins and Thompson (2002), Statistics in Medicine 21:1539.

    Examples
    --------
    >>> found = heterogeneity(np.array([0.1, 0.5, 0.9]), np.full(3, 0.04), np.ones((3, 1)))
    >>> round(float(found.q), 12), found.df, round(float(found.i2()), 12)
    (8.0, 2, 75.0)
    """
    df = degrees_of_freedom(X)
    fit = fit_inverse_variance(y, S, X)
    return Heterogeneity(
        q=fit.q, df=df, p=np.asarray(chdtrc(df, fit.q)), typical_variance=df / fit.trace_p
    )


def heterogeneity_about(estimate: float, y: FloatArray, v: FloatArray) -> Heterogeneity:
    """Measure the spread of independent effects about an estimate made in another way.

    Mantel-Haenszel's Q is of this kind: inverse-variance weights, another centre.

    Parameters
    ----------
    estimate : float
        Centre, on the analysis scale.
    y, v : (row,)
        At least two effects and their sampling variances.

    Returns
    -------
    Heterogeneity
        With rows minus 1 degrees of freedom.

    Examples
    --------
    >>> float(heterogeneity_about(0.0, np.array([1.0, 2.0]), np.array([1.0, 4.0])).q)
    2.0
    """
    X = np.ones((len(y), 1))
    df = degrees_of_freedom(X)
    q = np.asarray(((y - estimate) ** 2 / v).sum())
    typical = df / weighted_fit(y, v, X).trace_p
    return Heterogeneity(q=q, df=df, p=np.asarray(chdtrc(df, q)), typical_variance=typical)


def knapp_hartung_scale(fit: WeightedFit, *, never_narrower: bool = False) -> FloatArray:
    """Give the factor on the covariance of the coefficients after Knapp and Hartung.

    Parameters
    ----------
    fit : WeightedFit
        Fit with weights 1 / (sampling variance + tau2).
    never_narrower : bool
        Keep the factor at 1 or above (the ad hoc form).

    Returns
    -------
    (...)
        Weighted residual sum of squares over its degrees of freedom; no unit.

    Raises
    ------
    DesignError
        As many coefficients as rows.

    References
    ----------
    Hartung and Knapp (2001), Statistics in Medicine 20:3875; Knapp and Hartung (2003), Statistics
    in Medicine 22:2693; the ad hoc form, Roever, Knapp and Friede (2015), BMC Medical Research
    Methodology 15:99.

    Examples
    --------
    >>> y, v, X = np.array([0.1, 0.5, 0.9]), np.full(3, 0.04), np.ones((3, 1))
    >>> float(knapp_hartung_scale(fit_inverse_variance(y, v, X, tau2=0.12)).round(12))
    1.0
    """
    scale = fit.q / degrees_of_freedom(fit.basis)
    return np.asarray(np.maximum(1.0, scale) if never_narrower else scale)
