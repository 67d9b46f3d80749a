"""Covariance of two effects that share their control arm.

Each function takes the data of its measure (the control arm second) and gives loadings (factor,
row): the covariance of rows i and j is the sum over factors of their products. So it is positive
semidefinite, whatever the data. For measures that are a difference of two independent arms there is
one factor, the standard error of the control arm's part.
"""

import numpy as np

from bayesmeta.scales import FloatArray


def of_log_odds_ratio(a: FloatArray, b: FloatArray, c: FloatArray, d: FloatArray) -> FloatArray:  # noqa: ARG001
    """Covariance 1/c + 1/d.

    References
    ----------
    Gleser and Olkin (2009), in The Handbook of Research Synthesis and Meta-Analysis, 2nd ed., 357.
    """
    return np.sqrt(1 / c + 1 / d)[None]


def of_log_risk_ratio(a: FloatArray, b: FloatArray, c: FloatArray, d: FloatArray) -> FloatArray:  # noqa: ARG001
    """Covariance 1/c - 1/n2 (Gleser and Olkin 2009)."""
    return np.sqrt(d / (c * (c + d)))[None]


def of_risk_difference(a: FloatArray, b: FloatArray, c: FloatArray, d: FloatArray) -> FloatArray:  # noqa: ARG001
    """Covariance c d / n2^3 (Gleser and Olkin 2009)."""
    return np.sqrt(c * d / (c + d) ** 3)[None]


def of_arcsine_difference(
    a: FloatArray,  # noqa: ARG001
    b: FloatArray,  # noqa: ARG001
    c: FloatArray,
    d: FloatArray,
) -> FloatArray:
    """Covariance 1/(4 n2)."""
    return np.sqrt(0.25 / (c + d))[None]


def of_mean_difference(
    m1: FloatArray,  # noqa: ARG001
    sd1: FloatArray,  # noqa: ARG001
    n1: FloatArray,  # noqa: ARG001
    m2: FloatArray,  # noqa: ARG001
    sd2: FloatArray,
    n2: FloatArray,
) -> FloatArray:
    """Covariance sd2^2 / n2."""
    return (sd2 / np.sqrt(n2))[None]


def of_log_ratio_of_means(
    m1: FloatArray,  # noqa: ARG001
    sd1: FloatArray,  # noqa: ARG001
    n1: FloatArray,  # noqa: ARG001
    m2: FloatArray,
    sd2: FloatArray,
    n2: FloatArray,
) -> FloatArray:
    """Covariance sd2^2 / (n2 m2^2) (Lajeunesse 2011, Ecology 92:2049-2055)."""
    return (sd2 / np.abs(m2) / np.sqrt(n2))[None]


def of_log_variability_ratio(
    m1: FloatArray,  # noqa: ARG001
    sd1: FloatArray,  # noqa: ARG001
    n1: FloatArray,  # noqa: ARG001
    m2: FloatArray,  # noqa: ARG001
    sd2: FloatArray,  # noqa: ARG001
    n2: FloatArray,
) -> FloatArray:
    """Covariance 1/(2 (n2 - 1))."""
    return np.sqrt(0.5 / (n2 - 1))[None]


def standardised(effect: FloatArray, n1: FloatArray, n2: FloatArray) -> FloatArray:
    """Covariance 1/n2 + d_i d_j n2 / (2 N_i N_j) of standardised differences, N = n1 + n2.

    Each difference has the standard deviation pooled over its own two arms, as computed here.
    (Gleser and Olkin 2009 pool over all arms of the trial, which gives d_i d_j / (2 N), N all
    patients.)
    """
    return np.stack([1 / np.sqrt(n2), effect * np.sqrt(n2 / 2) / (n1 + n2)])


def of_log_rate_ratio(x1: FloatArray, t1: FloatArray, x2: FloatArray, t2: FloatArray) -> FloatArray:  # noqa: ARG001
    """Covariance 1/x2."""
    return (1 / np.sqrt(x2))[None]


def of_rate_difference(
    x1: FloatArray,  # noqa: ARG001
    t1: FloatArray,  # noqa: ARG001
    x2: FloatArray,
    t2: FloatArray,
) -> FloatArray:
    """Covariance x2 / t2^2."""
    return (np.sqrt(x2) / t2)[None]
