"""True effects in coordinates that sample well: whitened by their own conditional normal."""

from typing import TYPE_CHECKING, Any

from bayesmeta.scales import FloatArray

if TYPE_CHECKING:
    from pytensor.tensor.variable import TensorVariable


def whitened_effects(
    mu: "TensorVariable[Any, Any]",
    tau: "TensorVariable[Any, Any]",
    y: FloatArray,
    se: FloatArray,
    *,
    common: bool,
) -> "TensorVariable[Any, Any]":
    """Add ``theta ~ N(mu, tau)``, dims study, to the PyMC model in context.

    The sampler moves in z with theta = m + s z, where N(m, s^2) is the conditional of theta given
    (mu, tau) under a normal approximation (y, se) of each study. The model is unchanged: it is a
    transform with its Jacobian. Centred and non-centred forms are its limits for se << tau and
    se >> tau, so it serves both ends. With `common` theta is mu.
    """
    import pymc as pm
    import pytensor.tensor as pt
    from pymc.distributions.transforms import Transform

    if common:
        return pm.Deterministic("theta", mu + pt.zeros(len(y)), dims="study")

    class Whiten(Transform):  # type: ignore[misc]
        name = "white"

        def _moments(self, inputs: Any) -> Any:
            mu, tau, y, se = inputs[-4:]  # the distribution's parameters come last
            v = 1 / (1 / se**2 + 1 / tau**2)
            share = v / tau**2
            return share * mu + (1 - share) * y, pt.sqrt(v)

        def forward(self, value: Any, *inputs: Any) -> Any:
            mean, sd = self._moments(inputs)
            return (value - mean) / sd

        def backward(self, value: Any, *inputs: Any) -> Any:
            mean, sd = self._moments(inputs)
            return mean + sd * value

        def log_jac_det(self, value: Any, *inputs: Any) -> Any:
            return pt.log(self._moments(inputs)[1]) * pt.ones_like(value)

    return pm.CustomDist(
        "theta",
        mu,
        tau,
        y,
        se,
        logp=lambda value, mu, tau, _y, _se: pm.logp(pm.Normal.dist(mu, tau), value),
        random=lambda mu, tau, _y, _se, rng=None, size=None: rng.normal(mu, tau, size=size),
        transform=Whiten(),
        dims="study",
    )
