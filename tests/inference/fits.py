"""Fits that several test files look at, each made once, and models bound to numbers by hand."""

from functools import cache

import numpy as np

from bayesmeta.design import build_design
from bayesmeta.effects import get_measure
from bayesmeta.inference.fit import fit
from bayesmeta.inference.posterior import Posterior
from bayesmeta.likelihoods import BinomialLikelihood, NormalData, NormalLikelihood
from bayesmeta.model import BoundModel, Model
from bayesmeta.priors import HalfNormal, Normal, Prior
from bayesmeta.studies import load

LIKELIHOODS = {"normal": NormalLikelihood(), "binomial": BinomialLikelihood(Normal(0, 10))}


def log_or_model(likelihood: str, scale: float = 0.5) -> Model:
    return Model(
        measure="OR",
        likelihood=LIKELIHOODS[likelihood],
        effect=Normal(0, 2.82),
        heterogeneity=HalfNormal(scale),
    )


@cache
def exact_bcg(likelihood: str) -> Posterior:
    return fit(log_or_model(likelihood), load("bcg"))


@cache
def sampled(name: str, likelihood: str, scale: float = 0.5) -> Posterior:
    """NUTS with the settings that users get."""
    return fit(log_or_model(likelihood, scale), load(name), engine="nuts", rng=20)


def bind_effects(effect: Prior, heterogeneity: Prior, y, S) -> BoundModel:
    """Bind a model of given effects, S (row,) variances or (row, row)."""
    model = Model(
        measure="GEN", likelihood=NormalLikelihood(), effect=effect, heterogeneity=heterogeneity
    )
    y, S = np.array(y, dtype=float), np.array(S, dtype=float)
    data = NormalData(studies=tuple(f"study {i + 1}" for i in range(len(y))), y=y, S=S)
    return BoundModel(
        model=model, measure=get_measure("GEN"), data=data, design=build_design(len(y))
    )
