"""Pooling of 2x2 tables on the raw counts: Mantel-Haenszel and Peto."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc

from bayesmeta.errors import NotEstimableError
from bayesmeta.scales import FloatArray
from bayesmeta.studies import TwoArmCounts

type BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tables:
    """2x2 tables as Mantel and Haenszel's sums want them; batch axes first.

    Attributes
    ----------
    a, b : (..., study)
        Events and non-events of the treated arm.
    c, d : (..., study)
        Events and non-events of the control arm.
    """

    a: FloatArray
    b: FloatArray
    c: FloatArray
    d: FloatArray

    @classmethod
    def of(cls, counts: TwoArmCounts) -> Self:
        """Take the cells from the counts of two arms, those of cluster trials over design effects.

        Raises
        ------
        NotEstimableError
            Studies share a control arm that is not split: their tables are not independent.
        """
        require_separate_controls(correlated=counts.correlated)
        effect = 1.0 if counts.design_effect is None else counts.design_effect
        a, n1 = counts.events_treated / effect, counts.n_treated / effect
        c, n2 = counts.events_control / effect, counts.n_control / effect
        return cls(a=a, b=n1 - a, c=c, d=n2 - c)

    def take(self, kept: BoolArray) -> Self:
        """Keep the tables marked in `kept` (study,)."""
        return type(self)(
            a=self.a[..., kept], b=self.b[..., kept], c=self.c[..., kept], d=self.d[..., kept]
        )

    def with_half_added(self) -> Self:
        """Add 1/2 to every cell of each table that has a zero, and to no other table."""
        half = 0.5 * self.has_zero
        return type(self)(a=self.a + half, b=self.b + half, c=self.c + half, d=self.d + half)

    @property
    def has_zero(self) -> BoolArray:
        """Mark (..., study) tables with a zero cell."""
        return np.asarray((self.a == 0) | (self.b == 0) | (self.c == 0) | (self.d == 0))

    @property
    def double_zero(self) -> BoolArray:
        """Mark (..., study) tables with no event in either arm, or nothing but events."""
        return np.asarray(((self.a == 0) & (self.c == 0)) | ((self.b == 0) & (self.d == 0)))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CountEstimate:
    """Estimate (...) and standard error (...) on the analysis scale."""

    estimate: FloatArray
    se: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PetoEstimate:
    """Peto's log odds ratio, its standard error and the Q of its one-step effects; batch first.

    Attributes
    ----------
    estimate, se : (...)
        On the log scale.
    q, q_p : (...)
        Spread of the studies' own one-step log odds ratios, and its chi-squared upper tail.
    q_df : (...)
        Studies with a variance, minus 1.
    """

    estimate: FloatArray
    se: FloatArray
    q: FloatArray
    q_df: FloatArray
    q_p: FloatArray


def peto_or(tables: Tables) -> PetoEstimate:
    """Pool the log odds ratio by one Newton step from no effect; nothing is added to the cells.

    Good for rare events, arms of similar size and odds ratios near 1; biased otherwise.

    Parameters
    ----------
    tables : Tables
        Cells (..., study); a double-zero study adds nothing to any sum.

    Returns
    -------
    PetoEstimate

    Raises
    ------
    NotEstimableError
        Every study is double-zero.

    References
    ----------
    Yusuf, Peto, Lewis, Collins and Sleight (1985), Progress in Cardiovascular Diseases 27:335.

    Examples
    --------
    >>> cells = [np.array([x]) for x in (10.0, 90.0, 20.0, 80.0)]
    >>> pooled = peto_or(Tables(a=cells[0], b=cells[1], c=cells[2], d=cells[3]))
    >>> round(float(np.exp(pooled.estimate)), 6)  # exp(-5 / (100 100 30 170 / (200^2 199)))
    0.458226
    """
    a, b, c, d = tables.a, tables.b, tables.c, tables.d
    n1, n2 = a + b, c + d
    N = n1 + n2
    score = (a * d - b * c) / N  # observed minus expected events of the treated
    V = n1 * n2 * (a + c) * (b + d) / (N**2 * (N - 1.0))
    total = V.sum(-1)
    require_positive(total, "the sum of the hypergeometric variances", method="Peto's method")
    estimate = np.asarray(score.sum(-1) / total)
    df = (V > 0).sum(-1) - 1
    left = score - V * estimate[..., None]
    q = (left**2 / np.where(V > 0, V, 1.0)).sum(-1)
    return PetoEstimate(
        estimate=estimate,
        se=np.asarray(1.0 / np.sqrt(total)),
        q=np.asarray(q),
        q_df=np.asarray(df),
        q_p=np.asarray(np.where(df > 0, chdtrc(np.maximum(df, 1), q), 1.0)),
    )


def mantel_haenszel_or(tables: Tables) -> CountEstimate:
    """Pool the log odds ratio by Mantel and Haenszel; nothing is added to the cells.

    Parameters
    ----------
    tables : Tables
        Cells (..., study).

    Returns
    -------
    CountEstimate
        Log odds ratio, treated against control, with the Robins-Breslow-Greenland error.

    Raises
    ------
    NotEstimableError
        One of the two sums of products is zero: the odds ratio would be 0, infinite or 0/0.

    References
    ----------
    Mantel and Haenszel (1959), JNCI 22:719; Robins, Breslow and Greenland (1986), Biometrics
    42:311.

    Examples
    --------
    >>> cells = [np.array([x]) for x in (10.0, 90.0, 20.0, 80.0)]
    >>> pooled = mantel_haenszel_or(Tables(a=cells[0], b=cells[1], c=cells[2], d=cells[3]))
    >>> round(float(np.exp(pooled.estimate)), 6)
    0.444444
    """
    a, b, c, d = tables.a, tables.b, tables.c, tables.d
    N = a + b + c + d
    Ri, Si = a * d / N, b * c / N
    R, S = Ri.sum(-1), Si.sum(-1)
    require_positive(R, "the sum of (treated events x control non-events) / N")
    require_positive(S, "the sum of (treated non-events x control events) / N")
    Pi, Qi = (a + d) / N, (b + c) / N
    variance = 0.5 * (
        (Pi * Ri).sum(-1) / R**2 + (Pi * Si + Qi * Ri).sum(-1) / (R * S) + (Qi * Si).sum(-1) / S**2
    )
    return CountEstimate(estimate=np.asarray(np.log(R / S)), se=np.asarray(np.sqrt(variance)))


def mantel_haenszel_rr(tables: Tables) -> CountEstimate:
    """Pool the log risk ratio by Mantel and Haenszel; nothing is added to the cells.

    Parameters
    ----------
    tables : Tables
        Cells (..., study).

    Returns
    -------
    CountEstimate
        Log risk ratio, treated against control, with the Greenland-Robins error.

    Raises
    ------
    NotEstimableError
        An arm has no event in any study, or every patient of every study has one.

    References
    ----------
    Greenland and Robins (1985), Biometrics 41:55.

    Examples
    --------
    >>> cells = [np.array([x]) for x in (10.0, 90.0, 20.0, 80.0)]
    >>> pooled = mantel_haenszel_rr(Tables(a=cells[0], b=cells[1], c=cells[2], d=cells[3]))
    >>> round(float(np.exp(pooled.estimate)), 6)
    0.5
    """
    a, c = tables.a, tables.c
    n1, n2 = a + tables.b, c + tables.d
    N = n1 + n2
    R, S = (a * n2 / N).sum(-1), (c * n1 / N).sum(-1)
    require_positive(R, "the weighted sum of the treated arms' events")
    require_positive(S, "the weighted sum of the control arms' events")
    # n1 n2 (a + c) - a c N = a d n1 + b c n2, which does not cancel
    variance = ((a * tables.d * n1 + c * tables.b * n2) / N**2).sum(-1) / (R * S)
    require_positive(variance, "the variance of the log risk ratio")
    return CountEstimate(estimate=np.asarray(np.log(R / S)), se=np.asarray(np.sqrt(variance)))


def mantel_haenszel_rd(tables: Tables) -> CountEstimate:
    """Pool the risk difference by Mantel and Haenszel, with Sato's error, as metafor has it.

    Parameters
    ----------
    tables : Tables
        Cells (..., study).

    Returns
    -------
    CountEstimate
        Risk of the treated minus risk of the controls.

    Raises
    ------
    NotEstimableError
        The variance is zero: no study has both an event and a non-event where it counts.

    References
    ----------
    Sato, Greenland and Robins (1989), Biometrics 45:1323.

    Examples
    --------
    >>> cells = [np.array([x]) for x in (10.0, 90.0, 20.0, 80.0)]
    >>> pooled = mantel_haenszel_rd(Tables(a=cells[0], b=cells[1], c=cells[2], d=cells[3]))
    >>> round(float(pooled.estimate), 6), round(float(pooled.se), 6)
    (-0.1, 0.05)
    """
    a, c = tables.a, tables.c
    n1, n2 = a + tables.b, c + tables.d
    N = n1 + n2
    weight = (n1 * n2 / N).sum(-1)
    difference = ((a * n2 - c * n1) / N).sum(-1) / weight
    P = (c * n1**2 - a * n2**2 + n1 * n2 * (n2 - n1) / 2.0) / N**2
    Q = (a * tables.d + c * tables.b) / (2.0 * N)
    variance = (difference * P.sum(-1) + Q.sum(-1)) / weight**2
    require_positive(variance, "the variance of the risk difference")
    return CountEstimate(estimate=np.asarray(difference), se=np.asarray(np.sqrt(variance)))


def mantel_haenszel_rd_gr(tables: Tables) -> CountEstimate:
    """Pool the risk difference by Mantel and Haenszel, with the binomial error, as RevMan has it.

    Parameters
    ----------
    tables : Tables
        Cells (..., study).

    Returns
    -------
    CountEstimate
        Risk of the treated minus risk of the controls.

    Raises
    ------
    NotEstimableError
        The variance is zero.

    References
    ----------
    Greenland and Robins (1985), Biometrics 41:55; Deeks and Higgins (2010), Statistical algorithms
    in Review Manager 5.

    Examples
    --------
    >>> cells = [np.array([x]) for x in (10.0, 90.0, 20.0, 80.0)]
    >>> pooled = mantel_haenszel_rd_gr(Tables(a=cells[0], b=cells[1], c=cells[2], d=cells[3]))
    >>> round(float(pooled.estimate), 6), round(float(pooled.se), 6)
    (-0.1, 0.05)
    """
    a, b, c, d = tables.a, tables.b, tables.c, tables.d
    n1, n2 = a + b, c + d
    N = n1 + n2
    weight = (n1 * n2 / N).sum(-1)
    difference = ((a * n2 - c * n1) / N).sum(-1) / weight
    variance = ((a * b * n2**2 / n1 + c * d * n1**2 / n2) / N**2).sum(-1) / weight**2
    require_positive(variance, "the variance of the risk difference")
    return CountEstimate(estimate=np.asarray(difference), se=np.asarray(np.sqrt(variance)))


def require_separate_controls(*, correlated: bool) -> None:
    """Refuse counts of studies that share a control arm which is not split.

    Raises
    ------
    NotEstimableError
        They are `correlated`.
    """
    if correlated:
        raise NotEstimableError(
            "Mantel-Haenszel and Peto take independent studies, but some share their control arm. "
            "Read the table with shared='split', or use an inverse-variance method."
        )


def require_positive(value: FloatArray, what: str, *, method: str = "Mantel-Haenszel") -> None:
    """Refuse a sum of zero that an estimate or its error would be divided by.

    Raises
    ------
    NotEstimableError
        A member of `value` (...) is zero.
    """
    if not np.all(value > 0):
        raise NotEstimableError(
            f"{method} has no finite estimate with a standard error: {what} is zero."
        )


MANTEL_HAENSZEL: dict[str, Callable[[Tables], CountEstimate]] = {
    "OR": mantel_haenszel_or,
    "RR": mantel_haenszel_rr,
    "RD": mantel_haenszel_rd,
}

REVMAN: dict[str, Callable[[Tables], CountEstimate]] = {
    "OR": mantel_haenszel_or,
    "RR": mantel_haenszel_rr,
    "RD": mantel_haenszel_rd_gr,
}
