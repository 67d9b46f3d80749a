"""Correlations: raw and Fisher's z."""

import numpy as np

from bayesmeta.effects.estimable import estimable_effects
from bayesmeta.effects.measure import Effects, Measure
from bayesmeta.scales import FISHER_Z, IDENTITY, FloatArray
from bayesmeta.studies.arrays import Correlations


def fisher_z(r: FloatArray, n: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Fisher's z of a correlation and its variance.

    Parameters
    ----------
    r, n : (...)
        Correlation and number of pairs.

    Returns
    -------
    y, v : (...)
        artanh r and 1/(n - 3).

    References
    ----------
    Fisher (1921), Metron 1:3-32.

    Examples
    --------
    >>> y, v = fisher_z(*np.array([0.187, 109.0]))
    >>> round(float(y), 6), round(float(v), 6)
    (0.189227, 0.009434)
    """
    return np.arctanh(r), 1 / (n - 3)


def raw_correlation(r: FloatArray, n: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Correlation and its large-sample variance.

    Parameters
    ----------
    r, n : (...)
        Correlation and number of pairs.

    Returns
    -------
    y, v : (...)
        r and (1 - r^2)^2 / (n - 1), as metafor's vtype "LS".

    Examples
    --------
    >>> y, v = raw_correlation(*np.array([0.5, 10.0]))
    >>> round(float(y), 6), round(float(v), 6)
    (0.5, 0.0625)
    """
    return r, (1 - r**2) ** 2 / (n - 1)


ZCOR = Measure(
    name="ZCOR",
    label="correlation",
    scale=FISHER_Z,
    layout="correlation",
    compute=fisher_z,
    transformed="Fisher z",
)
COR = Measure(
    name="COR", label="correlation", scale=IDENTITY, layout="correlation", compute=raw_correlation
)


def correlation_effects(correlations: Correlations, measure: Measure, *, source: str) -> Effects:
    """Compute the effects of studies with one correlation each.

    Parameters
    ----------
    correlations : Correlations
        Correlations and numbers of pairs.
    measure : Measure
        One that is computed from correlations.
    source : str
        Name of the table, for messages.

    Returns
    -------
    Effects
        On the analysis scale of `measure`.
    """
    data = (correlations.r, correlations.n.astype(np.float64))
    return estimable_effects(
        correlations.study, data, measure, source=source, fix="Give more digits, or drop it."
    )
