"""The registry of estimators of the between-study variance tau2.

Shapes are those of `decorrelate`: `y` (..., row), `S` (..., row) variances or (..., row, row)
covariance, `X` (..., row, coefficient). An estimator is a function (y, S, X) -> tau2 (...), in
squared units of `y`, and its line in `TAU2`: by moments (`tau2_moments`), as a root of an equation
in Q (`tau2_roots`), or by likelihood (`maximum_likelihood`).
"""

from collections.abc import Callable

from bayesmeta.frequentist.tau2.likelihood import tau2_ml, tau2_reml
from bayesmeta.frequentist.tau2.moments import tau2_dl, tau2_dl2, tau2_he, tau2_hs, tau2_sj
from bayesmeta.frequentist.tau2.roots import tau2_eb, tau2_pm
from bayesmeta.scales import FloatArray

TAU2: dict[str, Callable[[FloatArray, FloatArray, FloatArray], FloatArray]] = {
    "DL": tau2_dl,
    "REML": tau2_reml,
    "ML": tau2_ml,
    "PM": tau2_pm,
    "EB": tau2_eb,
    "SJ": tau2_sj,
    "HE": tau2_he,
    "HS": tau2_hs,
    "DL2": tau2_dl2,
}
