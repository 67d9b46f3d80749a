"""The posterior: what every engine returns."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
import pandas as pd

from bayesmeta.errors import ModelError
from bayesmeta.inference.absolute_risk import AbsoluteRisk, BaselineScale, find_absolute_risk
from bayesmeta.inference.heterogeneity_share import share_of_heterogeneity
from bayesmeta.inference.marginals import Marginal
from bayesmeta.inference.probability import (
    Equivalence,
    UnitScale,
    probability_below_zero,
    probability_between,
    to_analysis,
)
from bayesmeta.inference.quantiles import IntervalKind
from bayesmeta.inference.shown import say_numbers
from bayesmeta.model import BoundModel
from bayesmeta.priors import Prior
from bayesmeta.scales import FloatArray

if TYPE_CHECKING:
    import xarray as xr

type EngineName = Literal["gaussian", "grid", "nuts", "published"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Accuracy:
    """What an exact engine says of its own numerical error.

    Attributes
    ----------
    error : float
        Bound of the error over everything reported: means and quantiles of mu and theta in units
        of the posterior SD, SDs and all quantities of tau relative, probabilities and the log
        marginal likelihood absolute.
    tol : float
        What was asked for.
    nodes : tuple of int
        Quadrature nodes: of tau, and of mu where the engine has them.
    """

    error: float
    tol: float
    nodes: tuple[int, ...]
    ok: Literal[True] = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostics:
    """How a NUTS run went; `ok` only if every limit in `failures` was kept.

    Attributes
    ----------
    rhat : float
        Largest rank-normalised split R-hat.
    ess_bulk, ess_tail : float
        Smallest effective sample sizes.
    bfmi : float
        Smallest energy Bayesian fraction of missing information of the chains.
    divergences, max_depth : int
        Divergent transitions, and transitions that reached the greatest tree depth.
    failures : tuple of str
        What failed, in words.
    sampler : str
        "nutpie" or "pymc".
    """

    rhat: float
    ess_bulk: float
    ess_tail: float
    bfmi: float
    divergences: int
    max_depth: int
    chains: int
    draws: int
    tune: int
    target_accept: float
    seed: int
    seconds: float
    failures: tuple[str, ...]
    sampler: str = "nutpie"

    @property
    def ok(self) -> bool:
        """Whether the run may be believed."""
        return not self.failures


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Draws:
    """Joint draws: `mu`, `tau`, `theta_new` (chain, draw); `theta` (chain, draw, study)."""

    mu: FloatArray
    tau: FloatArray
    theta_new: FloatArray
    theta: FloatArray


class Joint(Protocol):
    """The joint posterior behind the marginals, for draws."""

    def draw(self, draws: int, rng: np.random.Generator) -> Draws:
        """Give draws; a sampled posterior gives its own and ignores the arguments."""
        ...

    def log_likelihood(self, mu: FloatArray, tau: FloatArray) -> FloatArray | None:
        """Log L_i(mu, tau), theta_i integrated out: (...) -> (..., study); None: not separable."""
        ...

    def sample_stats(self) -> "Mapping[str, xr.DataArray] | None":
        """Give the sampler's statistics, where there is a sampler."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Posterior:
    """Posterior of one model on one comparison.

    Attributes
    ----------
    bound : BoundModel
        Model and data.
    engine : str
        "gaussian" or "grid" (exact), "nuts", or "published" (exact, of a published row).
    mu, tau, theta_new : Marginal
        Mean effect, heterogeneity SD, true effect of a new study; analysis scale.
    theta : Marginal
        True effects of the studies, of shape (study,).
    log_marginal_likelihood : float or None
        None for NUTS. Under a flat prior, of density 1, it is defined up to that density: no
        Bayes factor against another prior follows from it.
    accuracy : Accuracy or Diagnostics
        What the engine says of its own error; `ok` tells whether it may be believed.
    notes : tuple of str
        What a reader should know of the answer.
    outlier_probability : (study,) or None
        Of each study's true effect, where the random effects are a mixture with outliers.
    """

    bound: BoundModel
    engine: EngineName
    mu: Marginal
    tau: Marginal
    theta_new: Marginal
    theta: Marginal
    log_marginal_likelihood: float | None
    accuracy: Accuracy | Diagnostics
    joint: Joint
    notes: tuple[str, ...] = ()
    outlier_probability: FloatArray | None = None

    def __repr__(self) -> str:
        k, unit = len(self.bound.studies), self.bound.measure.analysis_label
        of = f"{self.engine}, {unit}, {k} stud{'y' if k == 1 else 'ies'}"
        told = "".join(f"\n {name}: {say_numbers(one)}" for name, one in self.marginals.items())
        return f"<Posterior: {of}, {'ok' if self.ok else 'not ok'}{told}>"

    @property
    def ok(self) -> bool:
        """Whether the engine kept its own limits."""
        return self.accuracy.ok

    @property
    def marginals(self) -> dict[str, Marginal]:
        """Marginals of the parameters by name."""
        return {"mu": self.mu, "tau": self.tau, "theta_new": self.theta_new}

    def parameter_table(self, *, level: float = 0.95, kind: IntervalKind = "eti") -> pd.DataFrame:
        """One row a parameter, analysis scale: mean, sd, median, interval, P(< 0).

        Parameters
        ----------
        level : float
            Probability of the interval.
        kind : {"eti", "hdi"}
            Equal-tailed or shortest.

        Returns
        -------
        DataFrame
            Index `parameter`; columns mean, sd, median, low, high, p_below_zero; nan where the
            model has no such parameter, as tau of unrelated effects.
        """
        rows = {}
        for name, marginal in self.marginals.items():
            low, high = marginal.interval(level, kind)
            rows[name] = {
                "mean": float(marginal.mean),
                "sd": float(marginal.sd),
                "median": float(marginal.quantile(0.5)),
                "low": float(low),
                "high": float(high),
                "p_below_zero": probability_below_zero(marginal),
            }
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("parameter")

    def study_table(self, *, level: float = 0.95, kind: IntervalKind = "eti") -> pd.DataFrame:
        """One row a study, analysis scale: mean, sd, median and interval of its true effect."""
        interval = self.theta.interval(level, kind)
        return pd.DataFrame(
            {
                "mean": self.theta.mean,
                "sd": self.theta.sd,
                "median": self.theta.quantile(0.5),
                "low": interval[:, 0],
                "high": interval[:, 1],
            },
            index=pd.Index(self.bound.studies, name="study"),
        )

    def summary(self, *, level: float = 0.95, kind: IntervalKind = "eti") -> pd.DataFrame:
        """Tabulate the parameters on both scales, each row saying which.

        Means stay on the analysis scale; on the natural scale (ratios, for log measures) the
        median and the interval are given, transformed exactly where the interval is equal-tailed.
        tau has the analysis scale only.

        Examples
        --------
        >>> import bayesmeta as bm
        >>> model = bm.Model(measure="OR", likelihood=bm.NormalLikelihood(),
        ...                  effect=bm.Normal(0, 2.82), heterogeneity=bm.HalfNormal(0.5))
        >>> table = bm.fit(model, bm.load("bcg")).summary()
        >>> table.loc[("mu", "OR"), ["median", "low", "high"]].astype(float).round(3).to_list()
        [0.479, 0.324, 0.695]
        """
        analysis = self.parameter_table(level=level, kind=kind)
        measure = self.bound.measure
        analysis["scale"] = measure.analysis_label
        tables = [analysis]
        if measure.scale.name != "identity":
            natural = analysis.loc[["mu", "theta_new"]].copy()
            for column in ("median", "low", "high"):
                natural[column] = measure.scale.to_natural(natural[column].to_numpy(copy=True))
            natural[["mean", "sd"]] = np.nan
            natural["scale"] = measure.name
            tables.append(natural)
        table = pd.concat(tables).set_index("scale", append=True)
        return table.sort_index(level="parameter", sort_remaining=False)

    def probability(
        self,
        parameter: str,
        low: float = -np.inf,
        high: float = np.inf,
        *,
        scale: UnitScale,
    ) -> FloatArray:
        """P(low < parameter < high).

        Parameters
        ----------
        parameter : {"mu", "tau", "theta_new", "theta"}
            ``P(a new study's effect > c)`` is ``probability("theta_new", c, scale=...)``.
        low, high : float
            In units of `scale`.
        scale : {"natural", "analysis"}
            "natural" for ratios as ratios (0.9 and 1.1), "analysis" for their logarithms; tau has
            the analysis scale only.

        Returns
        -------
        array
            Of shape (), or (study,) for "theta".

        Examples
        --------
        >>> import bayesmeta as bm
        >>> model = bm.Model(measure="OR", likelihood=bm.NormalLikelihood(),
        ...                  effect=bm.Normal(0, 2.82), heterogeneity=bm.HalfNormal(0.5))
        >>> post = bm.fit(model, bm.load("bcg"))
        >>> float(post.probability("mu", 0.5, 1.0, scale="natural").round(4))
        0.405
        """
        of = self.marginals | {"theta": self.theta}
        if parameter not in of:
            raise ModelError(f"Unknown parameter {parameter!r}. Known: {', '.join(of)}")
        bounds = to_analysis((low, high), parameter, self.bound.measure, scale)
        return probability_between(of[parameter], *bounds)

    def equivalence(
        self, low: float, high: float, *, scale: UnitScale, parameter: str = "mu"
    ) -> Equivalence:
        """Probabilities below, inside and above a region of practical equivalence.

        Raises
        ------
        ModelError
            The parameter is not one of `marginals`, or the bounds are no region of it.
        """
        if parameter not in self.marginals:
            raise ModelError(
                f"Unknown parameter {parameter!r}. Known: {', '.join(self.marginals)}; for the "
                'studies\' own effects, probability("theta", low, high, scale=...)'
            )
        parts = ((-np.inf, low), (low, high), (high, np.inf))
        below, inside, above = (
            float(self.probability(parameter, *part, scale=scale)) for part in parts
        )
        measure = self.bound.measure
        label = measure.name if scale == "natural" else measure.analysis_label
        return Equivalence(low=low, high=high, scale=label, below=below, inside=inside, above=above)

    def i2(self) -> Marginal:
        """Give I2 in percent as a posterior, through tau; normal likelihood only.

        References
        ----------
        Higgins and Thompson (2002), for the typical sampling variance.
        """
        return share_of_heterogeneity(self.bound, self.tau)

    def absolute_risk(
        self,
        baseline: float | Prior,
        *,
        baseline_on: BaselineScale = "risk",
        parameter: Literal["mu", "theta_new"] = "mu",
    ) -> AbsoluteRisk:
        """Give the risk with treatment, risk difference and number needed, for OR, RR and RD.

        Parameters
        ----------
        baseline : float or Prior
            Risk without treatment, or its distribution, which is taken to be independent of the
            effect and integrated over.
        baseline_on : {"risk", "logit"}
            Scale of a distribution: the risk, on (0, 1), or its log odds.
        parameter : {"mu", "theta_new"}
            For the mean effect, or for that of a new study.

        Raises
        ------
        ModelError
            Another measure or parameter, or a baseline that is no risk.
        """
        if parameter not in ("mu", "theta_new"):
            raise ModelError(
                f'Absolute risks are given for "mu" and "theta_new", not for {parameter!r}'
            )
        return find_absolute_risk(
            self.bound.measure, self.marginals[parameter], baseline, baseline_on
        )

    def to_datatree(
        self, draws: int = 4000, *, rng: int | np.random.Generator = 1
    ) -> "xr.DataTree":
        """Give joint draws as an ArviZ DataTree.

        Parameters
        ----------
        draws : int
            Independent draws of an exact posterior, in 4 chains; a NUTS fit gives its own draws.
        rng : int or Generator
            Seed of the draws; not used by a NUTS fit, which holds its own.

        Returns
        -------
        DataTree
            Groups posterior, log_likelihood (log L_i(mu, tau), theta_i integrated out), log_prior,
            prior, observed_data, and sample_stats for NUTS. Dims chain, draw, study.

        Raises
        ------
        ModelError
            `draws` is no number of draws.
        """
        from bayesmeta.inference.tree import build_tree

        if not isinstance(draws, int | np.integer) or draws < 1:
            raise ModelError(f"draws = {draws!r} cannot be given. Give a whole number from 1 on")

        return build_tree(self, draws, rng)
