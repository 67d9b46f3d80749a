"""The methods of published meta-analyses: what RevMan, Stata and metafor print."""

from bayesmeta.frequentist.pool import METHODS, Method, fitting_methods, normal_name, pool
from bayesmeta.frequentist.reference import (
    IntervalMethod,
    PooledEstimate,
    PredictionMethod,
    Reference,
    Tau2IntervalMethod,
)

__all__ = [
    "METHODS",
    "IntervalMethod",
    "Method",
    "PooledEstimate",
    "PredictionMethod",
    "Reference",
    "Tau2IntervalMethod",
    "fitting_methods",
    "normal_name",
    "pool",
]
