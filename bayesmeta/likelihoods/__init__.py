"""Study likelihoods, by name."""

from typing import Any

from bayesmeta.likelihoods.binomial import BaselineOf, BinomialLikelihood
from bayesmeta.likelihoods.conditional import ConditionalLikelihood
from bayesmeta.likelihoods.normal import NormalData, NormalLikelihood
from bayesmeta.likelihoods.poisson import PoissonData, PoissonLikelihood
from bayesmeta.likelihoods.protocol import Likelihood, StudyData
from bayesmeta.likelihoods.tables import BinomialData

LIKELIHOODS: dict[str, type[Any]] = {
    "normal": NormalLikelihood,
    "binomial": BinomialLikelihood,
    "conditional": ConditionalLikelihood,
    "poisson": PoissonLikelihood,
}

__all__ = [
    "LIKELIHOODS",
    "BaselineOf",
    "BinomialData",
    "BinomialLikelihood",
    "ConditionalLikelihood",
    "Likelihood",
    "NormalData",
    "NormalLikelihood",
    "PoissonData",
    "PoissonLikelihood",
    "StudyData",
]
