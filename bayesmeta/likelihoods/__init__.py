"""Study likelihoods, by name."""

from typing import Any

from bayesmeta.likelihoods.binomial import BaselineOf, BinomialLikelihood
from bayesmeta.likelihoods.conditional import ConditionalLikelihood
from bayesmeta.likelihoods.correlation import CorrelationLikelihood
from bayesmeta.likelihoods.normal import NormalData, NormalLikelihood
from bayesmeta.likelihoods.one_arm import OneArmLikelihood
from bayesmeta.likelihoods.own import OwnLikelihood
from bayesmeta.likelihoods.poisson import PoissonData, PoissonLikelihood
from bayesmeta.likelihoods.protocol import Likelihood, StudyData
from bayesmeta.likelihoods.student import StudentData, StudentLikelihood
from bayesmeta.likelihoods.tables import BinomialData

LIKELIHOODS: dict[str, type[Any]] = {
    "normal": NormalLikelihood,
    "binomial": BinomialLikelihood,
    "conditional": ConditionalLikelihood,
    "poisson": PoissonLikelihood,
    "one_arm": OneArmLikelihood,
    "correlation": CorrelationLikelihood,
    "student": StudentLikelihood,
}

__all__ = [
    "LIKELIHOODS",
    "BaselineOf",
    "BinomialData",
    "BinomialLikelihood",
    "ConditionalLikelihood",
    "CorrelationLikelihood",
    "Likelihood",
    "NormalData",
    "NormalLikelihood",
    "OneArmLikelihood",
    "OwnLikelihood",
    "PoissonData",
    "PoissonLikelihood",
    "StudentData",
    "StudentLikelihood",
    "StudyData",
]
