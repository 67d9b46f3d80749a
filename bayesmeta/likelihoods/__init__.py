"""Study likelihoods, by name."""

from typing import Any

from bayesmeta.likelihoods.binomial import BinomialData, BinomialLikelihood
from bayesmeta.likelihoods.normal import NormalData, NormalLikelihood
from bayesmeta.likelihoods.protocol import Likelihood, StudyData

LIKELIHOODS: dict[str, type[Any]] = {
    "normal": NormalLikelihood,
    "binomial": BinomialLikelihood,
}

__all__ = [
    "LIKELIHOODS",
    "BinomialData",
    "BinomialLikelihood",
    "Likelihood",
    "NormalData",
    "NormalLikelihood",
    "StudyData",
]
