"""Study likelihoods, by name."""

from typing import Any

from bayesmeta.likelihoods.binomial import BaselineOf, BinomialLikelihood
from bayesmeta.likelihoods.normal import NormalData, NormalLikelihood
from bayesmeta.likelihoods.protocol import Likelihood, StudyData
from bayesmeta.likelihoods.tables import BinomialData

LIKELIHOODS: dict[str, type[Any]] = {
    "normal": NormalLikelihood,
    "binomial": BinomialLikelihood,
}

__all__ = [
    "LIKELIHOODS",
    "BaselineOf",
    "BinomialData",
    "BinomialLikelihood",
    "Likelihood",
    "NormalData",
    "NormalLikelihood",
    "StudyData",
]
