"""Exact likelihood of a correlation: the density of r given rho."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.special import hyp2f1

from bayesmeta.effects import Correction, Measure
from bayesmeta.effects.correlation import fisher_z
from bayesmeta.likelihoods.requirements import require_measure
from bayesmeta.likelihoods.special import log_gamma_step, softplus
from bayesmeta.likelihoods.tables import take_rows
from bayesmeta.likelihoods.whitened import whitened_effects
from bayesmeta.scales import FloatArray
from bayesmeta.studies import StudyTable

if TYPE_CHECKING:
    from pytensor.tensor.variable import TensorVariable

    type Tensor = TensorVariable[Any, Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CorrelationData:
    """Correlations of n pairs, (study,); `y` and `se` are Fisher's z and its standard error."""

    studies: tuple[str, ...]
    r: FloatArray
    n: FloatArray
    y: FloatArray
    se: FloatArray
    notes: tuple[str, ...] = ()

    def take(self, index: Sequence[int] | NDArray[np.intp]) -> "CorrelationData":
        """Give the studies at `index`, in that order."""
        return take_rows(self, index)

    def constants(self) -> dict[str, NDArray[Any]]:
        """Correlations and numbers of pairs, as observed."""
        return {"r": self.r, "n": self.n}


@dataclass(frozen=True, slots=True)
class CorrelationLikelihood:
    """Density of the correlation r of n pairs from a bivariate normal, theta = artanh(rho).

    References
    ----------
    Hotelling (1953), Journal of the Royal Statistical Society B 15:193-232, eq. 25; Fisher (1915),
    Biometrika 10:507-521, for the integral that NUTS samples.

    Examples
    --------
    >>> import bayesmeta as bm
    >>> likelihood = CorrelationLikelihood()
    >>> data = likelihood.prepare(bm.load("molloy2014"), bm.MEASURES["ZCOR"], "none")
    >>> likelihood.log_g(data, np.zeros((16, 1))).shape
    (16, 1)
    """

    name: ClassVar[str] = "correlation"

    def __str__(self) -> str:
        return self.name

    def prepare(
        self,
        studies: StudyTable,
        measure: Measure,
        correction: Correction,  # noqa: ARG002
    ) -> CorrelationData:
        """Take correlations and numbers of pairs as they are."""
        require_measure(self.name, measure, "ZCOR")
        given = studies.correlations()
        n = given.n.astype(np.float64)
        y, v = fisher_z(given.r, n)
        return CorrelationData(studies=given.study, r=given.r, n=n, y=y, se=np.sqrt(v))

    def log_g(self, data: CorrelationData, theta: FloatArray) -> FloatArray:
        """Log density of each r at theta (study, node).

        (n - 2) Gamma(n - 1) / (sqrt(2 pi) Gamma(n - 1/2)) (1 - rho^2)^((n - 1)/2)
        (1 - r^2)^((n - 4)/2) (1 - rho r)^(3/2 - n) F(1/2, 1/2; n - 1/2; (1 + rho r)/2); powers of
        what is near 0 in logarithms, without cancellation.
        """
        r, n = data.r[:, None], data.n[:, None]
        away = 2 * np.abs(theta)
        log_cosh = away / 2 + np.log1p(np.exp(-away)) - np.log(2)
        # 1 - rho r = (e^theta (1 - r) + e^-theta (1 + r)) / (2 cosh theta)
        log_one_less = np.log1p(r) - theta + softplus(2 * theta - 2 * data.y[:, None])
        log_one_less = log_one_less - np.log(2) - log_cosh
        series = hyp2f1(0.5, 0.5, n - 0.5, 0.5 * (1 + np.tanh(theta) * r))
        out: FloatArray = np.log(n - 2) - log_gamma_step(n - 1) - 0.5 * np.log(2 * np.pi)
        out = out - (n - 1) * log_cosh + (n - 4) / 2 * np.log1p(-(r**2))
        out = out + (1.5 - n) * log_one_less + np.log(series)
        return out

    def replicate(
        self, data: CorrelationData, theta: FloatArray, rng: np.random.Generator
    ) -> dict[str, FloatArray]:
        """Draw correlations given theta (..., study), by Bartlett's decomposition.

        With two chi variables a, b of n - 1 and n - 2 degrees of freedom and a normal z, a sample's
        second variable lies along the first by rho a + sqrt(1 - rho^2) z, across it by
        sqrt(1 - rho^2) b.
        """
        n, shape = data.n, theta.shape
        across = np.sqrt(rng.chisquare(n - 2, shape))
        along = rng.standard_normal(shape) + np.sinh(theta) * np.sqrt(rng.chisquare(n - 1, shape))
        return {"r": along / np.hypot(along, across)}

    def vanishes(self, data: CorrelationData) -> NDArray[np.bool_]:
        """At both ends, always: no perfect correlation gives an imperfect one."""
        return np.ones((len(data.y), 2), dtype=bool)

    def observe(self, data: CorrelationData, mu: "Tensor", tau: "Tensor", *, common: bool) -> None:
        """Add the correlations to the PyMC model in context, by Fisher's integral.

        The density is (n - 2)/(2 pi) (1 - rho^2)^((n - 1)/2) (1 - r^2)^((n - 4)/2) times the
        integral over the line of (cosh w - rho r)^-(n - 1); w is sampled, in its own unit. It has
        no prior by itself, so there is no prior predictive.
        """
        import pymc as pm

        theta = whitened_effects(mu, tau, data.y, data.se, common=common)
        r, n = data.r, data.n
        unit = np.sqrt((1 - r**2) / (n - 1))
        z = pm.Flat("w", dims="study")
        rho = pm.math.tanh(theta)
        log_density = (n - 1) * (
            0.5 * pm.math.log1p(-(rho**2)) - pm.math.log(pm.math.cosh(unit * z) - rho * r)
        )
        constant = (n - 4) / 2 * np.log1p(-(r**2)) + np.log((n - 2) / (2 * np.pi) * unit)
        pm.Potential("r", log_density + constant, dims="study")
