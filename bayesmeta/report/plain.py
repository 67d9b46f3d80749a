"""Results as plain data for JSON: numbers on the analysis scale, None where one is undefined."""

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from bayesmeta.effects import Effects
from bayesmeta.errors import BayesmetaError
from bayesmeta.frequentist import PooledEstimate, Reference
from bayesmeta.inference.marginals import Marginal
from bayesmeta.inference.posterior import Accuracy, Diagnostics, Posterior
from bayesmeta.inference.probability import probability_below_zero

_OF_PROBLEM = ("row", "column", "study", "value", "what", "fix")


def posterior_as_data(
    posterior: Posterior, *, level: float, notes: Sequence[str], version: str
) -> dict[str, Any]:
    """Give a posterior as the command line's ``fit --json`` does.

    Parameters
    ----------
    posterior : Posterior
        What to give.
    level : float
        Probability of the interval; its ends name the quantiles, "q2.5" and "q97.5" for 0.95.
    notes : sequence of str
        Of the result.
    version : str
        Of this package.
    """
    bound, accuracy = posterior.bound, posterior.accuracy
    texts = bound.model.as_text()
    names = [name for name in ("effect", "heterogeneity", "baseline") if name in texts]
    effects = _marginal_as_data(posterior.theta, level)
    return {
        "bayesmeta": version,
        "measure": bound.measure.name,
        "scale": bound.measure.scale.name,
        "likelihood": str(bound.model.likelihood),
        "engine": "nuts" if posterior.engine == "nuts" else "exact",
        "priors": {name: texts[name] for name in names},
        "model": texts,
        "k": len(bound.studies),
        "log_marginal_likelihood": _finite(posterior.log_marginal_likelihood),
        "numerical_error": accuracy.error if isinstance(accuracy, Accuracy) else None,
        "nuts": None if isinstance(accuracy, Accuracy) else run_as_data(accuracy),
        "parameters": [
            {"name": name}
            | _marginal_as_data(marginal, level)[0]
            | {"p_below_zero": _finite(probability_below_zero(marginal))}
            for name, marginal in posterior.marginals.items()
        ],
        "studies": [
            {"study": study} | numbers
            for study, numbers in zip(bound.studies, effects, strict=True)
        ],
        "notes": list(notes),
    }


def run_as_data(diagnostics: Diagnostics) -> dict[str, Any]:
    """Give settings and diagnostics of a NUTS run; None for what is not finite."""
    return {name: plain_value(value) for name, value in asdict(diagnostics).items()}


def pooled_as_data(row: PooledEstimate, *, version: str) -> dict[str, Any]:
    """Give a frequentist row as ``pool --json --method`` does."""
    return {"bayesmeta": version} | row.as_dict()


def reference_as_data(reference: Reference, *, version: str) -> dict[str, Any]:
    """Give all rows as ``pool --json`` does."""
    return {"rows": [pooled_as_data(row, version=version) for row in reference]}


def effects_as_data(effects: Effects, *, notes: Sequence[str], version: str) -> dict[str, Any]:
    """Give the studies' effects as ``effects --json`` does."""
    v = effects.S if effects.S.ndim == 1 else np.diagonal(effects.S)
    told = effects.row_notes or ("",) * len(effects.study)
    return {
        "bayesmeta": version,
        "measure": effects.measure.name,
        "scale": effects.measure.scale.name,
        "rows": [
            {"study": study, "estimate": _finite(y), "variance": _finite(variance), "note": note}
            for study, y, variance, note in zip(effects.study, effects.y, v, told, strict=True)
        ],
        "notes": list(notes),
    }


def error_as_data(error: BayesmetaError) -> dict[str, Any]:
    """Give an error as ``--json`` does."""
    problems = [problem.as_dict() for problem in error.problems]
    return {
        "error": {
            "type": type(error).__name__,
            "message": error.message,
            "problems": [{key: problem[key] for key in _OF_PROBLEM} for problem in problems],
        }
    }


def _marginal_as_data(marginal: Marginal, level: float) -> list[dict[str, float | None]]:
    """Give mean, SD and quantiles of each parameter of a marginal."""
    tail = (1 - level) / 2
    points = (tail, 0.5, 1 - tail)
    columns = [np.atleast_1d(marginal.mean), np.atleast_1d(marginal.sd)]
    columns += list(np.atleast_2d(marginal.quantile(points)).T)
    names = ["mean", "sd", *(f"q{100 * p:g}" for p in points)]
    return [
        {name: _finite(value) for name, value in zip(names, row, strict=True)}
        for row in zip(*columns, strict=True)
    ]


def plain_value(value: Any) -> Any:
    """Give a value that JSON has; None for what is not finite."""
    if isinstance(value, tuple):
        return list(value)
    return _finite(value) if isinstance(value, float) else value


def _finite(value: Any) -> float | None:
    number = math.nan if value is None else float(value)
    return number if math.isfinite(number) else None
