"""The rows of a cross-check: one per road and method, and the frames made of them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from scipy.special import ndtri

from bayesmeta.checks.agreement import Agreement
from bayesmeta.effects import Effects, Measure
from bayesmeta.frequentist import PooledEstimate
from bayesmeta.inference.posterior import Accuracy, Posterior
from bayesmeta.published.row import PublishedRow
from bayesmeta.scales import FloatArray

type Road = Literal["published", "frequentist", "exact", "nuts"]

_NAN = float("nan")
_ON_ONE_SCALE = ("tau", "tau_low", "tau_high", "p_below_null")
_ON_BOTH_SCALES = ("estimate", "ci_low", "ci_high", "pi_low", "pi_high")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One road and method; numbers on the analysis scale, nan where there is none.

    Attributes
    ----------
    road, method, label : str
        Method is "EE", "REML" and so on, or the name of the model.
    engine : str or None
        What computed a posterior: "gaussian", "grid" or "nuts".
    estimate, ci_low, ci_high : float
        Effect; of a posterior its median and equal-tailed interval.
    tau, tau_low, tau_high : float
        SD of the true effects; of a posterior the same.
    pi_low, pi_high : float
        Prediction interval for the effect of a new study.
    p_below_null : float
        Posterior probability of an effect below the null value (a ratio below 1).
    numerical_error : float
        Of an exact posterior, as its engine measured it.
    z_largest, z_mean : float
        Of NUTS: difference from the exact posterior in Monte Carlo standard errors, the largest
        of those compared, and that of the mean of mu.
    rhat, ess, divergences : float, float, int or None
        Of NUTS: the worst R-hat, the smallest effective sample size, divergent transitions.
    notes : tuple of str
        What should be known of the row.
    """

    road: Road
    method: str
    label: str
    engine: str | None = None
    estimate: float = _NAN
    ci_low: float = _NAN
    ci_high: float = _NAN
    tau: float = _NAN
    tau_low: float = _NAN
    tau_high: float = _NAN
    pi_low: float = _NAN
    pi_high: float = _NAN
    p_below_null: float = _NAN
    numerical_error: float = _NAN
    z_largest: float = _NAN
    z_mean: float = _NAN
    rhat: float = _NAN
    ess: float = _NAN
    divergences: int | None = None
    notes: tuple[str, ...] = ()


def make_published_row(published: PublishedRow, measure: Measure) -> Row:
    """Give a printed row, moved to the analysis scale."""
    ci = published.ci
    natural = [published.estimate.value, *((ci[0].value, ci[1].value) if ci else (_NAN, _NAN))]
    with np.errstate(divide="ignore", invalid="ignore"):  # a ratio printed as 0.00, or below 0
        estimate, low, high = measure.scale.from_natural(np.array(natural))
    tau2 = published.tau2
    return Row(
        road="published",
        method=published.model or "published",
        label=f"published ({published.model} effects)" if published.model else "published",
        estimate=float(estimate),
        ci_low=float(low),
        ci_high=float(high),
        tau=_NAN if tau2 is None else float(np.sqrt(tau2.value)),
    )


def make_reference_row(pooled: PooledEstimate) -> Row:
    """Give a frequentist row, with tau instead of tau2."""
    tau, low, high = np.sqrt([pooled.tau2, pooled.tau2_ci_low, pooled.tau2_ci_high])
    return Row(
        road="frequentist",
        method=pooled.method,
        label=pooled.label,
        estimate=pooled.estimate,
        ci_low=pooled.ci_low,
        ci_high=pooled.ci_high,
        tau=float(tau),
        tau_low=float(low),
        tau_high=float(high),
        pi_low=pooled.pi_low,
        pi_high=pooled.pi_high,
        notes=pooled.notes,
    )


def make_posterior_row(
    name: str, posterior: Posterior, level: float, agreement: Agreement | None = None
) -> Row:
    """Give the row of a posterior: medians, equal-tailed intervals, and how it was checked."""
    sampled, accuracy = posterior.engine == "nuts", posterior.accuracy
    tail = (1 - level) / 2
    mu, tau, new = (
        marginal.quantile([0.5, tail, 1 - tail]) for marginal in posterior.marginals.values()
    )
    row = Row(
        road="nuts" if sampled else "exact",
        method=name,
        label=f"{'NUTS' if sampled else 'exact'} ({name})",
        engine=posterior.engine,
        estimate=float(mu[0]),
        ci_low=float(mu[1]),
        ci_high=float(mu[2]),
        tau=float(tau[0]),
        tau_low=float(tau[1]),
        tau_high=float(tau[2]),
        pi_low=float(new[1]),
        pi_high=float(new[2]),
        p_below_null=float(posterior.mu.cdf(0.0)),
        z_largest=_NAN if agreement is None else agreement.largest.z,
        z_mean=_NAN if agreement is None else agreement.z("mu", "mean"),
        notes=posterior.notes,
    )
    if isinstance(accuracy, Accuracy):
        return replace(row, numerical_error=accuracy.error)
    ess = min(accuracy.ess_bulk, accuracy.ess_tail)
    return replace(row, rhat=accuracy.rhat, ess=ess, divergences=accuracy.divergences)


def make_refused_row(road: Road, name: str, reason: str) -> Row:
    """Give the row of a posterior that could not be computed."""
    label = f"{'NUTS' if road == 'nuts' else road} ({name})"
    return Row(road=road, method=name, label=label, notes=(reason,))


def extremes(rows: Sequence[Row]) -> tuple[Row, Row]:
    """Give the lowest and the highest of each number of rows of one label, in two rows."""
    numbers = {
        name: [getattr(row, name) for row in rows] for name in (*_ON_BOTH_SCALES, *_ON_ONE_SCALE)
    }
    low: dict[str, Any] = {name: float(np.fmin.reduce(of)) for name, of in numbers.items()}
    high: dict[str, Any] = {name: float(np.fmax.reduce(of)) for name, of in numbers.items()}
    return replace(rows[0], **low), replace(rows[0], **high)


def rows_frame(
    rows: tuple[Row, ...], measure: Measure, *, outcome: str, level: float
) -> pd.DataFrame:
    """Give the rows as a frame, with the natural scale in columns of its own."""
    names = list(Row.__slots__)
    frame = pd.DataFrame([[getattr(row, name) for name in names] for row in rows], columns=names)
    frame["divergences"] = frame["divergences"].astype("Int64")
    frame["notes"] = ["; ".join(row.notes) for row in rows]
    frame.insert(0, "outcome", outcome)
    frame.insert(names.index("estimate") + 1, "scale", measure.analysis_label)
    frame["natural_scale"] = measure.name
    for name in _ON_BOTH_SCALES:
        values = frame[name].to_numpy(dtype=np.float64)
        frame[f"natural_{name}"] = measure.scale.to_natural(values)
    frame["level"] = level
    return frame


def tidy_frame(
    rows: tuple[Row, ...],
    effects: Effects | None,
    posteriors: Mapping[str, Posterior],
    measure: Measure,
    *,
    outcome: str,
    level: float,
) -> pd.DataFrame:
    """Give every estimate in a row of its own, each with its scale."""
    found = [entry for row in rows for entry in _of_row(row, posteriors.get(row.label))]
    if effects is not None:
        found.extend(_of_studies(effects, posteriors, level))
    columns = ("road", "method", "quantity", "study", "estimate", "low", "high")
    analysis = pd.DataFrame(found, columns=list(columns))
    analysis["scale"] = measure.analysis_label
    analysis.loc[analysis["quantity"] == "p_below_null", "scale"] = "probability"
    both = analysis["quantity"].isin(["mu", "theta_new", "theta", "observed"])
    parts = [analysis]
    if measure.scale.name != "identity":
        natural = analysis[both].assign(scale=measure.name)
        for column in ("estimate", "low", "high"):
            natural[column] = measure.scale.to_natural(natural[column].to_numpy(dtype=np.float64))
        parts.append(natural)
    frame = pd.concat(parts, ignore_index=True)
    frame.insert(0, "outcome", outcome)
    frame["level"] = level
    return frame


type _Entry = tuple[str, str, str, str, float, float, float]


def _of_row(row: Row, posterior: Posterior | None) -> Iterator[_Entry]:
    """Give the estimates of a row that are there."""
    new = row.estimate if posterior is None else float(posterior.theta_new.quantile(0.5))
    estimates = {
        "mu": (row.estimate, row.ci_low, row.ci_high),
        "theta_new": (new, row.pi_low, row.pi_high),
        "tau": (row.tau, row.tau_low, row.tau_high),
        "p_below_null": (row.p_below_null, _NAN, _NAN),
    }
    for quantity, (estimate, low, high) in estimates.items():
        there = np.isfinite(low) if quantity == "theta_new" else np.isfinite(estimate)
        if there:
            yield row.road, row.method, quantity, "", estimate, low, high


def _of_studies(
    effects: Effects, posteriors: Mapping[str, Posterior], level: float
) -> Iterator[_Entry]:
    """Give the studies' effects, observed and as each posterior has them."""
    low, high = study_intervals(effects, level)
    for i, study in enumerate(effects.study):
        yield "data", "", "observed", study, float(effects.y[i]), float(low[i]), float(high[i])
    for label, posterior in posteriors.items():
        road, _, method = label.removesuffix(")").partition(" (")
        table = posterior.study_table(level=level)
        numbers = zip(table["median"], table["low"], table["high"], strict=True)
        for study, (median, lower, upper) in zip(effects.study, numbers, strict=True):
            yield road.lower(), method, "theta", study, float(median), float(lower), float(upper)


def study_intervals(effects: Effects, level: float) -> tuple[FloatArray, FloatArray]:
    """Give each study's Wald interval, (row,) and (row,)."""
    v = effects.S if effects.S.ndim == 1 else np.diagonal(effects.S)
    half = float(ndtri((1 + level) / 2)) * np.sqrt(v)
    return effects.y - half, effects.y + half
