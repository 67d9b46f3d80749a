"""How the true effects vary between studies.

The exact engines integrate these forms over their scales and labels (`inference.spread`); what PyMC
is told stands here. The two share the numbers of the form and nothing else.
"""

import ast
import math
import re
from dataclasses import dataclass, fields
from numbers import Real
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from scipy.special import erf, expit, ndtr, ndtri

from bayesmeta.errors import ModelError
from bayesmeta.scales import FloatArray

if TYPE_CHECKING:
    from pytensor.tensor.variable import TensorVariable

    type Tensor = TensorVariable[Any, Any]

_ROOT_HALF = math.sqrt(0.5)
OUTLIER_PRIOR = (1.0, 9.0)  # Beta: of the share of outlying studies, a tenth on average


@dataclass(frozen=True, slots=True)
class NormalRandomEffects:
    """True effects are normal about their mean with SD tau.

    Examples
    --------
    >>> str(NormalRandomEffects())
    'normal'
    """

    name: ClassVar[str] = "normal"

    def __str__(self) -> str:
        return self.name

    def pymc_scale(self, tau: "Tensor") -> "Tensor":
        """SD of each true effect in the PyMC model in context."""
        return tau

    def draw_new(
        self, mu: FloatArray, tau: FloatArray, rng: np.random.Generator, **_kept: FloatArray
    ) -> FloatArray:
        """Draw the true effect of a new study for draws of (mu, tau), of their shape."""
        return mu + tau * rng.standard_normal(mu.shape)


@dataclass(frozen=True, slots=True)
class TruncatedRandomEffects:
    """True effects are normal about mu with SD tau, cut to (low, high) and normalised.

    What normal random effects become where a measure is bounded, as a risk difference is: mu is
    then the location, and the mean of the true effects is that of a new one.

    Examples
    --------
    >>> form = TruncatedRandomEffects(-1, 1)
    >>> round(float(np.exp(form.log_inside(np.array(0.0), np.array(1.0)))), 6)
    0.682689
    """

    low: float
    high: float
    name: ClassVar[str] = "normal"

    def __str__(self) -> str:
        return f"normal, cut to ({_say(self.low)}, {_say(self.high)})"

    def pymc_scale(self, tau: "Tensor") -> "Tensor":
        """SD of each true effect before the cut, in the PyMC model in context."""
        return tau

    def log_inside(self, mu: FloatArray, tau: FloatArray) -> FloatArray:
        """Log probability that N(mu, tau^2) lies within the bounds; mu within, tau from 0."""
        width = np.maximum(tau, 1e-300)
        with np.errstate(over="ignore"):
            above, below = ((self.high - mu) / width, (mu - self.low) / width)
        out: FloatArray = np.log(0.5 * (erf(above * _ROOT_HALF) + erf(below * _ROOT_HALF)))
        return out

    def draw_new(
        self, mu: FloatArray, tau: FloatArray, rng: np.random.Generator, **_kept: FloatArray
    ) -> FloatArray:
        """Draw the true effect of a new study for draws of (mu, tau), of their shape."""
        with np.errstate(divide="ignore"):
            first, last = ndtr((self.low - mu) / tau), ndtr((self.high - mu) / tau)
        z = ndtri(first + rng.random(mu.shape) * (last - first))
        return np.clip(mu + tau * z, self.low, self.high)


@dataclass(frozen=True, slots=True)
class StudentRandomEffects:
    """True effects are t distributed about their mean: a study far away pulls less.

    theta_i ~ N(mu, tau^2 / lambda_i), lambda_i ~ Gamma(df/2, df/2); tau is the scale of the t
    distribution, not its SD.

    Parameters
    ----------
    df : float
        Degrees of freedom, 1 or more.

    References
    ----------
    Lee and Thompson (2008), Flexible parametric models for random-effects distributions.

    Examples
    --------
    >>> str(StudentRandomEffects(4))
    't(4)'
    """

    df: float
    name: ClassVar[str] = "t"

    def __post_init__(self) -> None:
        if not isinstance(self.df, Real) or not 1 <= self.df < math.inf:
            raise ModelError(
                f"t({self.df!r}) cannot be used as the form of the random effects. Give degrees of "
                "freedom from 1 on, such as t(4); without an end they are 'normal'"
            )

    def __str__(self) -> str:
        return f"t({_say(self.df)})"

    def pymc_scale(self, tau: "Tensor") -> "Tensor":
        """SD of each true effect in the PyMC model in context, given its own mixing variable."""
        import pymc as pm

        mixing = pm.Gamma("mixing", self.df / 2, self.df / 2, dims="study")
        scale: Tensor = tau / pm.math.sqrt(mixing)
        return scale

    def draw_new(
        self, mu: FloatArray, tau: FloatArray, rng: np.random.Generator, **_kept: FloatArray
    ) -> FloatArray:
        """Draw the true effect of a new study for draws of (mu, tau), of their shape."""
        return mu + tau * rng.standard_t(self.df, mu.shape)


@dataclass(frozen=True, slots=True)
class OutlierRandomEffects:
    """Some true effects are outliers: theta_i ~ (1 - w) N(mu, tau^2) + w N(mu, tau^2 + omega^2).

    Parameters
    ----------
    omega : float
        By how much more the outliers vary, on the analysis scale.
    share : float, optional
        w, the share of outlying studies, where it is known; else w ~ Beta(1, 9).

    References
    ----------
    Beath (2014), A finite mixture method for outlier detection and robustness in meta-analysis;
    there w is estimated, here it has a prior.

    Examples
    --------
    >>> str(OutlierRandomEffects(2)), str(OutlierRandomEffects(2, 0.05))
    ('outliers(2)', 'outliers(2, 0.05)')
    """

    omega: float
    share: float | None = None
    name: ClassVar[str] = "outliers"

    def __post_init__(self) -> None:
        if not isinstance(self.omega, Real) or not 0 < self.omega < math.inf:
            raise ModelError(
                f"outliers({self.omega!r}) cannot be used: omega, the further SD of outlying "
                "effects, must be positive. Write outliers(2) for a log ratio"
            )
        number = self.share is None or isinstance(self.share, Real)
        if not number or not 0 <= (self.share or 0) <= 1:
            raise ModelError(
                f"A share of {self.share!r} outlying studies is impossible. Give a number from 0 "
                "to 1, or leave it out: it then has a Beta(1, 9) prior"
            )

    def __str__(self) -> str:
        share = "" if self.share is None else f", {_say(self.share)}"
        return f"outliers({_say(self.omega)}{share})"

    def outlying(
        self, y: FloatArray, v: FloatArray, mu: FloatArray, tau: FloatArray, share: FloatArray
    ) -> FloatArray:
        """P(study i is an outlier | mu, tau, w, normal estimates), (..., study)."""
        residual2 = (y - mu[..., None]) ** 2
        near = v + tau[..., None] ** 2
        far = near + self.omega**2
        with np.errstate(divide="ignore", over="ignore"):
            odds = np.log(share / (1 - share))[..., None] + 0.5 * np.log(near / far)
        return expit(odds + 0.5 * residual2 * (1 / near - 1 / far))

    def pymc_estimates(self, y: FloatArray, v: FloatArray, mu: "Tensor", tau: "Tensor") -> None:
        """Add normal estimates with variances v to the PyMC model in context.

        Labels and true effects are integrated out; ``share`` is the variable w.
        """
        import pymc as pm

        share = pm.Beta("share", *OUTLIER_PRIOR) if self.share is None else self.share
        variance = v + tau**2
        near, far = (
            pm.Normal.dist(mu + 0 * y, pm.math.sqrt(s2))
            for s2 in (variance, variance + self.omega**2)
        )
        if self.share in (0, 1):  # the other part has no density to be mixed in
            pm.Normal("y", mu, pm.math.sqrt(variance + share * self.omega**2), observed=y)
            return
        weights = pm.math.stack([1 - share, share])
        pm.Mixture("y", w=weights, comp_dists=[near, far], observed=y, dims="study")

    def draw_new(
        self, mu: FloatArray, tau: FloatArray, rng: np.random.Generator, **kept: FloatArray
    ) -> FloatArray:
        """Draw the true effect of a new study for draws of (mu, tau), and of `share`."""
        outlying = rng.random(mu.shape) < kept["share"]
        sd = np.hypot(tau, self.omega * outlying)
        out: FloatArray = mu + sd * rng.standard_normal(mu.shape)
        return out


@dataclass(frozen=True, slots=True)
class UnrelatedEffects:
    """True effects have nothing in common: each has the effect prior for itself.

    What is estimated, and called mu, is their mean with the inverse sampling variances as weights:
    the fixed-effects model (in the plural), whose estimate under a flat prior is the common-effect
    estimate. There is no tau, and nothing is learnt about a new study.

    References
    ----------
    Rice, Higgins and Lumley (2018), A re-evaluation of fixed effect(s) meta-analysis.
    """

    name: ClassVar[str] = "unrelated"

    def __str__(self) -> str:
        return self.name

    def draw_new(
        self, mu: FloatArray, tau: FloatArray, _rng: np.random.Generator, **_kept: FloatArray
    ) -> FloatArray:
        """Nothing is learnt about a new study: nan."""
        return np.full_like(mu + tau, np.nan)


type RandomEffects = (
    NormalRandomEffects
    | TruncatedRandomEffects
    | StudentRandomEffects
    | OutlierRandomEffects
    | UnrelatedEffects
)

RANDOM_EFFECTS: dict[str, type[Any]] = {
    form.name: form
    for form in (
        NormalRandomEffects, StudentRandomEffects, OutlierRandomEffects, UnrelatedEffects
    )
}  # fmt: skip
_END = r"(-?\d+(?:\.\d+)?(?:e[-+]\d+)?)"
_CUT = re.compile(rf"normal, cut to \({_END}, {_END}\)")  # as bound models write it
_EXAMPLES = {"t": "t(4)", "outliers": "outliers(2)"}
KNOWN_FORMS = ", ".join(_EXAMPLES.get(name, name) for name in RANDOM_EFFECTS)  # as they are written


def parse_random_effects(text: str) -> RandomEffects:
    """Read the form of the random effects from its text; nothing is evaluated.

    Raises
    ------
    ModelError
        The form is not known, or its numbers are not understood.

    Examples
    --------
    >>> parse_random_effects("normal")
    NormalRandomEffects()
    >>> parse_random_effects("outliers(2, share=0.1)")
    OutlierRandomEffects(omega=2.0, share=0.1)
    >>> parse_random_effects("normal, cut to (-1, 1)")
    TruncatedRandomEffects(low=-1.0, high=1.0)
    """
    if cut := _CUT.fullmatch(text.strip()):
        return TruncatedRandomEffects(*map(float, cut.groups()))
    unknown = ModelError(f"Unknown form of random effects {text!r}. Known: {KNOWN_FORMS}")
    try:
        node = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError) as error:
        raise unknown from error
    call = node if isinstance(node, ast.Call) else ast.Call(func=node, args=[], keywords=[])
    if not isinstance(call.func, ast.Name) or call.func.id not in RANDOM_EFFECTS:
        raise unknown
    kind = RANDOM_EFFECTS[call.func.id]
    names = [field.name for field in fields(kind)]
    given = [*names[: len(call.args)], *(keyword.arg for keyword in call.keywords)]
    values = [*call.args, *(keyword.value for keyword in call.keywords)]
    if len(given) < len(values) or len(set(given)) < len(given) or not set(given) <= set(names):
        raise unknown
    if names and names[0] not in given:
        example = _EXAMPLES[call.func.id]
        raise ModelError(f"The form of random effects {text!r} lacks {names[0]}. Write {example}")
    form: RandomEffects = kind(
        **{str(name): _number(value, text) for name, value in zip(given, values, strict=True)}
    )
    return form


def _say(number: float) -> str:
    """Write a number with all of its digits; a whole one has no decimal point."""
    return str(number).removesuffix(".0")


def _number(node: ast.expr, text: str) -> float:
    try:
        value = ast.literal_eval(node)
    except ValueError:
        value = None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ModelError(
            f"In the form of random effects {text!r}, {ast.unparse(node)} is not a number. "
            "Write numbers only, as in t(4)"
        )
    return float(value)
