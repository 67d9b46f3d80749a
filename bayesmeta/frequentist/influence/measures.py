"""What each study does to the result: residuals, measures of influence, Baujat's coordinates."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import chdtr

from bayesmeta.effects import Correction, get_measure
from bayesmeta.errors import NotEstimableError
from bayesmeta.frequentist.independent import independent_effects, pool_batch, require_two
from bayesmeta.frequentist.influence.deletion import all_but_one
from bayesmeta.scales import FloatArray
from bayesmeta.studies import StudyTable


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Influence:
    """Influence of each study, from the fit with it and the fit without it; all (study,).

    Attributes
    ----------
    measure, method : str
        Effect measure; "EE" or estimator of tau2.
    study : tuple of str
        Labels.
    residual, residual_se, rstudent : arrays
        Effect minus the mean of the others, its standard error, and their ratio: the externally
        studentised (deleted) residual.
    dffits, dfbetas : arrays
        Change of the mean by the study in standard errors: of the fitted value, and of the
        coefficient with the others' tau2.
    cook : array
        Cook's distance: squared change of the mean over its variance.
    cov_ratio : array
        Variance of the mean without the study over that with it; below 1, it costs precision.
    tau2_deleted, q_deleted : arrays
        tau2 and Q without the study.
    hat, weight : arrays
        Leverage, and the same as a percentage, the weight.
    influential : boolean array
        Whether one of metafor's thresholds is passed: size of dffits above 3 sqrt(1 / (k - 1)),
        P(chi-squared(1) < cook) > 1/2, hat > 3 / k, size of dfbetas above 1. Rules of thumb.
    notes : tuple of str
        What should be known.
    """

    measure: str
    method: str
    study: tuple[str, ...]
    residual: FloatArray
    residual_se: FloatArray
    rstudent: FloatArray
    dffits: FloatArray
    dfbetas: FloatArray
    cook: FloatArray
    cov_ratio: FloatArray
    tau2_deleted: FloatArray
    q_deleted: FloatArray
    hat: FloatArray
    weight: FloatArray
    influential: NDArray[np.bool_]
    notes: tuple[str, ...]

    def to_frame(self) -> pd.DataFrame:
        """Give a tidy frame, one row per study, on the analysis scale."""
        names = ("residual", "residual_se", "rstudent", "dffits", "dfbetas", "cook", "cov_ratio",
                 "tau2_deleted", "q_deleted", "hat", "weight", "influential")  # fmt: skip
        scale = get_measure(self.measure).scale.name
        columns = {"study": self.study, "scale": scale}
        return pd.DataFrame(columns | {name: getattr(self, name) for name in names})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Baujat:
    """The coordinates of Baujat's plot; all (study,), without unit.

    Attributes
    ----------
    measure, method : str
        Effect measure; "EE" or estimator of tau2.
    study : tuple of str
        Labels.
    heterogeneity : array
        Squared Pearson residual: the study's share of Q with the method's weights.
    influence : array
        Squared change of the mean without the study, over its variance then.
    notes : tuple of str
        What should be known.
    """

    measure: str
    method: str
    study: tuple[str, ...]
    heterogeneity: FloatArray
    influence: FloatArray
    notes: tuple[str, ...]

    def to_frame(self) -> pd.DataFrame:
        """Give a tidy frame, one row per study."""
        return pd.DataFrame(
            {
                "study": self.study,
                "heterogeneity": self.heterogeneity,
                "influence": self.influence,
            }
        )


def influence(
    studies: StudyTable,
    measure: str,
    *,
    method: str = "REML",
    correction: Correction = "only0",
) -> Influence:
    """Measure what each study does to the pooled effect.

    Parameters
    ----------
    studies : StudyTable
        One comparison and one outcome.
    measure : str
        Effect measure, a key of `MEASURES`.
    method : str
        "EE" for the common effect, or an estimator of tau2, a key of `TAU2`.
    correction : {"only0", "all", "none"}
        Where 1/2 is added to the cells of 2x2 tables.

    Returns
    -------
    Influence

    Raises
    ------
    ModelError
        Unknown measure or method.
    NotEstimableError
        Fewer than three studies; or the search for tau2 did not converge.

    References
    ----------
    Viechtbauer and Cheung (2010), Research Synthesis Methods 1:112, whose definitions and
    thresholds metafor has.

    Examples
    --------
    >>> from bayesmeta.studies import load
    >>> found = influence(load("bcg"), "RR")
    >>> float(found.rstudent[0].round(4)), float(found.cook[0].round(4))
    (-0.2181, 0.0017)
    """
    effects = independent_effects(studies, measure, correction=correction)
    y, v, k = effects.y, effects.v, len(effects.y)
    if k < 3:
        raise NotEstimableError("Measures of influence need three studies.")
    full = pool_batch(y, v, method=method, level=0.95)
    without = pool_batch(all_but_one(y), all_but_one(v), method=method, level=0.95)
    residual = y - without.estimate
    residual_se = np.sqrt(v + without.tau2 + without.se**2)
    change = full.estimate - without.estimate
    w = 1.0 / (v + full.tau2)
    hat = w / w.sum()
    # variance of the mean of all studies, with the tau2 of the others
    se_theirs = (1.0 / (v + without.tau2[:, None])).sum(-1) ** -0.5
    dffits = change / np.sqrt(hat * (without.tau2 + v))
    dfbetas = change / se_theirs
    cook = (change / full.se) ** 2
    influential = (
        (np.abs(dffits) > 3.0 * np.sqrt(1.0 / (k - 1)))
        | (chdtr(1, cook) > 0.5)
        | (hat > 3.0 / k)
        | (np.abs(dfbetas) > 1.0)
    )
    return Influence(
        measure=measure,
        method=method,
        study=effects.study,
        residual=residual,
        residual_se=residual_se,
        rstudent=residual / residual_se,
        dffits=dffits,
        dfbetas=dfbetas,
        cook=cook,
        cov_ratio=(without.se / full.se) ** 2,
        tau2_deleted=without.tau2,
        q_deleted=without.q,
        hat=hat,
        weight=100.0 * hat,
        influential=influential,
        notes=effects.notes,
    )


def baujat(
    studies: StudyTable,
    measure: str,
    *,
    method: str = "EE",
    correction: Correction = "only0",
) -> Baujat:
    """Give the coordinates of Baujat's plot: share of the heterogeneity, and influence.

    Parameters
    ----------
    studies : StudyTable
        One comparison and one outcome.
    measure : str
        Effect measure, a key of `MEASURES`.
    method : str
        "EE", with which Baujat and others drew it, or an estimator of tau2, a key of `TAU2`.
    correction : {"only0", "all", "none"}
        Where 1/2 is added to the cells of 2x2 tables.

    Returns
    -------
    Baujat

    Raises
    ------
    ModelError
        Unknown measure or method.
    NotEstimableError
        One study only; or the search for tau2 did not converge.

    References
    ----------
    Baujat, Mahe, Pignon and Hill (2002), Statistics in Medicine 21:2641.

    Examples
    --------
    >>> from bayesmeta.studies import load
    >>> found = baujat(load("bcg"), "OR")
    >>> round(float(found.heterogeneity.sum()), 4)  # Q
    163.1649
    """
    effects = independent_effects(studies, measure, correction=correction)
    require_two(effects.y, "Baujat's plot")
    y, v = effects.y, effects.v
    full = pool_batch(y, v, method=method, level=0.95)
    without = pool_batch(all_but_one(y), all_but_one(v), method=method, level=0.95)
    return Baujat(
        measure=measure,
        method=method,
        study=effects.study,
        heterogeneity=(y - full.estimate) ** 2 / (v + full.tau2),
        influence=((without.estimate - full.estimate) / without.se) ** 2,
        notes=effects.notes,
    )
