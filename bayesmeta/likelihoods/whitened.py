"""Variables of a PyMC model in coordinates that sample well: near N(0, 1), near independent."""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmeta.priors import OnTau2, Prior
from bayesmeta.scales import FloatArray

if TYPE_CHECKING:
    from pytensor.tensor.variable import TensorVariable

    type Tensor = TensorVariable[Any, Any]


def whitened(
    name: str,
    *parameters: "Tensor",
    distribution: "Callable[..., Tensor]",
    draw: Callable[..., FloatArray],
    location: "Tensor | FloatArray",
    scale: "Tensor | FloatArray",
    lean: "FloatArray | float" = 0.0,
    dims: tuple[str, ...] = (),
) -> "Tensor":
    """Add a variable to the PyMC model in context, sampled in coordinates z.

    ``value = location + scale * (z cosh(lean) + sqrt(1 + z^2) sinh(lean))``: a straight line where
    `lean` is 0, else a hyperbola whose slopes, ``scale * exp(-lean)`` far below and
    ``scale * exp(lean)`` far above, suit a posterior with a long tail on one side and a wall on the
    other. The model is unchanged by it: it is a transform with its Jacobian.

    Parameters
    ----------
    name : str
    *parameters : tensor
        Variables of the model on which the distribution depends.
    distribution, draw : callable
        parameters -> the unnamed PyMC distribution, for its density; (rng, size, *parameters) ->
        draws from it in numpy, for prior predictive checks.
    location, scale, lean : like the variable
        Of the variable's posterior, about; the first two may depend on variables of the model.
    """
    import pymc as pm
    import pytensor.tensor as pt
    from pymc.distributions.transforms import Transform

    class Whiten(Transform):  # type: ignore[misc]
        name = "white"  # what it needs are the last inputs of the variable

        def forward(self, value: Any, *inputs: Any) -> Any:
            location, scale, lean = inputs[-3:]
            return pt.sinh(pt.arcsinh((value - location) / scale) - lean)

        def backward(self, value: Any, *inputs: Any) -> Any:
            location, scale, lean = inputs[-3:]
            bent = value * pt.cosh(lean) + pt.sqrt(1 + value**2) * pt.sinh(lean)
            return location + scale * bent

        def log_jac_det(self, value: Any, *inputs: Any) -> Any:
            _, scale, lean = inputs[-3:]
            slope = pt.cosh(lean) + value / pt.sqrt(1 + value**2) * pt.sinh(lean)
            return pt.log(scale * slope)

    def log_density(value: Any, *inputs: Any) -> Any:
        return pm.logp(distribution(*inputs[:-3]), value)

    def start(_variable: Any, _size: Any, *inputs: Any) -> Any:
        return inputs[-3]

    def draw_prior(*inputs: Any, rng: np.random.Generator, size: tuple[int, ...]) -> FloatArray:
        return draw(rng, size, *inputs[:-3])

    variable: Tensor = pm.CustomDist(
        name,
        *parameters,
        location,
        scale,
        lean,
        logp=log_density,
        random=draw_prior,
        support_point=start,
        transform=Whiten(),
        dims=dims,
    )
    return variable


def whitened_effects(
    mu: "Tensor",
    tau: "Tensor",
    y: FloatArray,
    se: FloatArray,
    *,
    common: bool,
    domain: tuple[float, float] | None = None,
) -> "Tensor":
    """Add ``theta ~ N(mu, tau)``, dims study, to the PyMC model in context; cut to a domain if any.

    Whitened by the conditional of theta given (mu, tau) under a normal approximation (y, se) of
    each study. The centred and the non-centred forms are its limits for se << tau and se >> tau,
    so it serves both ends. With `common` theta is mu.
    """
    import pymc as pm
    import pytensor.tensor as pt

    if common:
        theta: Tensor = pm.Deterministic("theta", mu + pt.zeros(len(y)), dims="study")
        return theta
    share = se**2 / (se**2 + tau**2)
    if domain is not None:
        return _bounded_effects(mu, tau, share * mu + (1 - share) * y, pt.sqrt(share) * tau, domain)
    return whitened(
        "theta",
        mu,
        tau,
        distribution=pm.Normal.dist,
        draw=lambda rng, size, mu, tau: rng.normal(mu, tau, size),
        location=share * mu + (1 - share) * y,
        scale=pt.sqrt(share) * tau,
        dims=("study",),
    )


def _bounded_effects(
    mu: "Tensor", tau: "Tensor", location: "Tensor", scale: "Tensor", domain: tuple[float, float]
) -> "Tensor":
    """Add theta ~ N(mu, tau) cut to a domain, sampled as its logit, whitened about `location`."""
    import pymc as pm
    import pytensor.tensor as pt
    from pymc.distributions.transforms import Transform
    from scipy.special import ndtr, ndtri

    low, high = domain

    def line(theta: Any) -> Any:
        return pt.log(theta - low) - pt.log(high - theta)

    def slope(theta: Any) -> Any:
        return (theta - low) * (high - theta) / (high - low)

    class Bounded(Transform):  # type: ignore[misc]
        name = "bounded"

        def forward(self, value: Any, *inputs: Any) -> Any:
            location, scale = inputs[-2:]
            return (line(value) - line(location)) * slope(location) / scale

        def backward(self, value: Any, *inputs: Any) -> Any:
            location, scale = inputs[-2:]
            eta = line(location) + value * scale / slope(location)
            return low + (high - low) * pt.sigmoid(eta)

        def log_jac_det(self, value: Any, *inputs: Any) -> Any:
            location, scale = inputs[-2:]
            theta = self.backward(value, *inputs)
            return pt.log(scale / slope(location)) + pt.log(slope(theta))

    def log_density(value: Any, mu: Any, tau: Any, *_: Any) -> Any:
        root = tau * math.sqrt(2)
        inside = 0.5 * (pt.erf((high - mu) / root) + pt.erf((mu - low) / root))
        return pm.logp(pm.Normal.dist(mu, tau), value) - pt.log(inside)

    def draw(
        mu: Any, tau: Any, *_: Any, rng: np.random.Generator, size: tuple[int, ...]
    ) -> FloatArray:
        first, last = ndtr((low - mu) / tau), ndtr((high - mu) / tau)
        out: FloatArray = mu + tau * ndtri(first + rng.random(size) * (last - first))
        return out

    variable: Tensor = pm.CustomDist(
        "theta",
        mu,
        tau,
        location,
        scale,
        logp=log_density,
        random=draw,
        support_point=lambda _variable, _size, *inputs: inputs[-2],
        transform=Bounded(),
        dims=("study",),
    )
    return variable


def whitened_baseline(
    name: str,
    prior: Prior,
    *,
    location: "Tensor",
    wall: FloatArray,
    side: FloatArray,
) -> "Tensor":
    """Add a study's nuisance parameter ``name ~ prior``, dims study, to the PyMC model in context.

    Parameters
    ----------
    location : tensor (study,)
        About where it lies given theta.
    wall : (study,)
        How wide its posterior is where the data end it.
    side : (study,)
        -1 or 1 where on that side only the prior ends it, else 0: the coordinates lean there.
    """
    import pymc as pm

    low, high = prior.quantile(np.array([0.16, 0.84]))
    tail = np.maximum((high - low) / 2, wall)
    lean = side * np.log(tail / wall) / 2
    kind, arguments = prior.pymc_form()
    return whitened(
        name,
        distribution=lambda: getattr(pm, kind).dist(**arguments),
        draw=lambda rng, size: prior.quantile(rng.random(size)),
        location=location,
        scale=wall * np.exp(np.abs(lean)),
        lean=lean,
        dims=("study",),
    )


def whitened_mean(prior: Prior, tau: "Tensor", y: FloatArray, se: FloatArray) -> "Tensor":
    """Add ``mu ~ prior`` to the PyMC model in context, whitened by its conditional given tau.

    The conditional is that under a normal approximation (y, se) of each study and of the prior. A
    prior on a part of the line keeps PyMC's own coordinates.
    """
    import pymc as pm
    import pytensor.tensor as pt

    if prior.support != (-math.inf, math.inf):
        return prior.pymc("mu")
    weight = 1 / (se**2 + tau**2)
    total, pull = weight.sum(), (weight * y).sum()
    if prior.proper:
        low, middle, high = prior.quantile(np.array([0.16, 0.5, 0.84]))
        precision = ((high - low) / 2) ** -2.0
        total, pull = total + precision, pull + precision * middle
    kind, arguments = prior.pymc_form()
    return whitened(
        "mu",
        distribution=lambda: getattr(pm, kind).dist(**arguments),
        draw=lambda rng, size: prior.quantile(rng.random(size)),
        location=pull / total,
        scale=pt.sqrt(1 / total),
    )


def softened_sd(prior: Prior, unit: float) -> "Tensor":
    """Add ``tau ~ prior`` to the PyMC model in context, with coordinates that suit its tails.

    ``tau = unit * log(1 + exp(z))`` where the prior falls faster than any power: even above
    `unit`, where the data speak, and logarithmic below it, where they do not. Other priors keep
    PyMC's own coordinates, the logarithm for those with a long tail.
    """
    import pymc as pm
    import pytensor.tensor as pt
    from pymc.distributions.transforms import Transform

    light = prior.support == (0, math.inf) and prior.tail_order == math.inf
    if not light or isinstance(prior, OnTau2):
        return prior.pymc("tau")

    class Soften(Transform):  # type: ignore[misc]
        name = "soft"

        def forward(self, value: Any, *_inputs: Any) -> Any:
            return value / unit + pt.log(-pt.expm1(-value / unit))

        def backward(self, value: Any, *_inputs: Any) -> Any:
            return unit * pt.softplus(value)

        def log_jac_det(self, value: Any, *_inputs: Any) -> Any:
            return math.log(unit) - pt.softplus(-value)

    kind, arguments = prior.pymc_form()
    variable: Tensor = getattr(pm, kind)("tau", **arguments, default_transform=Soften())
    return variable
