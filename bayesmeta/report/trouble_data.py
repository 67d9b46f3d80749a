"""Small-study effects and influence as plain data for JSON: analysis scale, None if undefined."""

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

from bayesmeta.effects import get_measure
from bayesmeta.frequentist.bias.report import BiasReport
from bayesmeta.frequentist.influence.deletion import Refits
from bayesmeta.frequentist.influence.measures import Influence
from bayesmeta.frequentist.influence.predicted import Blups

type Data = dict[str, Any]


def bias_as_data(report: BiasReport, *, notes: Sequence[str], version: str) -> Data:
    """Give everything as ``bias --json`` does: analysis scale, None where undefined."""
    measure = get_measure(report.tests.measure)
    filled, selected = report.trim_fill, report.selection
    trim_fill, selection = None, None
    if filled is not None:
        mirrored = {
            "study": filled.filled_from,
            "estimate": filled.filled_y,
            "variance": filled.filled_v,
        }
        trim_fill = {
            "method": filled.method, "estimator": filled.estimator, "side": filled.side,
            "k0": filled.k0, "k0_se": _finite(filled.k0_se), "centre": filled.centre,
            "filled": _records(pd.DataFrame(mirrored)),
            "rows": _records(filled.to_frame().filter(regex="^(?!natural|scale)")),
            "notes": list(filled.notes),
        }  # fmt: skip
    if selected is not None:
        names = ("alternative", "estimate", "se", "ci_low", "ci_high", "p_value", "tau2",
                 "log_likelihood", "unselected_estimate", "unselected_tau2",
                 "unselected_log_likelihood", "lrt", "lrt_df", "lrt_p", "gradient",
                 "iterations")  # fmt: skip
        selection = {name: _finite(getattr(selected, name)) for name in names}
        selection |= {"intervals": _records(selected.to_frame()), "notes": list(selected.notes)}
    fail_safe = report.fail_safe
    return {
        "bayesmeta": version,
        "measure": measure.name,
        "scale": measure.scale.name,
        "k": report.tests.k,
        "tests": [_plain(asdict(row)) for row in report.tests.rows],
        "trim_fill": trim_fill,
        "selection": selection,
        "fail_safe": {
            "alpha": fail_safe.alpha,
            "target": fail_safe.target,
            "rows": [_plain(asdict(row)) for row in fail_safe.rows],
        },
        "notes": list(dict.fromkeys([*notes, *report.tests.notes, *report.undefined])),
    }


def influence_as_data(
    found: Influence, left_out: Refits, predicted: Blups, *, notes: Sequence[str], version: str
) -> Data:
    """Give everything as ``influence --json`` does: analysis scale, None where undefined."""
    measure = get_measure(found.measure)

    def rows(frame: pd.DataFrame) -> list[Data]:
        return _records(frame.filter(regex="^(?!natural|scale)"))

    return {
        "bayesmeta": version,
        "measure": measure.name,
        "scale": measure.scale.name,
        "method": found.method,
        "k": len(found.study),
        "influence": rows(found.to_frame()),
        "leave_one_out": rows(left_out.to_frame()),
        "predictions": rows(predicted.to_frame()),
        "notes": list(dict.fromkeys([*notes, *found.notes])),
    }


def _records(frame: pd.DataFrame) -> list[Data]:
    return [_plain(row) for row in frame.to_dict("records")]


def _plain(row: dict[Any, Any]) -> Data:
    return {str(name): _finite(value) for name, value in row.items()}


def _finite(value: Any) -> Any:
    """Give plain values; None for what is not a number."""
    if value is None or value is pd.NA:
        return None
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
