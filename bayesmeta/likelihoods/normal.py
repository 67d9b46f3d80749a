"""Normal likelihood: effect estimates with a known sampling covariance."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from bayesmeta.effects import Correction, Measure, compute_effects
from bayesmeta.scales import FloatArray
from bayesmeta.studies import StudyTable

if TYPE_CHECKING:
    from pytensor.tensor.variable import TensorVariable


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NormalData:
    """Effects with their sampling covariance.

    Attributes
    ----------
    studies : tuple of str
    y : (row,)
        Effects on the analysis scale.
    S : (row,) or (row, row)
        Sampling variances, or the full sampling covariance, in squared units of `y`.
    notes : tuple of str
    """

    studies: tuple[str, ...]
    y: FloatArray
    S: FloatArray
    notes: tuple[str, ...] = ()

    @property
    def se(self) -> FloatArray:
        """Standard errors, (row,)."""
        out: FloatArray = np.sqrt(self.S if self.S.ndim == 1 else np.diagonal(self.S))
        return out

    def take(self, index: Sequence[int] | NDArray[np.intp]) -> "NormalData":
        """Give the rows at `index`, in that order."""
        i = np.asarray(index, dtype=np.intp)
        S = self.S[i] if self.S.ndim == 1 else self.S[np.ix_(i, i)]
        labels = tuple(self.studies[j] for j in i)
        return NormalData(studies=labels, y=self.y[i], S=S, notes=self.notes)

    def constants(self) -> dict[str, NDArray[Any]]:
        """Effects and standard errors, as observed."""
        return {"y": self.y, "se": self.se}


@dataclass(frozen=True, slots=True)
class NormalLikelihood:
    """y_i ~ N(theta_i, v_i) with v_i known.

    Examples
    --------
    >>> import bayesmeta as bm
    >>> NormalLikelihood().prepare(bm.load("bcg"), bm.MEASURES["OR"], "only0").y.shape
    (13,)
    """

    name: ClassVar[str] = "normal"

    def __str__(self) -> str:
        return self.name

    def prepare(self, studies: StudyTable, measure: Measure, correction: Correction) -> NormalData:
        """Compute the effects and their variances, with the zero-cell rule in force."""
        effects = compute_effects(studies, measure.name, correction=correction)
        return NormalData(studies=effects.study, y=effects.y, S=effects.S, notes=effects.notes)

    def log_g(self, data: NormalData, theta: FloatArray) -> FloatArray:
        """Log density of each estimate at `theta` (study, node); for uncorrelated estimates."""
        v = data.S[:, None]
        out: FloatArray = -0.5 * ((data.y[:, None] - theta) ** 2 / v + np.log(2 * np.pi * v))
        return out

    def vanishes(self, data: NormalData) -> NDArray[np.bool_]:
        """At both ends, always."""
        return np.ones((len(data.y), 2), dtype=bool)

    def observe(
        self,
        data: NormalData,
        mu: "TensorVariable[Any, Any]",
        tau: "TensorVariable[Any, Any]",
        *,
        common: bool,  # noqa: ARG002  theta is integrated out, so tau = 0 is no special case
    ) -> None:
        """Add the studies to the PyMC model in context, theta integrated out.

        A full covariance is rotated once, so that the graph holds no linear algebra: Q' S Q = I
        and Q' Q = diag(lam), hence Q'y ~ N(Q'1 mu, 1 + tau^2 lam) independently.
        """
        import pymc as pm

        if data.S.ndim == 1:
            sd = pm.math.sqrt(data.S + tau**2)
            pm.Normal("y", mu, sd, observed=data.y, dims="study")
            return
        from scipy.linalg import eigh

        lam, Q = eigh(np.eye(len(data.y)), data.S)
        sd = pm.math.sqrt(1 + tau**2 * lam)
        pm.Normal("y_rotated", Q.sum(axis=0) * mu, sd, observed=data.y @ Q)

    def replicate(
        self, data: NormalData, theta: FloatArray, rng: np.random.Generator
    ) -> dict[str, FloatArray]:
        """Draw estimates y ~ N(theta, S) given theta (..., row)."""
        noise = rng.standard_normal(theta.shape)
        if data.S.ndim == 1:
            return {"y": theta + np.sqrt(data.S) * noise}
        return {"y": theta + noise @ np.linalg.cholesky(data.S).T}
