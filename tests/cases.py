"""Models and data that several tests share."""

from typing import Any

import numpy as np
import pandas as pd

from bayesmeta.design import build_design
from bayesmeta.effects import get_measure
from bayesmeta.inference.posterior import Posterior
from bayesmeta.likelihoods import BinomialLikelihood, NormalData, NormalLikelihood
from bayesmeta.model import BoundModel, Model
from bayesmeta.priors import (
    Fixed,
    Flat,
    HalfCauchy,
    HalfNormal,
    LogNormal,
    Normal,
    Prior,
    Uniform,
)
from bayesmeta.studies import StudyTable, read_studies

WIDE, HALF, BASELINE = Normal(0, 2.82), HalfNormal(0.5), Normal(0, 10)
PROBS = [0.025, 0.5, 0.975]
TAU_PRIORS: dict[str, Any] = {
    "half_normal": HalfNormal,
    "half_cauchy": HalfCauchy,
    "uniform": lambda high: Uniform(0, high),
    "log_normal": lambda pair: LogNormal(*pair),
}


def tau_prior(settings: dict[str, Any]) -> Prior:
    return TAU_PRIORS[settings["tau_prior"]](settings["tau_scale"])


def effect_prior(settings: dict[str, Any]) -> Prior:
    if "mu_fixed" in settings:
        return Fixed(settings["mu_fixed"])
    return Flat() if settings["s0"] is None else Normal(settings["m0"], settings["s0"])


def normal_model(effect: Prior, heterogeneity: Prior, measure: str = "GEN") -> Model:
    return Model(
        measure=measure,
        likelihood=NormalLikelihood(),
        effect=effect,
        heterogeneity=heterogeneity,
    )


def binomial_model(
    effect: Prior = WIDE,
    heterogeneity: Prior = HALF,
    baseline: Prior = BASELINE,
) -> Model:
    return Model(
        measure="OR",
        likelihood=BinomialLikelihood(baseline=baseline),
        effect=effect,
        heterogeneity=heterogeneity,
    )


def estimates(y: Any, v: Any) -> StudyTable:
    """A contrast-level table of estimates and variances."""
    labels = [f"study {i + 1}" for i in range(len(y))]
    return read_studies(pd.DataFrame({"study": labels, "yi": y, "vi": v}))


def counts(*rows: tuple[int, int, int, int]) -> StudyTable:
    """A table of (events, n) treated and (events, n) control."""
    frame = pd.DataFrame(rows, columns=["ai", "n1i", "ci", "n2i"])
    return read_studies(frame.assign(study=[f"study {i + 1}" for i in range(len(rows))]))


def bind_normal(y: Any, S: Any, effect: Prior, heterogeneity: Prior) -> BoundModel:
    """Effects with variances (row,) or a full covariance (row, row)."""
    y = np.asarray(y, dtype=float)
    data = NormalData(
        studies=tuple(f"study {i + 1}" for i in range(len(y))), y=y, S=np.asarray(S, dtype=float)
    )
    return BoundModel(
        model=normal_model(effect, heterogeneity),
        measure=get_measure("GEN"),
        data=data,
        design=build_design(len(y)),
    )


def reported(posterior: Posterior) -> dict[str, float]:
    """Everything that the reference posteriors list, by name."""
    out = {"log_marginal_likelihood": float(posterior.log_marginal_likelihood or np.nan)}
    for name, marginal in posterior.marginals.items():
        values = [marginal.mean, marginal.sd, *marginal.quantile(PROBS), marginal.cdf(0.0)]
        keys = ("mean", "sd", "q2.5", "q50", "q97.5", "p_below_0")
        out |= {f"{name} {key}": float(value) for key, value in zip(keys, values, strict=True)}
    return out


def expected(case: dict[str, Any]) -> dict[str, float]:
    """The same names from a reference case; study effects apart."""
    out = {"log_marginal_likelihood": case["expected"]["log_marginal_likelihood"]}
    for name in ("mu", "tau", "theta_new"):
        for key, value in case["expected"].get(name, {}).items():
            out[f"{name} {key}"] = value
    return out
