"""Bayes factors: how much better one model predicted the data than another."""

import math
from dataclasses import dataclass, fields, is_dataclass

import numpy as np

from bayesmeta.errors import ModelError
from bayesmeta.inference.posterior import Accuracy, Posterior
from bayesmeta.likelihoods import StudyData
from bayesmeta.model import Model
from bayesmeta.random_effects import UnrelatedEffects


@dataclass(frozen=True, slots=True, kw_only=True)
class BayesFactor:
    """A ratio of marginal likelihoods.

    Attributes
    ----------
    log : float
        Natural logarithm of the ratio; positive where the first model predicted better.
    error : float
        Bound of the absolute numerical error of `log`.
    """

    log: float
    error: float

    @property
    def value(self) -> float:
        """The ratio; infinite where it is beyond the floats."""
        return float(np.exp(min(self.log, 710.0)))


def bayes_factor(first: Posterior, second: Posterior) -> BayesFactor:
    """Bayes factor of the first model against the second, from their exact evidences.

    Parameters
    ----------
    first, second : Posterior
        Exact posteriors of the same likelihood and the same data; the priors may differ, also in
        that one is a known value (``Fixed(0)``).

    Returns
    -------
    BayesFactor

    Raises
    ------
    ModelError
        A posterior is of NUTS, which gives no evidence; the data or the likelihoods are not the
        same; or a prior that differs between the models is improper, so that its constant, and
        with it the ratio, is arbitrary.

    References
    ----------
    Kass and Raftery (1995), Journal of the American Statistical Association 90:773-795.

    Examples
    --------
    >>> import bayesmeta as bm
    >>> def fit(effect):
    ...     return bm.fit(bm.Model(measure="OR", likelihood=bm.NormalLikelihood(), effect=effect,
    ...                            heterogeneity=bm.HalfNormal(0.5)), bm.load("bcg"))
    >>> round(bayes_factor(fit(bm.Normal(0, 2.82)), fit(bm.Fixed(0))).log, 6)
    3.528187
    """
    evidences = [_evidence(posterior) for posterior in (first, second)]
    one, other = first.bound, second.bound
    if type(one.model.likelihood) is not type(other.model.likelihood):
        raise ModelError(
            f"There is no Bayes factor between the {one.model.likelihood} and the "
            f"{other.model.likelihood} likelihood: they are densities of different data. Fit both "
            "models with one likelihood"
        )
    if one.measure.name != other.measure.name or not _same_data(one.data, other.data):
        raise ModelError(
            "There is no Bayes factor between models of different data. Fit both to the same "
            "studies, measure and zero-cell rule"
        )
    _require_proper(one.model, other.model)
    return BayesFactor(
        log=evidences[0][0] - evidences[1][0], error=evidences[0][1] + evidences[1][1]
    )


def _evidence(posterior: Posterior) -> tuple[float, float]:
    """Give the log marginal likelihood and its error."""
    evidence, accuracy = posterior.log_marginal_likelihood, posterior.accuracy
    if evidence is None or not isinstance(accuracy, Accuracy):
        raise ModelError(
            "NUTS gives no marginal likelihood, so there is no Bayes factor from it. "
            'Fit both models with engine="exact"'
        )
    return evidence, accuracy.error


def _same_data(one: StudyData, other: StudyData) -> bool:
    """Tell whether two data have the same studies and numbers; notes do not count."""
    assert is_dataclass(one)
    names = [field.name for field in fields(one) if field.name != "notes"]
    return type(one) is type(other) and all(
        np.array_equal(getattr(one, name), getattr(other, name)) for name in names
    )


def _require_proper(one: Model, other: Model) -> None:
    """Refuse improper priors of what differs."""
    forms = one.random_effects != other.random_effects
    unrelated = any(isinstance(m.random_effects, UnrelatedEffects) for m in (one, other))
    for name, what in (("effect", "effect"), ("heterogeneity", "heterogeneity")):
        priors = getattr(one, name), getattr(other, name)
        differ = priors[0] != priors[1] or (forms and (name == "heterogeneity" or unrelated))
        if differ and not all(prior.proper for prior in priors):
            raise ModelError(
                f"The models differ in the {what} prior ({priors[0]} and {priors[1]}), and a flat "
                "one has no density of its own: the Bayes factor would be as arbitrary as its "
                f"constant. Give the {what} a proper prior in both"
            )


def log_sum(terms: "list[float]") -> float:
    """Logarithm of a sum, from the logarithms of its terms."""
    top = max(terms)
    return top + math.log(sum(math.exp(term - top) for term in terms))
