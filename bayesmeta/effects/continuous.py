"""Effects of two means: differences, ratio of means, ratio of variabilities.

`m, sd, n` are mean, standard deviation and size of an arm, 1 the treated and 2 the control arm.
"""

from collections.abc import Sequence

import numpy as np
from scipy.special import gammaln

from bayesmeta.effects.estimable import estimable_effects
from bayesmeta.effects.measure import Effects, Measure
from bayesmeta.effects.shared_control import (
    of_log_ratio_of_means,
    of_log_variability_ratio,
    of_mean_difference,
    standardised,
)
from bayesmeta.errors import Problem
from bayesmeta.scales import IDENTITY, LOG, FloatArray
from bayesmeta.studies.arrays import TwoArmMeans
from bayesmeta.studies.refusal import refusal


def mean_difference(
    m1: FloatArray, sd1: FloatArray, n1: FloatArray, m2: FloatArray, sd2: FloatArray, n2: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Mean difference and its variance, without assuming equal variances.

    Parameters
    ----------
    m1, sd1, n1, m2, sd2, n2 : (...)
        Mean, standard deviation and size of the treated, then of the control arm.

    Returns
    -------
    y, v : (...)
        m1 - m2 and sd1^2/n1 + sd2^2/n2, in the unit of the outcome and its square.

    Examples
    --------
    >>> y, v = mean_difference(*np.array([55.0, 47, 155, 75, 64, 156]))
    >>> round(float(y), 6), round(float(v), 6)
    (-20.0, 40.508023)
    """
    return m1 - m2, sd1**2 / n1 + sd2**2 / n2


def hedges_factor(m: FloatArray) -> FloatArray:
    """Exact factor that makes a standardised mean difference unbiased.

    Parameters
    ----------
    m : (...)
        Degrees of freedom of the standard deviation, above 1.

    Returns
    -------
    (...)
        gamma(m/2) / (sqrt(m/2) gamma((m - 1)/2)), below 1.

    References
    ----------
    Hedges (1981), Journal of Educational Statistics 6:107-128, eq. 6e.

    Examples
    --------
    >>> round(float(hedges_factor(np.array(10.0))), 6)
    0.922746
    """
    out: FloatArray = np.exp(gammaln(m / 2) - gammaln((m - 1) / 2) - np.log(m / 2) / 2)
    return out


def cohens_d(
    m1: FloatArray, sd1: FloatArray, n1: FloatArray, m2: FloatArray, sd2: FloatArray, n2: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Cohen's d, a standardised mean difference without correction for bias, and its variance.

    Parameters
    ----------
    m1, sd1, n1, m2, sd2, n2 : (...)
        Mean, standard deviation and size of the treated, then of the control arm.

    Returns
    -------
    y, v : (...)
        d, the mean difference in pooled standard deviations, and
        1/n1 + 1/n2 + d^2 / (2 (n1 + n2)), as metafor's measure "SMD" with ``correct=FALSE``.

    References
    ----------
    Cohen (1988), Statistical Power Analysis for the Behavioral Sciences, 2nd ed., eq. 2.5.1; the
    variance of Hedges (1982), Psychological Bulletin 92:490-499, eq. 8.

    Examples
    --------
    >>> y, v = cohens_d(*np.array([103.0, 5.5, 50, 100, 4.5, 50]))
    >>> round(float(y), 4), round(float(v), 4)
    (0.597, 0.0418)
    """
    pooled = np.sqrt(((n1 - 1) * sd1**2 + (n2 - 1) * sd2**2) / (n1 + n2 - 2))
    d = (m1 - m2) / pooled
    return d, 1 / n1 + 1 / n2 + d**2 / (2 * (n1 + n2))


def standardised_mean_difference(
    m1: FloatArray, sd1: FloatArray, n1: FloatArray, m2: FloatArray, sd2: FloatArray, n2: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Hedges' g and its large-sample variance.

    Parameters
    ----------
    m1, sd1, n1, m2, sd2, n2 : (...)
        Mean, standard deviation and size of the treated, then of the control arm.

    Returns
    -------
    y, v : (...)
        g, the mean difference in pooled standard deviations times the exact factor of
        `hedges_factor`, and 1/n1 + 1/n2 + g^2 / (2 (n1 + n2)), as metafor's vtype "LS".

    References
    ----------
    Hedges (1981), Journal of Educational Statistics 6:107-128; Hedges (1982), Psychological
    Bulletin 92:490-499, eq. 8.

    Examples
    --------
    >>> y, v = standardised_mean_difference(*np.array([55.0, 47, 155, 75, 64, 156]))
    >>> round(float(y), 6), round(float(v), 6)
    (-0.35517, 0.013065)
    """
    d, _ = cohens_d(m1, sd1, n1, m2, sd2, n2)
    g = hedges_factor(n1 + n2 - 2) * d
    return g, 1 / n1 + 1 / n2 + g**2 / (2 * (n1 + n2))


def log_ratio_of_means(
    m1: FloatArray, sd1: FloatArray, n1: FloatArray, m2: FloatArray, sd2: FloatArray, n2: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Log ratio of means, corrected for bias, and its variance (delta method).

    Parameters
    ----------
    m1, sd1, n1, m2, sd2, n2 : (...)
        Mean, standard deviation and size of the treated, then of the control arm.

    Returns
    -------
    y, v : (...)
        log(m1 / m2) + (v1 - v2) / 2 and v1 + v2, with v1 = sd1^2 / (n1 m1^2) and v2 likewise;
        not finite unless both means have one sign. metafor adds the correction since version
        5.0-1 (April 2026), and did not before.

    References
    ----------
    Hedges, Gurevitch and Curtis (1999), Ecology 80:1150-1156; Lajeunesse (2015), Ecology
    96:2056-2063, for the correction by second-order terms.

    Examples
    --------
    >>> y, v = log_ratio_of_means(*np.array([55.0, 47, 155, 75, 64, 156]))
    >>> round(float(y), 6), round(float(v), 6)
    (-0.310133, 0.009379)
    """
    v1, v2 = (sd1 / m1) ** 2 / n1, (sd2 / m2) ** 2 / n2
    return np.log(m1 / m2) + (v1 - v2) / 2, v1 + v2


def log_variability_ratio(
    m1: FloatArray,  # noqa: ARG001  every formula of means takes the same data
    sd1: FloatArray,
    n1: FloatArray,
    m2: FloatArray,  # noqa: ARG001
    sd2: FloatArray,
    n2: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Log ratio of standard deviations, corrected for bias, and its variance.

    Parameters
    ----------
    m1, sd1, n1, m2, sd2, n2 : (...)
        Mean, standard deviation and size of the treated, then of the control arm; the means are
        not used.

    Returns
    -------
    y, v : (...)
        log(sd1 / sd2) + 1/(2 (n1 - 1)) - 1/(2 (n2 - 1)) and 1/(2 (n1 - 1)) + 1/(2 (n2 - 1)).

    References
    ----------
    Nakagawa et al. (2015), Methods in Ecology and Evolution 6:143-152, lnVR.

    Examples
    --------
    >>> y, v = log_variability_ratio(*np.array([0.0, 2, 11, 0, 1, 6]))
    >>> round(float(y), 6), round(float(v), 6)
    (0.643147, 0.15)
    """
    bias1, bias2 = 0.5 / (n1 - 1), 0.5 / (n2 - 1)
    return np.log(sd1 / sd2) + bias1 - bias2, bias1 + bias2


def _of_hedges_g(*data: FloatArray) -> FloatArray:
    return standardised(standardised_mean_difference(*data)[0], data[2], data[5])


def _of_cohens_d(*data: FloatArray) -> FloatArray:
    return standardised(cohens_d(*data)[0], data[2], data[5])


MD = Measure(
    name="MD",
    label="mean difference",
    scale=IDENTITY,
    layout="means",
    compute=mean_difference,
    shared=of_mean_difference,
)
SMD = Measure(
    name="SMD",
    label="standardised mean difference",
    scale=IDENTITY,
    layout="means",
    compute=standardised_mean_difference,
    shared=_of_hedges_g,
)
D = Measure(
    name="D",
    label="Cohen's d",
    scale=IDENTITY,
    layout="means",
    compute=cohens_d,
    shared=_of_cohens_d,
)
ROM = Measure(
    name="ROM",
    label="ratio of means",
    scale=LOG,
    layout="means",
    compute=log_ratio_of_means,
    shared=of_log_ratio_of_means,
)
VR = Measure(
    name="VR",
    label="variability ratio",
    scale=LOG,
    layout="means",
    compute=log_variability_ratio,
    shared=of_log_variability_ratio,
)


def mean_effects(means: TwoArmMeans, measure: Measure, *, source: str) -> Effects:
    """Compute the effects of two-arm studies with means.

    Parameters
    ----------
    means : TwoArmMeans
        Means, standard deviations and sizes of both arms.
    measure : Measure
        One that is computed from means.
    source : str
        Name of the table, for messages.

    Returns
    -------
    Effects
        On the analysis scale of `measure`.

    Raises
    ------
    StudyTableError
        ROM of means that are zero or of opposite sign; a measure of standard deviations (SMD, D,
        VR) of a control arm that is split into parts of fewer than 2 patients.
    """
    n1, n2 = means.n_treated.astype(np.float64), means.n_control.astype(np.float64)
    if measure in (SMD, D, VR) and (n2 < 2).any():
        raise refusal(source, _parts_too_small(means.study, n2))
    data = (means.mean_treated, means.sd_treated, n1, means.mean_control, means.sd_control, n2)
    fix = "A ratio needs two means of one sign: use MD or SMD, or drop the study."
    return estimable_effects(means.study, data, measure, source=source, fix=fix)


def _parts_too_small(studies: Sequence[str], n2: FloatArray) -> list[Problem]:
    return [
        Problem(
            study=studies[i],
            value=f"{n2[i]:.3g} patients",
            what="so small a part of a shared control arm has no standard deviation of its own",
            fix="Read the table with shared='covariance', which keeps the arm whole, or use MD.",
        )
        for i in map(int, np.flatnonzero(n2 < 2))
    ]
