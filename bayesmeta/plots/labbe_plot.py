"""L'Abbe's plot: the risk in the treated arm over the risk in the control arm."""

from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy.special import expit, logit

from bayesmeta.errors import ModelError
from bayesmeta.frequentist.independent import independent_effects, pool_batch
from bayesmeta.plots.point_labels import label_points
from bayesmeta.plots.style import BLUE, GREY, INK, add_legend, make_axes, set_percent, tidy
from bayesmeta.scales import FloatArray
from bayesmeta.studies import StudyTable

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def labbe(
    studies: StudyTable,
    measure: Literal["OR", "RR", "RD"],
    *,
    method: str = "REML",
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw L'Abbe's plot: risk with treatment over risk without it, a circle for each study.

    The area of a circle is the number of patients, but none is too small to be seen. On the dashed
    diagonal the arms do not differ; the solid curve is the pooled effect, the same for every
    control risk on the scale of `measure`. Studies far from it are named where there is room.

    Parameters
    ----------
    studies : StudyTable
        Counts of two arms.
    measure : {"OR", "RR", "RD"}
        What is pooled for the curve.
    method : str
        "EE" for the common effect, or an estimator of tau2, a key of `TAU2`.
    ax : Axes, optional
        Where to draw. Not given, a figure is made, the `figure` of the result.

    Returns
    -------
    Axes
        Risks as they were observed, without any correction.

    Raises
    ------
    ModelError
        Another measure, or no counts of two arms.

    References
    ----------
    L'Abbe, Detsky and O'Rourke (1987), Annals of Internal Medicine 107:224-233.

    Examples
    --------
    >>> import bayesmeta as bm
    >>> ax = bm.plots.labbe(bm.load("bcg"), "OR")
    >>> ax.get_xlabel()
    'risk in control arm'
    """
    if measure not in _CURVES:
        raise ModelError(f"{measure} is no effect on a risk. Use one of {', '.join(_CURVES)}")
    effects = independent_effects(studies, measure)
    counts = studies.two_arm()
    pooled = float(pool_batch(effects.y, effects.v, method=method, level=0.95).estimate)
    control = np.asarray(counts.events_control / counts.n_control, dtype=np.float64)
    treated = np.asarray(counts.events_treated / counts.n_treated, dtype=np.float64)
    patients = np.asarray(counts.n_control + counts.n_treated, dtype=np.float64)
    ends = np.array([*control, *treated])
    low, high = float(ends.min()), float(ends.max())
    margin = 0.08 * (high - low) or 0.02
    low, high = max(low - margin, -margin / 2), min(high + margin, 1 + margin / 2)
    ax = make_axes(4.3, 4.4) if ax is None else ax
    ax.set_xlim(low, high)
    ax.set_ylim(low, high)
    ax.set_box_aspect(1)
    b = np.linspace(max(low, 0.0), min(high, 1.0), 300)
    ax.plot(b, b, "--", color=GREY, linewidth=1.0, label="no effect")
    curve = _CURVES[measure](b, pooled)
    curve = np.where((curve >= 0) & (curve <= 1), curve, np.nan)
    name = "common effect" if method == "EE" else method
    natural = float(effects.measure.scale.to_natural(np.array(pooled)))
    ax.plot(b, curve, color=INK, linewidth=1.1, label=f"{measure} {natural:.2f} ({name})")
    areas = (260 if len(patients) < 60 else 110) * patients / patients.max()
    ax.scatter(control, treated, s=np.maximum(areas, 8), facecolor=BLUE, edgecolor="white",
               linewidth=0.6, alpha=0.65, label="_study")  # fmt: skip
    names = studies.arms or ("treated", "control")
    for axis, arm in ((ax.xaxis, names[1]), (ax.yaxis, names[0])):
        set_percent(axis)
        axis.set_label_text(f"risk in {_arm(arm)}", color=INK)
    tidy(ax)
    add_legend(ax, columns=2)
    far = np.abs(treated - np.nan_to_num(_CURVES[measure](control, pooled)))
    order = [int(i) for i in np.argsort(-far)][:12]
    label_points(ax, control, treated, effects.study, order, radius=np.sqrt(areas) / 2)
    return ax


def _arm(name: str) -> str:
    return f"{name} arm" if name in ("treated", "control") else name


def _same_odds_ratio(b: FloatArray, effect: float) -> FloatArray:
    with np.errstate(divide="ignore"):
        out: FloatArray = expit(logit(b) + effect)
    return out


def _same_risk_ratio(b: FloatArray, effect: float) -> FloatArray:
    out: FloatArray = b * np.exp(effect)
    return out


def _same_difference(b: FloatArray, effect: float) -> FloatArray:
    return b + effect


_CURVES = {"OR": _same_odds_ratio, "RR": _same_risk_ratio, "RD": _same_difference}
