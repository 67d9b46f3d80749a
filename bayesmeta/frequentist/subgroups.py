"""The test for subgroup differences: whether pooled effects of groups share one value."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bayesmeta.frequentist.inverse_variance import heterogeneity
from bayesmeta.frequentist.reference import PooledEstimate


@dataclass(frozen=True, slots=True, kw_only=True)
class SubgroupTest:
    """Cochran's Q of the pooled effects of groups.

    Attributes
    ----------
    q, df, p : float, int, float
        Q between groups, its degrees of freedom (groups less one) and its p-value.
    i2 : float
        Percent: ``100 (q - df) / q``, not below 0.
    """

    q: float
    df: int
    p: float
    i2: float


def compare_subgroups(rows: Sequence[PooledEstimate]) -> SubgroupTest | None:
    """Test whether the pooled effects of subgroups differ beyond their standard errors.

    Parameters
    ----------
    rows : sequence of PooledEstimate
        The pooled effect of each group, all by one method. One without an estimate or a standard
        error does not count.

    Returns
    -------
    SubgroupTest or None
        None where fewer than two groups count.

    References
    ----------
    Borenstein and Higgins (2013), Prevention Science 14:134-143: random effects within groups, each
    with a tau2 of its own, fixed effects between them; what RevMan prints as "Test for subgroup
    differences". With a common effect, Q between groups is Q of all studies less those within.

    Examples
    --------
    >>> import bayesmeta as bm
    >>> trials, half = bm.load("bcg"), bm.load("bcg").studies[:6]
    >>> rest = [study for study in trials.studies if study not in half]
    >>> groups = [trials.drop(*rest), trials.drop(*half)]
    >>> test = compare_subgroups([bm.pool(one, "OR", methods=["REML"])["REML"] for one in groups])
    >>> round(test.q, 2), test.df, round(test.p, 3), round(test.i2)
    (2.57, 1, 0.109, 61)
    """
    numbers = np.array([(row.estimate, row.se) for row in rows]).reshape(-1, 2)
    y, se = numbers[np.isfinite(numbers).all(axis=1)].T
    if len(y) < 2:
        return None
    found = heterogeneity(y, se**2, np.ones((len(y), 1)))
    return SubgroupTest(q=float(found.q), df=found.df, p=float(found.p), i2=float(found.i2()))
