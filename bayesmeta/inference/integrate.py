"""log L_i(mu, tau): each study's likelihood integrated over its true effect, in log space.

L_i(mu, tau) is the integral of g_i(theta) N(theta | mu, tau^2). log g_i is tabulated once on the
study's own nodes (`tables`), and every pair (mu, tau) is then a sum over

- even nodes that studies share, where many pairs have one tau (`shared_nodes`), or such that
  crowd at a point where likelihoods may bend sharply (`graded_nodes`),
- the study's own nodes, where they resolve the peak of the integrand (tau comparable with the
  study's standard error or larger), or
- Gauss-Hermite nodes about the peak, with log g_i interpolated, where the integrand is narrower
  than the nodes are apart (tau -> 0, and a study far away from mu).

At tau = 0 it is g_i(mu), without a table.

All keep relative accuracy however small L_i is. The error of the table's interpolant and of the
sums is measured, not assumed: see `StudyIntegral.error`.
"""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from bayesmeta.errors import AccuracyError
from bayesmeta.inference.filling import Filling
from bayesmeta.inference.peaks import RESOLVED, find_own_coarseness
from bayesmeta.inference.sums import (
    RULE,
    SMALL_RULE,
    TINY,
    Logs,
    sum_about_mu,
    sum_about_peak,
    sum_all_nodes,
)
from bayesmeta.inference.tables import BoolArray, IndexArray, Tables, extend, tabulate
from bayesmeta.model import BoundModel
from bayesmeta.random_effects import TruncatedRandomEffects
from bayesmeta.scales import FloatArray

_REACH = 7.5  # widths of the integrand kept on each side of its peak: exp(-7.5^2 / 2) = 6e-13
_MISFIT = 60.0  # see `StudyIntegral.build`


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sums:
    """log L_i (pair, study), and what was lost at the ends of the tables (pair, study, 2).

    `total` (pair,) is the log-likelihood of all studies: the sum of log L_i, where the studies are
    independent given (mu, tau). `leak` bounds the share of the integrand beyond a table's first and
    last node: where it is not negligible the table was too short.
    """

    log_likelihood: FloatArray
    leak: FloatArray
    total: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StudyIntegral:
    """Tables of log g_i for a region of (mu, tau), and the sums over them."""

    bound: BoundModel
    tables: Tables

    @classmethod
    def build(
        cls,
        bound: BoundModel,
        mu: FloatArray,
        tau: FloatArray,
        *,
        allowed: float | None = None,
        counted: float = np.inf,
        halved: int = 0,
    ) -> "StudyIntegral":
        """Tabulate log g_i where the integrand should matter for the pairs mu, tau (pair,).

        Where the studies belong to different data sets, mu and tau are (pair, study), and `allowed`
        is the error of one table. A table is exact down to `counted` log units below its top; what
        it is further down, `error` measures. The usual step of all nodes is halved `halved` times.

        Where it should is taken from a normal approximation with room to spare; `Sums.leak` tells
        whether it was enough, and `extend` mends it.

        Raises
        ------
        AccuracyError
            A likelihood is too rough for its table.
        """
        center, scale = bound.data.y, bound.data.se
        mu, tau = (a[:, None] if a.ndim == 1 else a for a in (mu, tau))
        if isinstance(bound.model.random_effects, TruncatedRandomEffects):
            # log g is singular at the bounds: go there only where pairs of some weight need it
            misfit = (mu - center) ** 2 / (4 * scale**2 + tau**2)
            if mu.shape[1] == 1:
                misfit = misfit.sum(axis=1, keepdims=True)
            best = misfit.argmin(axis=0)[None]
            near = misfit <= np.take_along_axis(misfit, best, axis=0) + _MISFIT
            mu, tau = (np.where(near, a, np.take_along_axis(a, best, axis=0)) for a in (mu, tau))
        variance, tau2 = scale**2, tau**2
        vanishes = bound.model.likelihood.vanishes(bound.data)
        # the peak lies between centre and mu; a binomial tail is lighter than normal, hence the 2
        share = np.minimum(1, 2 * variance / (variance + tau2))
        width = np.sqrt(variance * tau2 / (variance + tau2))
        away = mu - center
        reach = np.sqrt(_REACH**2 + 2 * np.log(len(center)))  # what is lost adds up over studies
        ends = []
        for side, vanishing in ((-1, vanishes[:, 0]), (1, vanishes[:, 1])):
            peak = np.where(vanishing, share * away, away)
            spread = np.where(vanishing, 1.3 * width, tau)
            furthest = (side * peak + reach * spread).max(axis=0)
            ends.append(center + side * (np.maximum(furthest, 0.0) + 0.5 * scale))
        return cls(
            bound=bound,
            tables=tabulate(bound, *ends, allowed=allowed, counted=counted, halved=halved),
        )

    def extend(self, short: BoolArray) -> "StudyIntegral":
        """Give longer tables for the studies and sides (study, 2) that are `short`."""
        return replace(self, tables=extend(self.bound, self.tables, short))

    def refine(self, mu: FloatArray, tau: FloatArray) -> "StudyIntegral":
        """Give the sums over nodes half as far apart, for the pairs mu, tau (pair,).

        Their tables are exact further down, too.
        """
        halved, counted = self.tables.halved + 1, 4 * self.tables.counted
        return StudyIntegral.build(self.bound, mu, tau, counted=counted, halved=halved)

    def moved_from(self, other: "StudyIntegral") -> float:
        """By how much the ends of the tables differ at most, on their own lines."""
        one, two = self.tables, other.tables
        moved = np.stack([one.first - two.first, one.last - two.last])
        return float(np.abs(moved).max())

    def log_likelihood(self, mu: FloatArray, tau: FloatArray) -> FloatArray:
        """Log L_i at pairs: mu, tau (...) -> (..., study); the tables grow where they must."""
        pairs = np.broadcast_arrays(mu, tau)
        flat = [a.reshape(-1) for a in pairs]
        integral = self
        for _ in range(20):
            sums = integral.sum(*flat)
            short = (sums.leak > 1e-12).any(axis=0)
            if not short.any():
                return sums.log_likelihood.reshape(*pairs[0].shape, -1)
            longer = integral.extend(short)
            if longer.moved_from(integral) < 1e-9:  # all the measure allows
                return sums.log_likelihood.reshape(*pairs[0].shape, -1)
            integral = longer
        raise AccuracyError("The tables of the study likelihoods do not reach far enough")

    def log_total(self, mu: FloatArray, tau: FloatArray) -> FloatArray:
        """Log-likelihood of all studies at pairs (pair,)."""
        out: FloatArray = self.log_likelihood(mu, tau).sum(axis=-1)
        return out

    def sum(self, mu: FloatArray, tau: FloatArray, *, check: bool = False) -> Sums:
        """Log L_i at pairs mu, tau (pair,); with `check`, by finer rules throughout."""
        sums = Filling.of(self.tables, mu, tau, check=check)
        likelihood, data = self.bound.model.likelihood, self.bound.data
        direct = self._needs_no_table(tau)
        if direct.any():
            theta = np.broadcast_to(mu[direct], (len(data.y), int(direct.sum())))
            sums.log_l[direct], sums.done[direct] = likelihood.log_g(data, theta).T, True
        counts = hasattr(data, "events_treated")
        if self.bends_slowly and not self.tables.halved and not (check and counts):
            sums.share(lopsided=self._lopsided, counts=counts)
        sums.take_parabolas()
        sums.take_graded()
        if getattr(likelihood, "falls_as_a_power", False):
            sums.take_far()
        sums.take_the_rest(bounded=getattr(data, "last_ends", None) is not None)
        sums.count_beyond_ends()
        return Sums(log_likelihood=sums.log_l, leak=sums.leak, total=sums.log_l.sum(axis=-1))

    def sum_own(self, mu: FloatArray, tau: FloatArray, study: IndexArray) -> Logs:
        """Log L_i of one study for each pair (pair,), and its leak (pair, 2).

        For studies of different data sets, whose pairs are their own.
        """
        out, leak = np.empty(len(mu)), np.empty((len(mu), 2))
        narrow = find_own_coarseness(self.tables, mu, tau, study) > RESOLVED
        tiny = narrow & (tau < TINY * self.tables.scale[study])
        for where, summed in (
            (~narrow, sum_all_nodes),
            (narrow & ~tiny, partial(sum_about_peak, rule=RULE)),
            (tiny, partial(sum_about_mu, rule=SMALL_RULE)),
        ):
            i = np.flatnonzero(where)
            if len(i):
                out[i], leak[i] = summed(self.tables, mu[i], tau[i], study[i])
        return out, leak

    def _needs_no_table(self, tau: FloatArray) -> BoolArray:
        """Where L_i(mu, 0) = g_i(mu) is taken as it is, (pair,).

        Not from a user's own table, which ends, nor on a bound of the measure, where g may be 0.
        """
        ends = (
            hasattr(self.bound.data, "refuse_short") or self.tables.lines.plain.domain is not None
        )
        out: BoolArray = (tau == 0) & (not ends)
        return out

    @property
    def bends_slowly(self) -> bool:
        """No likelihood bends more sharply than its normal width shows: even nodes fit all studies.

        One of t form does, and so does a binomial one of two risks near no effect, but for OR, and
        for RR where the data have no break.
        """
        data, powers = self.bound.data, hasattr(self.bound.model.likelihood, "tail_orders")
        smooth = getattr(data, "measure", "OR") in ("OR", "RR") and not getattr(data, "breaks", ())
        return not powers and smooth

    @property
    def _lopsided(self) -> IndexArray:
        """Studies that no normal approximation describes: g ends flat, or a cell is empty."""
        vanishes = self.bound.model.likelihood.vanishes(self.bound.data)
        empty = getattr(self.bound.data, "cells", np.ones((1, 1))).min(axis=0) < 1
        return np.flatnonzero(~vanishes.all(axis=1) | empty)

    def error(
        self, mu: FloatArray, tau: FloatArray, weight: FloatArray, total: FloatArray
    ) -> float:
        """Largest error of `total` (pair,), the log-likelihood of all studies, measured.

        The sums are repeated by finer rules, and count with `weight` (pair,); the error of the
        interpolants is added, in full where an integrand lies far down a study's table. What is
        lost at the tables' ends is not counted here: rules differ by as much there, and the mass of
        all pairs says what it matters.
        """
        sums = self.sum(mu, tau, check=True)
        moved = np.maximum(np.abs(sums.total - total) - 2 * sums.leak.sum(axis=(1, 2)), 0.0)
        tables = self.tables
        errors = tables.errors_within(tables.log_g.max(axis=1) - sums.log_likelihood)
        of_tables = np.maximum(errors, tables.error).sum(axis=1)
        of_tables[self._needs_no_table(tau)] = 0.0
        least = tables.error * len(tables.center) * bool(of_tables.any())
        return max(float(((moved + of_tables) * weight).max()), least)
