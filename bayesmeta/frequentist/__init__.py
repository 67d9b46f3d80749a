"""The methods of published meta-analyses: what RevMan, Stata and metafor print."""

from bayesmeta.frequentist.pool import METHODS, Method, pool
from bayesmeta.frequentist.reference import (
    IntervalMethod,
    PooledEstimate,
    PredictionMethod,
    Reference,
)

__all__ = [
    "METHODS",
    "IntervalMethod",
    "Method",
    "PooledEstimate",
    "PredictionMethod",
    "Reference",
    "pool",
]
