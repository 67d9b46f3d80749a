"""The GLMMs of a meta-analysis: which counts, which linear predictor, which studies count."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

from bayesmeta.errors import NotEstimableError
from bayesmeta.frequentist.glmm.likelihood import Glmm
from bayesmeta.frequentist.glmm.outcomes import Binomial, Hypergeometric, Poisson
from bayesmeta.scales import FloatArray
from bayesmeta.studies import StudyTable

type BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Counts:
    """Events and what they are out of, treated arm first.

    Attributes
    ----------
    study : tuple of str
        Labels.
    events : (study, arm)
        Events of the arms; one column for studies of one group.
    size : (study, arm)
        Persons, or person-time where `time`.
    time : bool
        Whether `size` is person-time.
    """

    study: tuple[str, ...]
    events: FloatArray
    size: FloatArray
    time: bool = False

    @property
    def nothing_to_compare(self) -> BoolArray:
        """Mark studies (study,) of two arms with no event at all, or nothing but events."""
        return np.asarray((self.events == 0).all(1) | self.full.all(1))

    @property
    def full(self) -> BoolArray:
        """Mark arms (study, arm) with nothing but events."""
        return np.zeros_like(self.events, dtype=bool) if self.time else self.events == self.size

    def take(self, kept: BoolArray) -> "Counts":
        """Keep the studies marked in `kept` (study,)."""
        return replace(
            self,
            study=tuple(np.array(self.study, dtype=object)[kept]),
            events=self.events[kept],
            size=self.size[kept],
        )


def counts_of(studies: StudyTable, measure: str) -> Counts:
    """Take the counts that a measure needs from a table.

    Parameters
    ----------
    studies : StudyTable
        One comparison of one outcome.
    measure : {"OR", "IRR", "PLO"}
        2x2 tables; events and person-time of two arms; events of one group.

    Returns
    -------
    Counts

    Raises
    ------
    NotEstimableError
        The counts are not independent: cluster trials, or control arms that studies share.
    """
    design = studies.design()
    if design.clustered or (design.rows_of_control > 1).any():
        raise NotEstimableError(
            "A mixed model of counts takes persons and arms as independent, which those of cluster "
            "trials and of shared control arms are not. Use an inverse-variance method."
        )
    if measure == "IRR":
        rates = studies.rates()
        return Counts(
            study=rates.study,
            events=_columns(rates.events_treated, rates.events_control),
            size=_columns(rates.time_treated, rates.time_control),
            time=True,
        )
    if measure == "PLO":
        single = studies.single()
        return Counts(study=single.study, events=_columns(single.events), size=_columns(single.n))
    two = studies.two_arm()
    return Counts(
        study=two.study,
        events=_columns(two.events_treated, two.events_control),
        size=_columns(two.n_treated, two.n_control),
    )


def _columns(*columns: NDArray[np.generic]) -> FloatArray:
    return np.stack([np.asarray(column, dtype=float) for column in columns], axis=1)


def fixed_intercepts(counts: Counts) -> Glmm:
    """State the unconditional model with fixed study effects (UM.FS).

    Treated: a_i + mu + tau z_i / 2; control: a_i - tau z_i / 2, z_i ~ N(0, 1), and a_i a parameter
    of study i. Binomial with the log odds for OR, Poisson with log rates for IRR.

    Parameters
    ----------
    counts : Counts
        Of two arms, without studies that have nothing to compare.

    Returns
    -------
    Glmm
        Shared parameters mu, tau.

    References
    ----------
    Turner, Omar, Yang, Goldstein and Thompson (2000), Statistics in Medicine 19:3417; the +-1/2
    coding is metafor's.
    """
    events, size = counts.events.sum(1), counts.size.sum(1)
    return Glmm(
        outcome=_arms(counts),
        offset=np.log(counts.size) if counts.time else np.zeros_like(counts.size),
        own_intercept=True,
        loading=np.array([[1.0, 0.5], [0.0, -0.5]]),
        effect_of=(-1, 0),
        start=np.zeros(2),
        own_start=_level(events, size, time=counts.time),
    )


def random_intercepts(counts: Counts) -> Glmm:
    """State the unconditional model with random study effects (UM.RS).

    Treated: a + mu + sigma w_i + tau z_i / 2; control: a + sigma w_i - tau z_i / 2, with w_i and
    z_i independent N(0, 1).

    Parameters
    ----------
    counts : Counts
        Of two arms; studies without any event say something about a and sigma.

    Returns
    -------
    Glmm
        Shared parameters mu, tau, a, sigma.

    References
    ----------
    Turner, Omar, Yang, Goldstein and Thompson (2000), Statistics in Medicine 19:3417; the +-1/2
    coding and the independence are metafor's.
    """
    level = _level(counts.events.sum(1), counts.size.sum(1), time=counts.time)
    spread = float(np.clip(level.std(), 0.2, 2.0))
    return Glmm(
        outcome=_arms(counts),
        offset=np.log(counts.size) if counts.time else np.zeros_like(counts.size),
        own_intercept=False,
        loading=np.array([[1.0, 0.5, 1.0, 1.0], [0.0, -0.5, 1.0, 1.0]]),
        effect_of=(-1, 0, -1, 1),
        start=np.array([0.0, 0.0, float(level.mean()), spread]),
        own_start=np.zeros(len(level)),
    )


def conditional(counts: Counts) -> Glmm:
    """State the conditional model with the exact likelihood (CM.EL).

    Given all events of a study, those of the treated are non-central hypergeometric with log odds
    ratio theta_i (OR), or binomial with log odds theta_i + log(t1 / t2) (IRR); theta_i = mu + tau
    z_i.

    Parameters
    ----------
    counts : Counts
        Of two arms, without studies that have nothing to compare.

    Returns
    -------
    Glmm
        Shared parameters mu, tau.

    References
    ----------
    van Houwelingen, Zwinderman and Stijnen (1993), Statistics in Medicine 12:2273; Stijnen, Hamza
    and Özdemir (2010), Statistics in Medicine 29:3046.
    """
    if counts.time:
        return conditional_approximate(counts)
    (a, n1), (c, n2) = ((counts.events[:, [j]], counts.size[:, [j]]) for j in (0, 1))
    outcome = Hypergeometric(events=a, n=n1, other_n=n2, total=a + c)
    return _effect_only(outcome, np.zeros_like(a))


def conditional_approximate(counts: Counts) -> Glmm:
    """State the conditional model with the approximate likelihood (CM.AL).

    The treated's share of a study's events is binomial with log odds theta_i + log(n1 / n2):
    right for rates, near enough for odds ratios where events are rare.

    Parameters
    ----------
    counts : Counts
        Of two arms, without studies that have no event.

    Returns
    -------
    Glmm
        Shared parameters mu, tau.

    References
    ----------
    Stijnen, Hamza and Özdemir (2010), Statistics in Medicine 29:3046.
    """
    outcome = Binomial(events=counts.events[:, :1], n=counts.events.sum(1, keepdims=True))
    return _effect_only(outcome, np.log(counts.size[:, :1] / counts.size[:, 1:]))


def one_group(counts: Counts) -> Glmm:
    """State the binomial-normal model of one group: log odds mu + tau z_i.

    Parameters
    ----------
    counts : Counts
        Of one group.

    Returns
    -------
    Glmm
        Shared parameters mu, tau.

    References
    ----------
    Hamza, van Houwelingen and Stijnen (2008), Journal of Clinical Epidemiology 61:41.
    """
    start = float(_level(counts.events.sum(0), counts.size.sum(0), time=False)[0])
    model = _effect_only(Binomial(events=counts.events, n=counts.size), np.zeros_like(counts.size))
    return replace(model, start=np.array([start, 0.0]))


def _arms(counts: Counts) -> Binomial | Poisson:
    if counts.time:
        return Poisson(events=counts.events)
    return Binomial(events=counts.events, n=counts.size)


def _level(events: FloatArray, size: FloatArray, *, time: bool) -> FloatArray:
    """Give a log rate or log odds that is finite for zero events too."""
    if time:
        return np.asarray(np.log((events + 0.5) / size))
    return np.asarray(logit((events + 0.5) / (size + 1.0)))


def _effect_only(outcome: Binomial | Hypergeometric, offset: FloatArray) -> Glmm:
    return Glmm(
        outcome=outcome,
        offset=offset,
        own_intercept=False,
        loading=np.ones((1, 2)),
        effect_of=(-1, 0),
        start=np.zeros(2),
        own_start=np.zeros(len(offset)),
    )
