"""t likelihoods: estimates whose standard errors are themselves estimated."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Never

import numpy as np
from numpy.typing import NDArray

from bayesmeta.effects import Correction, Measure, compute_effects
from bayesmeta.errors import ModelError, SamplingError
from bayesmeta.likelihoods.nuisance import IndexArray, LogIntegrand, integrate_peak
from bayesmeta.likelihoods.replicate import draw_nuisance
from bayesmeta.likelihoods.requirements import require_independence, require_measure
from bayesmeta.likelihoods.special import log_beta, log_gamma_step
from bayesmeta.likelihoods.tables import take_rows
from bayesmeta.likelihoods.whitened import whitened, whitened_effects
from bayesmeta.scales import FloatArray
from bayesmeta.studies import StudyTable

_COUNTED = 22.0  # log units below the higher mode at which another one counts: e^-22 = 3e-10
_APART = 0.6  # largest spacing of nodes at a mode, in its widths

if TYPE_CHECKING:
    from pytensor.tensor.variable import TensorVariable

    type Tensor = TensorVariable[Any, Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StudentData:
    """Estimates with the parts of their variance; `y`, `se` (study,).

    Attributes
    ----------
    mean, part_se, df : (study, part)
        One part: the estimate, its standard error and degrees of freedom. Two parts: the means of
        the treated and the control arm, their standard errors and degrees of freedom.
    """

    studies: tuple[str, ...]
    mean: FloatArray
    part_se: FloatArray
    df: FloatArray
    notes: tuple[str, ...] = ()

    @property
    def y(self) -> FloatArray:
        """Estimates, (study,)."""
        arms = self.mean.shape[1] == 2
        out: FloatArray = self.mean[:, 0] - self.mean[:, 1] if arms else self.mean[:, 0]
        return out

    @property
    def se(self) -> FloatArray:
        """Their standard errors, as if known, (study,)."""
        out: FloatArray = np.sqrt((self.part_se**2).sum(axis=1))
        return out

    def take(self, index: Sequence[int] | NDArray[np.intp]) -> "StudentData":
        """Give the studies at `index`, in that order."""
        return take_rows(self, index)

    def constants(self) -> dict[str, NDArray[Any]]:
        """Give means (or the estimate), standard errors and degrees of freedom, as observed."""
        ends = ("_treated", "_control") if self.mean.shape[1] == 2 else ("",)
        arrays = {"mean": self.mean, "se": self.part_se, "df": self.df}
        return {f"{name}{end}": x[:, j] for name, x in arrays.items() for j, end in enumerate(ends)}


@dataclass(frozen=True, slots=True)
class StudentLikelihood:
    """t likelihood of an estimate, or of the difference of two means.

    Tables of means, SDs and sizes (measure MD): each arm has its own unknown variance with density
    proportional to 1/sigma^2, and the difference is what Behrens and Fisher make of two t
    densities with n - 1 degrees of freedom. Tables of estimates (any measure): (y - theta)/se is t.
    The prior of the variances is improper, so evidences of this and of other likelihoods are never
    comparable.

    Parameters
    ----------
    df : float, optional
        Degrees of freedom of all estimates. Not given: those of the table's column ``df``. Not for
        means, whose sizes give them.

    Raises
    ------
    ModelError
        `df` is not positive.

    References
    ----------
    Box and Tiao (1973), Bayesian Inference in Statistical Analysis, section 2.5, for the
    Behrens-Fisher density and its mixture of t densities.

    Examples
    --------
    >>> import bayesmeta as bm
    >>> likelihood = StudentLikelihood()
    >>> data = likelihood.prepare(bm.load("normand1999"), bm.MEASURES["MD"], "none")
    >>> data.df[0]
    array([154., 155.])
    """

    df: float | None = None
    name: ClassVar[str] = "student"
    falls_as_a_power: ClassVar[bool] = True  # on both sides of one peak

    def __post_init__(self) -> None:
        if self.df is not None:
            if isinstance(self.df, bool) or not (np.isreal(self.df) and 0 < self.df < np.inf):
                raise ModelError(
                    f"df = {self.df!r} is no degrees of freedom. Give a number above 0"
                )
            object.__setattr__(self, "df", float(self.df))

    def __str__(self) -> str:
        return self.name

    def prepare(self, studies: StudyTable, measure: Measure, correction: Correction) -> StudentData:
        """Take the means of two arms, or estimates with their degrees of freedom."""
        if studies.layout == "contrast":
            effects = compute_effects(studies, measure.name, correction=correction)
            se = np.sqrt(effects.S)
            df = np.full(len(se), self.df) if self.df is not None else _df_column(studies)
            return StudentData(
                studies=effects.study,
                mean=effects.y[:, None],
                part_se=se[:, None],
                df=df[:, None],
                notes=effects.notes,
            )
        require_measure(self.name, measure, "MD")
        if self.df is not None:
            raise ModelError(
                "The degrees of freedom of means are their sizes less 1. Leave df out, or give a "
                "table of estimates"
            )
        require_independence(self.name, studies)
        means = studies.means()
        n = np.stack([means.n_treated, means.n_control], axis=1).astype(np.float64)
        return StudentData(
            studies=means.study,
            mean=np.stack([means.mean_treated, means.mean_control], axis=1),
            part_se=np.stack([means.sd_treated, means.sd_control], axis=1) / np.sqrt(n),
            df=n - 1,
        )

    def log_g(self, data: StudentData, theta: FloatArray) -> FloatArray:
        """Log density of each estimate at theta (study, node).

        Two arms: given the share B of one arm in the sum of their chi-squared variables, a
        beta variable, the difference is t with df_1 + df_2 degrees of freedom, and its scale^2 is
        (df_1 v_1 / B + df_2 v_2 / (1 - B)) / (df_1 + df_2), v the squared standard errors;
        integrated over logit B.
        """
        away = theta - data.y[:, None]
        if data.mean.shape[1] == 1:
            return _log_t(away**2, data.part_se**2, data.df)
        study = np.repeat(np.arange(len(data.studies)), theta.shape[1])
        log_integrand, start, width, places = _integrand(data, study, away.reshape(-1))
        f = log_integrand(places, np.arange(len(study)))
        counts = f > f.max(axis=1, keepdims=True) - _COUNTED
        away = np.where(counts, np.abs(places - start[:, None]), 0.0).max(axis=1) / width
        # nodes that are even in arsinh(away / 4) are hypot(1, away / 4) times as far apart there
        steps = (11 + 4 * np.arcsinh(away / 2)) * np.hypot(1.0, away / 4)
        least = steps * np.maximum(width, 1 / _APART)
        integral = integrate_peak(log_integrand, start, width, landmarks=places, least=least)
        return integral.reshape(theta.shape)

    def replicate(
        self, data: StudentData, theta: FloatArray, rng: np.random.Generator
    ) -> dict[str, FloatArray]:
        """Draw estimates (or means) and their standard errors given theta (..., study).

        They are normal, and chi-squared, about what is not known: true variances, and the control
        arm's true mean, which are drawn from their posteriors given theta and the observed numbers.
        """
        away = theta - data.y
        if data.mean.shape[1] == 1:
            df, se = data.df[:, 0], data.part_se[:, 0]
            v = (df * se**2 + away**2) / rng.chisquare(df + 1, theta.shape)
            return _draw_part("", theta, v, df, rng)
        study = np.broadcast_to(np.arange(len(data.studies)), theta.shape).reshape(-1)
        log_integrand, start, width, _ = _integrand(data, study, away.reshape(-1))
        x = draw_nuisance(log_integrand, start, width, rng).reshape(theta.shape)
        parts = data.df * data.part_se**2
        shares = np.stack([parts[:, 0] * (1 + np.exp(-x)), parts[:, 1] * (1 + np.exp(x))])
        more = 1 + away**2 / shares.sum(axis=0)
        v_t, v_c = shares * more / rng.chisquare(data.df.sum(axis=1) + 1, theta.shape)
        by_treated = v_c / (v_t + v_c)
        base = data.mean[:, 1] - by_treated * away
        base = base + np.sqrt(by_treated * v_t) * rng.standard_normal(theta.shape)
        treated = _draw_part("_treated", base + theta, v_t, data.df[:, 0], rng)
        return treated | _draw_part("_control", base, v_c, data.df[:, 1], rng)

    def vanishes(self, data: StudentData) -> NDArray[np.bool_]:
        """At both ends, always; as a power, see `tail_orders`."""
        return np.ones((len(data.studies), 2), dtype=bool)

    def tail_orders(self, data: StudentData) -> FloatArray:
        """G falls as ``|theta|**-order``, (study,): the smaller degrees of freedom and 1."""
        out: FloatArray = data.df.min(axis=1) + 1
        return out

    def observe(self, data: StudentData, mu: "Tensor", tau: "Tensor", *, common: bool) -> None:
        """Add the estimates to the PyMC model in context; of two arms, each mean by itself.

        The control arm's true mean is flat: there is no prior predictive.
        """
        import pymc as pm

        theta = whitened_effects(mu, tau, data.y, data.se, common=common)
        if data.mean.shape[1] == 1:
            df = data.df[:, 0]
            pm.StudentT("y", nu=df, mu=theta, sigma=data.se, observed=data.y, dims="study")
            return
        variance = data.part_se**2
        share = variance[:, 1] / variance.sum(axis=1)
        base = whitened(
            "control_mean",
            distribution=pm.Flat.dist,
            draw=_no_prior,
            location=data.mean[:, 1] + share * (data.y - theta),
            scale=np.sqrt(share * variance[:, 0]),
            dims=("study",),
        )
        for j, (arm, mean) in enumerate((("treated", base + theta), ("control", base))):
            pm.StudentT(
                f"mean_{arm}",
                nu=data.df[:, j],
                mu=mean,
                sigma=data.part_se[:, j],
                observed=data.mean[:, j],
                dims="study",
            )


def _integrand(
    data: StudentData, study: IndexArray, away: FloatArray
) -> tuple[LogIntegrand, FloatArray, FloatArray, FloatArray]:
    """Log density of (difference, x = logit B) for pairs (pair,), and about where x is, how wide.

    `away` is how far theta is from the estimate. Far from the data there may be two modes, one
    for each arm whose variance takes it all; the last array tells where about, (pair, place).
    """
    square = away**2
    half = data.df[study] / 2
    parts = (data.df * data.part_se**2)[study]
    total = data.df.sum(axis=1)[study]
    share = half / half.sum(axis=1, keepdims=True)  # B, and 1 - B, at the mode of the beta density
    norm = (half * np.log(share)).sum(axis=1) - log_beta(half[:, 0], half[:, 1])
    odds = half[:, 0] / half[:, 1]
    middle = np.log(odds)

    def log_integrand(x: FloatArray, pair: IndexArray) -> FloatArray:
        i = pair[:, None]
        away = np.clip(x - middle[i], -600.0, 600.0)  # log odds of B from those at the mode
        more, less = np.expm1(away), np.expm1(-away)
        scale2 = parts[i, 0] * (1 + (1 + less) / odds[i]) + parts[i, 1] * (1 + (1 + more) * odds[i])
        beta = half[i, 0] * np.log1p(share[i, 1] * less) + half[i, 1] * np.log1p(share[i, 0] * more)
        out: FloatArray = norm[i] - beta + _log_t(square[i], scale2 / total[i], total[i])
        return out

    with np.errstate(divide="ignore"):  # far from the data one arm's variance takes it all
        lower, upper = (np.log(parts[:, j] / square) for j in (0, 1))
    starts = [middle, np.clip(lower, middle - 60, middle), np.clip(-upper, middle, middle + 60)]
    everything = np.arange(len(study))
    places = np.stack(starts, axis=1)
    start = places[everything, log_integrand(places, everything).argmax(axis=1)]
    width = np.sqrt(1 / half[:, 0] + 1 / half[:, 1])
    return log_integrand, start, width, places


def _draw_part(
    end: str, mean: FloatArray, v: FloatArray, df: FloatArray, rng: np.random.Generator
) -> dict[str, FloatArray]:
    """Draw a mean and its standard error, of true mean and variance v, both (..., study)."""
    return {
        f"mean{end}": mean + np.sqrt(v) * rng.standard_normal(mean.shape),
        f"se{end}": np.sqrt(v * rng.chisquare(df, mean.shape) / df),
    }


def _log_t(square: FloatArray, scale2: FloatArray, df: FloatArray) -> FloatArray:
    """Log density of t at a squared distance, with squared scale."""
    constant = log_gamma_step(df / 2) - 0.5 * np.log(np.pi * df * scale2)
    out: FloatArray = constant - (df + 1) / 2 * np.log1p(square / (df * scale2))
    return out


def _df_column(studies: StudyTable) -> FloatArray:
    frame = studies.frame
    if "df" not in studies.covariates or frame["df"].dtype.kind not in "if":
        raise ModelError(
            f"The student likelihood needs the degrees of freedom of the estimates, and "
            f"{studies.source} has no column df of numbers. Add it, or give df = 7 for all"
        )
    df = frame["df"].to_numpy(dtype=np.float64, copy=True)
    if not ((df > 0) & np.isfinite(df)).all():
        names = ", ".join(frame["study"][~((df > 0) & np.isfinite(df))])
        raise ModelError(f"The degrees of freedom df must be above 0; they are not in {names}")
    return df


def _no_prior(*_: object) -> Never:
    raise SamplingError(
        "The t likelihood of means has improper priors of its nuisance parameters, from which "
        "nothing can be drawn"
    )
