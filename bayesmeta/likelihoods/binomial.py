"""Binomial likelihood of 2x2 tables: event counts of two arms, the control arm's risk integrated out."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaln

from bayesmeta.effects import Correction, Measure
from bayesmeta.errors import ModelError
from bayesmeta.likelihoods.nuisance import integrate_peak
from bayesmeta.likelihoods.whitened import whitened_effects
from bayesmeta.priors import Normal, Prior
from bayesmeta.scales import FloatArray
from bayesmeta.studies import StudyTable

if TYPE_CHECKING:
    from pytensor.tensor.variable import TensorVariable


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BinomialData:
    """Events and sizes of two arms, one row a study; all arrays (study,).

    `y` and `se` are the log odds ratio and its standard error with 1/2 added to every cell: where
    the engines look first, never what they compute.
    """

    studies: tuple[str, ...]
    events_treated: FloatArray
    n_treated: FloatArray
    events_control: FloatArray
    n_control: FloatArray
    notes: tuple[str, ...] = ()

    @property
    def _cells(self) -> FloatArray:
        a, c = self.events_treated, self.events_control
        return np.stack([a, self.n_treated - a, c, self.n_control - c]) + 0.5

    @property
    def y(self) -> FloatArray:
        """Approximate log odds ratios, (study,)."""
        a, b, c, d = np.log(self._cells)
        out: FloatArray = a - b - c + d
        return out

    @property
    def se(self) -> FloatArray:
        """Their approximate standard errors, (study,)."""
        out: FloatArray = np.sqrt((1 / self._cells).sum(axis=0))
        return out

    def take(self, index: Sequence[int] | NDArray[np.intp]) -> "BinomialData":
        """Give the studies at `index`, in that order."""
        i = np.asarray(index, dtype=np.intp)
        return BinomialData(
            studies=tuple(self.studies[j] for j in i),
            events_treated=self.events_treated[i],
            n_treated=self.n_treated[i],
            events_control=self.events_control[i],
            n_control=self.n_control[i],
            notes=self.notes,
        )

    def constants(self) -> dict[str, NDArray[Any]]:
        """Counts, as observed."""
        names = ("events_treated", "n_treated", "events_control", "n_control")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True, slots=True)
class BinomialLikelihood:
    """Exact binomial likelihood of a 2x2 table, with the log odds ratio as effect.

    r_control ~ Bin(n_control, expit(a)), r_treated ~ Bin(n_treated, expit(a + theta)), with an
    independent prior of the control arm's log odds `a` in each study, integrated out. Zero cells
    need no correction and contribute what they contribute.

    Parameters
    ----------
    baseline : Prior
        Proper prior of a study's control log odds; ``normal(0, 10)`` is the documented default.

    Examples
    --------
    >>> str(BinomialLikelihood(baseline=Normal(0, 10)).baseline)
    'normal(0, 10)'
    """

    baseline: Prior = Normal(0.0, 10.0)
    name: ClassVar[str] = "binomial"

    def __post_init__(self) -> None:
        if not self.baseline.proper or self.baseline.support != (-math.inf, math.inf):
            raise ModelError(
                f"The binomial likelihood needs a proper baseline prior on the whole line, not "
                f"{self.baseline}. Use normal(0, 10), which is wide on the log-odds scale"
            )

    def __str__(self) -> str:
        return self.name

    def prepare(
        self, studies: StudyTable, measure: Measure, correction: Correction  # noqa: ARG002
    ) -> BinomialData:
        """Take the counts as they are; no correction is ever applied."""
        if measure.name != "OR":
            raise ModelError(
                f"The binomial likelihood is offered for OR here, not for {measure.name}. "
                "Use measure OR, or the normal likelihood"
            )
        counts = studies.two_arm()
        return BinomialData(
            studies=counts.study,
            events_treated=counts.events_treated.astype(np.float64),
            n_treated=counts.n_treated.astype(np.float64),
            events_control=counts.events_control.astype(np.float64),
            n_control=counts.n_control.astype(np.float64),
        )

    def log_g(self, data: BinomialData, theta: FloatArray) -> FloatArray:
        """Log probability of each table given theta (study, node), the control risk integrated out.

        The integrand is log-concave in `a` for a log-concave baseline: it is integrated about its
        own peak, wherever theta puts it.
        """
        r_t, n_t = data.events_treated[:, None, None], data.n_treated[:, None, None]
        r_c, n_c = data.events_control[:, None, None], data.n_control[:, None, None]
        shift = theta[..., None]

        def log_integrand(a: FloatArray) -> FloatArray:
            out: FloatArray = (
                r_c * a - n_c * _softplus(a) + self.baseline.logpdf(a)
                + r_t * (a + shift) - n_t * _softplus(a + shift)
            )  # fmt: skip
            return out

        # informations of the two arms at their own risks say where the peak starts
        p_t, p_c = (r_t + 0.5) / (n_t + 1), (r_c + 0.5) / (n_c + 1)
        i_t, i_c = n_t * p_t * (1 - p_t), n_c * p_c * (1 - p_c)
        logit_t, logit_c = np.log(p_t / (1 - p_t)), np.log(p_c / (1 - p_c))
        start = (i_c * logit_c + i_t * (logit_t - shift)) / (i_c + i_t)
        integral = integrate_peak(log_integrand, start, width=np.sqrt(1 / (i_c + i_t)))
        coefficient = _log_choose(data.n_treated, data.events_treated)
        coefficient = coefficient + _log_choose(data.n_control, data.events_control)
        return integral + coefficient[:, None]

    def vanishes(self, data: BinomialData) -> NDArray[np.bool_]:
        """0 at an end unless the treated arm's counts agree with a risk of 0 (or 1) there.

        As theta -> -inf the treated risk goes to 0 whatever the control risk is, so g tends to a
        constant where the treated arm has no event, and to 0 elsewhere; at +inf the same with
        non-events.
        """
        return np.stack([data.events_treated > 0, data.events_treated < data.n_treated], axis=1)

    def observe(
        self,
        data: BinomialData,
        mu: "TensorVariable[Any, Any]",
        tau: "TensorVariable[Any, Any]",
        *,
        common: bool,
    ) -> None:
        """Add the arms to the PyMC model in context, with theta and the control log odds explicit.

        theta is whitened by its own conditional normal; the control log odds are centred on
        ``-w theta`` with w the treated arm's share of the information, which decorrelates them.
        """
        import pymc as pm

        theta = whitened_effects(mu, tau, data.y, data.se, common=common)
        a = self._baseline_variable()
        pm.Binomial(
            "events_control",
            data.n_control.astype(np.int64),
            logit_p=a,
            observed=data.events_control.astype(np.int64),
            dims="study",
        )
        pm.Binomial(
            "events_treated",
            data.n_treated.astype(np.int64),
            logit_p=a + theta,
            observed=data.events_treated.astype(np.int64),
            dims="study",
        )

    def _baseline_variable(self) -> "TensorVariable[Any, Any]":
        import pymc as pm

        kind, arguments = self.baseline.pymc_form()
        variable: TensorVariable[Any, Any] = getattr(pm, kind)("a", **arguments, dims="study")
        return variable


def _softplus(x: FloatArray) -> FloatArray:
    """log(1 + exp(x)) without overflow; relative accuracy at both ends."""
    out: FloatArray = np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))
    return out


def _log_choose(n: FloatArray, r: FloatArray) -> FloatArray:
    out: FloatArray = -np.log1p(n) - betaln(r + 1, n - r + 1)
    return out
