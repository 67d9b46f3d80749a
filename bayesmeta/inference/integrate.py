"""log L_i(mu, tau): each study's likelihood integrated over its true effect, in log space.

L_i(mu, tau) is the integral of g_i(theta) N(theta | mu, tau^2). log g_i is tabulated once on the
study's own nodes, even in x with theta = center + scale * bend * sinh(x / bend), and every pair
(mu, tau) is then a sum over

- those nodes, where they resolve the peak of the integrand (tau comparable with the study's
  standard error or larger), or
- Gauss-Hermite nodes about the peak, with log g_i interpolated, where the integrand is narrower
  than the nodes are apart (tau -> 0, and a study far away from mu). tau = 0 is the limit, not a
  special case.

Both keep relative accuracy however small L_i is. The error of the table's interpolant and of the
sums is measured, not assumed: see `StudyIntegral.error`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.special import roots_hermite

from bayesmeta.errors import AccuracyError
from bayesmeta.inference.shared_nodes import RESOLVED, SharedRow, group_rows, share_nodes
from bayesmeta.model import BoundModel
from bayesmeta.random_effects import TruncatedRandomEffects
from bayesmeta.scales import FloatArray

_BEND = 6.0  # standard errors after which a study's nodes begin to spread exponentially
_STEP = 0.14  # of the table, in standard errors near the centre; sums take every second node
_REACH = 7.5  # widths of the integrand kept on each side of its peak: exp(-7.5^2 / 2) = 6e-13
_TABLE_ERROR = 3e-9  # largest error of the tables' interpolants, summed over studies
_UNDERFLOW = 1e-200  # sums below it are taken again relative to their largest term
_MISFIT = 60.0  # see `StudyIntegral.build`
_CROWDED = 1e-9  # unit of a map about a rough point, in standard errors
_CHUNK = 1 << 15  # products (pair, study, node) held at once: 256 kB, within the cache

type IndexArray = np.ndarray[tuple[int, ...], np.dtype[np.intp]]
type BoolArray = np.ndarray[tuple[int, ...], np.dtype[np.bool_]]


def _hermite_rule(n: int) -> tuple[FloatArray, FloatArray]:
    """Nodes z, and logarithms of the weights of the integral of exp(-z^2) f, times exp(z^2)."""
    z, weights = roots_hermite(n)
    return z, np.log(weights) + z**2 - 0.5 * np.log(np.pi)


_SMALL_RULE, _RULE, _FINE_RULE = (_hermite_rule(n) for n in (8, 20, 36))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sums:
    """log L_i (pair, study), and what was lost at the ends of the tables (pair, study, 2).

    `total` (pair,) is the log-likelihood of all studies: the sum of log L_i, where the studies are
    independent given (mu, tau). `leak` is the integrand at a table's first and last node over the
    whole sum: where it is not negligible the table was too short.
    """

    log_likelihood: FloatArray
    leak: FloatArray
    total: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StudyIntegral:
    """Tables of log g_i for a region of (mu, tau), and the sums over them.

    Attributes
    ----------
    bound : BoundModel
    center, scale : (study,)
        A study's estimate and standard error, about.
    origin, unit : (study,)
        Of the table's map: the same, but where a likelihood is rough at a point (see `_maps`).
    first, step : (study,)
        First node and spacing of the table in x.
    log_g : (study, node)
        The table; an odd number of nodes.
    taylor : (study * interval, 8)
        Coefficients of the degree-7 spline through the table about the middle of each interval.
    table_error, allowed : float
        Largest error of the spline between the nodes, and the largest that was allowed.
    """

    bound: BoundModel
    center: FloatArray
    scale: FloatArray
    origin: FloatArray
    unit: FloatArray
    first: FloatArray
    step: FloatArray
    log_g: FloatArray
    taylor: FloatArray
    table_error: float
    allowed: float

    @classmethod
    def build(
        cls, bound: BoundModel, mu: FloatArray, tau: FloatArray, *, allowed: float | None = None
    ) -> "StudyIntegral":
        """Tabulate log g_i where the integrand should matter for the pairs mu, tau (pair,).

        Where the studies belong to different data sets, mu and tau are (pair, study), and `allowed`
        is the error of one table; a larger one is met with fewer nodes.

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
            misfit = ((mu - center) ** 2 / (4 * scale**2 + tau**2)).sum(axis=1)
            near = misfit <= misfit.min() + _MISFIT
            mu, tau = mu[near], tau[near]
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
            ends.append(side * np.maximum(furthest, 0.0) + side * 0.5 * scale)
        origin, unit = _maps(bound)
        to_line = [_BEND * np.arcsinh((center + end - origin) / (_BEND * unit)) for end in ends]
        return cls._tabulate(bound, *to_line, allowed or _TABLE_ERROR / len(center))

    @classmethod
    def _tabulate(
        cls, bound: BoundModel, first: FloatArray, last: FloatArray, allowed: float
    ) -> "StudyIntegral":
        center, scale = bound.data.y, bound.data.se
        origin, unit = _maps(bound)
        ends = getattr(bound.data, "ends", None)
        if ends is not None:  # not beyond the bounds of the measure
            low, high = _BEND * np.arcsinh((ends.T - origin) / (_BEND * unit))
            first, last = np.maximum(first, low), np.minimum(last, high)
        step = _STEP if allowed <= _TABLE_ERROR else 2 * _STEP
        for _ in range(9):
            half = int(np.ceil((last - first).max() / (2 * step)))
            nodes = 2 * max(half, 8) + 1
            spacing = (last - first) / (nodes - 1)
            x = first[:, None] + spacing[:, None] * np.arange(nodes)
            theta = _from_line(x, origin[:, None], unit[:, None])
            log_g = bound.model.likelihood.log_g(bound.data, theta)
            taylor, error = _interpolate(log_g)
            if error <= allowed:
                return cls(
                    bound=bound,
                    center=center,
                    scale=scale,
                    origin=origin,
                    unit=unit,
                    first=first,
                    step=spacing,
                    log_g=log_g,
                    taylor=taylor,
                    table_error=error,
                    allowed=allowed,
                )
            step *= 0.7
        raise AccuracyError(
            f"The table of a study's log likelihood is still wrong by {error:.0e} between its "
            'nodes: the likelihood has a kink. engine="nuts" does not need a table'
        )

    def extend(self, short: BoolArray) -> "StudyIntegral":
        """Give longer tables for the studies and sides (study, 2) that are `short`."""
        last = self.first + self.step * (self.log_g.shape[1] - 1)
        more = np.minimum(0.3 * (last - self.first), _BEND)  # about three times as far, at most
        first = np.where(short[:, 0], self.first - more, self.first)
        last = np.where(short[:, 1], last + more, last)
        return self._tabulate(self.bound, first, last, self.allowed)

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
            if np.abs(longer._range - integral._range).max() < 1e-9:  # all the measure allows
                return sums.log_likelihood.reshape(*pairs[0].shape, -1)
            integral = longer
        raise AccuracyError("The tables of the study likelihoods do not reach far enough")

    @property
    def _range(self) -> FloatArray:
        """First and last node of each table, (2, study)."""
        return np.stack([self.first, self.first + self.step * (self.log_g.shape[1] - 1)])

    def log_total(self, mu: FloatArray, tau: FloatArray) -> FloatArray:
        """Log-likelihood of all studies at pairs (pair,)."""
        out: FloatArray = self.log_likelihood(mu, tau).sum(axis=-1)
        return out

    def sum(self, mu: FloatArray, tau: FloatArray, *, check: bool = False) -> Sums:
        """Log L_i at pairs mu, tau (pair,); with `check`, by finer rules throughout."""
        log_l = np.full((len(mu), len(self.center)), np.nan)
        leak = np.zeros((*log_l.shape, 2))
        nodes = self.log_g.shape[1]
        rows = []
        if self._shares_nodes:
            vanishes = self.bound.model.likelihood.vanishes(self.bound.data)
            rows = share_nodes(
                mu,
                tau,
                self.center,
                self.scale,
                lopsided=np.flatnonzero(~vanishes.all(axis=1)),
                find_peak=self.find_peak,
                table_nodes=nodes,
                check=check,
            )
        self._sum_shared(mu, rows, log_l, leak)
        shared = np.zeros(len(mu), dtype=bool)
        for row in rows:
            shared[row.pairs] = True
        left = np.flatnonzero(~shared)
        narrow, finer = np.zeros(log_l.shape, dtype=bool), np.zeros(log_l.shape, dtype=bool)
        narrow[left] = self._unresolved(self._spacing(2), mu[left], tau[left])
        wide = left[~narrow[left].all(axis=1)]
        log_l[wide], leak[wide] = self._sum_nodes(mu[wide], tau[wide], stride=1 if check else 2)
        finer[left] = narrow[left] & ~self._unresolved(self._spacing(1), mu[left], tau[left])
        lost = ~narrow & ~np.isfinite(log_l)  # underflow: far from everything
        about = narrow & ~finer
        tiny = tau[:, None] < 0.05 * self.scale
        few, many = (_FINE_RULE, _FINE_RULE) if check else (_SMALL_RULE, _RULE)
        for where, summed in (
            (finer | lost, self._sum_all_nodes),
            (about & ~tiny, partial(self._sum_about_peak, rule=many)),
            (about & tiny, partial(self._sum_about_peak, rule=few)),
        ):
            pair, study = np.nonzero(where)
            if len(pair):
                log_l[pair, study], leak[pair, study] = summed(mu[pair], tau[pair], study)
        return Sums(log_likelihood=log_l, leak=leak, total=log_l.sum(axis=-1))

    def _sum_shared(
        self,
        mu: FloatArray,
        rows: "Sequence[SharedRow]",
        log_l: FloatArray,
        leak: FloatArray,
    ) -> None:
        """Sum over nodes that all studies share, as one matrix product for each row.

        All terms are positive, so that the sums keep relative accuracy unless they underflow.
        """
        top = self.log_g.max(axis=1)
        theta_end = np.stack(self._ends, axis=1)  # (study, 2)
        weight_end = self.nodes(1)[1][:, [0, -1]] - top[:, None]
        study = np.arange(len(self.center))
        for group in group_rows(rows):
            step = group[0].step
            first, last = min(row.first for row in group), max(row.last for row in group)
            theta: FloatArray = step * np.arange(first, last + 1.0)
            value, _ = self._value(theta[:, None], study)
            g = np.exp(np.minimum(value - top, 1.0))  # (node, study)
            for row in group:
                part = slice(row.first - first, row.last - first + 1)
                m, rate = mu[row.pairs, None], np.sqrt(0.5) / row.tau
                kernel = np.exp(-np.square((theta[part] - m) * rate))
                total = kernel @ g[part]
                total[total < _UNDERFLOW] = 0.0
                with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
                    log_l[row.pairs] = np.log(total) + (top + np.log(step * rate / np.sqrt(np.pi)))
                    away = np.square((theta_end - m[..., None]) * rate)
                    leak[row.pairs] = np.exp(weight_end - away) / (step * total[..., None])

    @property
    def _shares_nodes(self) -> bool:
        """Even nodes fit all studies: no likelihood bends more sharply than its normal width shows.

        One of t form does, and so does a binomial one of two risks near no effect (but for OR).
        """
        powers = hasattr(self.bound.model.likelihood, "tail_orders")
        return not powers and getattr(self.bound.data, "measure", "OR") == "OR"

    @property
    def _ends(self) -> tuple[FloatArray, FloatArray]:
        """First and last theta of each table, (study,)."""
        last = self.first + self.step * (self.log_g.shape[1] - 1)
        low, high = (_from_line(x, self.origin, self.unit) for x in (self.first, last))
        return low, high

    def _sum_nodes(
        self, mu: FloatArray, tau: FloatArray, *, stride: int
    ) -> tuple[FloatArray, FloatArray]:
        """Sum every `stride`-th node for all pairs and studies; not finite where it underflows."""
        theta, log_weight = self.nodes(stride)
        top = log_weight.max(axis=1)
        log_weight = log_weight - top[:, None]
        pairs, studies = len(mu), len(self.center)
        log_l, leak = np.empty((pairs, studies)), np.zeros((pairs, studies, 2))
        rate = np.sqrt(0.5) / np.maximum(tau, 1e-300)
        chunk = max(1, _CHUNK // theta.size)
        work = np.empty((chunk, *theta.shape))
        for begin in range(0, pairs, chunk):  # a chunk of pairs, to stay within the cache
            part = slice(begin, min(begin + chunk, pairs))
            mass = work[: part.stop - begin]
            with np.errstate(over="ignore"):
                np.subtract(theta, mu[part, None, None], out=mass)
                mass *= rate[part, None, None]
                np.square(mass, out=mass)
            np.subtract(log_weight, mass, out=mass)
            np.exp(mass, out=mass)
            total = mass.sum(axis=-1)
            total[total < _UNDERFLOW] = 0.0
            with np.errstate(divide="ignore", invalid="ignore"):
                log_l[part] = np.log(total) + (top + np.log(rate[part, None] / np.sqrt(np.pi)))
                leak[part] = mass[..., [0, -1]] / total[..., None]
        return log_l, leak

    def sum_own(
        self, mu: FloatArray, tau: FloatArray, study: IndexArray
    ) -> tuple[FloatArray, FloatArray]:
        """Log L_i of one study for each pair (pair,), and its leak (pair, 2).

        For studies of different data sets, whose pairs are their own.
        """
        out, leak = np.empty(len(mu)), np.empty((len(mu), 2))
        narrow = self.is_narrow(mu, tau, study)
        tiny = narrow & (tau < 0.05 * self.scale[study])
        for where, summed in (
            (~narrow, self._sum_all_nodes),
            (narrow & ~tiny, partial(self._sum_about_peak, rule=_RULE)),
            (tiny, partial(self._sum_about_peak, rule=_SMALL_RULE)),
        ):
            which = np.flatnonzero(where)
            if len(which):
                out[which], leak[which] = summed(mu[which], tau[which], study[which])
        return out, leak

    def _sum_all_nodes(
        self, mu: FloatArray, tau: FloatArray, study: IndexArray
    ) -> tuple[FloatArray, FloatArray]:
        """Sum every node relative to the largest term, (pair,); leak (pair, 2)."""
        theta, log_weight = self.nodes(1)
        out, leak = np.empty(len(mu)), np.empty((len(mu), 2))
        chunk = max(1, _CHUNK // theta.shape[1])
        for begin in range(0, len(mu), chunk):  # a chunk of pairs, to stay within the cache
            part = slice(begin, begin + chunk)
            i, t = study[part], tau[part, None]
            exponent = log_weight[i] - 0.5 * ((theta[i] - mu[part, None]) / t) ** 2
            top = exponent.max(axis=1)
            terms = np.exp(exponent - top[:, None])
            total = terms.sum(axis=1)
            out[part] = top + np.log(total / (t[:, 0] * np.sqrt(2 * np.pi)))
            leak[part] = terms[:, [0, -1]] / total[:, None]
        return out, leak

    def error(
        self, mu: FloatArray, tau: FloatArray, weight: FloatArray, total: FloatArray
    ) -> float:
        """Largest error of `total` (pair,), the log-likelihood of all studies, measured.

        The sums are repeated by finer rules, and count with `weight` (pair,); the error of the
        interpolants is added.
        """
        moved = np.abs(self.sum(mu, tau, check=True).total - total)
        return float((moved * weight).max()) + self.table_error * len(self.center)

    def _spacing(self, stride: int) -> FloatArray:
        """Distance of the summed nodes at each study's centre, (study,)."""
        out: FloatArray = stride * self.step * self.unit
        return out

    def nodes(self, stride: int) -> tuple[FloatArray, FloatArray]:
        """Theta and log(g dtheta) at every `stride`-th node, (study, node) each."""
        x = self.first[:, None] + self.step[:, None] * np.arange(self.log_g.shape[1])[::stride]
        theta = _from_line(x, self.origin[:, None], self.unit[:, None])
        slope = np.log(np.cosh(x / _BEND))
        spacing = np.log(self._spacing(stride))[:, None]
        return theta, self.log_g[:, ::stride] + slope + spacing

    def _unresolved(self, spacing: FloatArray, mu: FloatArray, tau: FloatArray) -> BoolArray:
        """Pairs and studies whose integrand is narrower than the nodes are apart, (pair, study).

        The nodes are furthest apart far from a study's centre, so the peak is first taken further
        out than a normal approximation puts it. Where the nodes do not resolve it there, narrow
        random effects go to the sum about the peak; for wide ones the peak itself is looked at.
        """
        tau = tau[:, None] if tau.ndim == 1 else tau
        return self._is_narrow(spacing, mu[:, None], tau, np.arange(len(self.center)))

    def is_narrow(
        self, mu: FloatArray, tau: FloatArray, study: IndexArray, *, finer: float = 1.0
    ) -> BoolArray:
        """Tell whether a study's nodes, `finer` times further apart, do not resolve its integrand.

        All (pair,).
        """
        return self._is_narrow(finer * self._spacing(1), mu, tau, study)

    def _is_narrow(
        self, spacing: FloatArray, mu: FloatArray, tau: FloatArray, study: IndexArray
    ) -> BoolArray:
        """Elementwise; mu, tau and study broadcast, and spacing is (study,)."""
        center, scale, spacing = self.center[study], self.scale[study], spacing[study]
        variance, tau2 = scale**2, tau**2
        width = np.sqrt(tau2 * variance / (variance + 1.5 * tau2))
        share = np.minimum(1, 2 * variance / (variance + tau2))
        peak = center + share * (mu - center)
        origin, unit = self.origin[study], self.unit[study]
        away = np.maximum(np.abs(peak - origin), np.abs(center - origin))
        narrow = spacing * np.hypot(1, away / (_BEND * unit)) > RESOLVED * width
        wide = narrow & (tau > 0.8 * scale)
        if wide.any():
            m, t, i = (np.broadcast_to(a, narrow.shape)[wide] for a in (mu, tau, study))
            peak, width_there = self.find_peak(m, t, i)
            z = (peak - self.origin[i]) / (_BEND * self.unit[i])
            gap = np.broadcast_to(spacing, narrow.shape)[wide]
            narrow[wide] = gap * np.hypot(1, z) > RESOLVED * width_there
        return narrow

    def find_peak(
        self, mu: FloatArray, tau: FloatArray, study: IndexArray
    ) -> tuple[FloatArray, FloatArray]:
        """Peak of g N and its width, by Newton steps in units of tau from mu; all (pair,)."""
        variance = self.scale[study] ** 2
        e = tau * (self.center[study] - mu) / (variance + tau**2)  # the normal approximation's
        low, high = np.full_like(mu, -np.inf), np.full_like(mu, np.inf)
        for _ in range(60):
            slope, bend = self._slopes(mu + tau * e, study)
            pull = tau * slope - e  # decreasing in e for a log-concave g
            low, high = np.where(pull > 0, e, low), np.where(pull > 0, high, e)
            move = e + pull / np.maximum(1 - tau**2 * bend, 0.1)
            with np.errstate(invalid="ignore"):
                outside = ((move <= low) | (move >= high)) & np.isfinite(low + high)
                move = np.where(outside, 0.5 * (low + high), move)
            settled = (np.abs(move - e) < 1e-3).all()
            e = move
            if settled:
                break
        bend = self._slopes(mu + tau * e, study)[1]
        return mu + tau * e, tau / np.sqrt(np.maximum(1 - tau**2 * bend, 0.1))

    def _sum_about_peak(
        self,
        mu: FloatArray,
        tau: FloatArray,
        study: IndexArray,
        *,
        rule: tuple[FloatArray, FloatArray],
    ) -> tuple[FloatArray, FloatArray]:
        """Gauss-Hermite sum about the peak of g N, right down to tau = 0.

        Gives the logarithm (pair,) and the shares below and above the table (pair, 2).
        """
        out, leak = np.empty(len(mu)), np.empty((len(mu), 2))
        for begin in range(0, len(mu), 2048):  # a chunk of pairs, to stay within the cache
            part = slice(begin, begin + 2048)
            m, t, i = mu[part], tau[part], study[part]
            peak, width = self.find_peak(m, t, i)
            safe = np.where(t > 0, t, 1.0)
            ratio = np.where(t > 0, width / safe, 1.0)
            shift = np.where(t > 0, (peak - m) / safe, 0.0)
            z = shift[:, None] + ratio[:, None] * (np.sqrt(2) * rule[0])
            value, beyond = self._value(m[:, None] + t[:, None] * z, i[:, None])
            exponent = value - 0.5 * z**2 + rule[1]
            top = exponent.max(axis=-1)
            terms = np.exp(exponent - top[:, None])
            total = terms.sum(axis=-1)
            out[part] = top + np.log(total * ratio)
            leak[part, 0] = (terms * (beyond < 0)).sum(axis=-1) / total
            leak[part, 1] = (terms * (beyond > 0)).sum(axis=-1) / total
        return out, leak

    def unresolved(self, mu: FloatArray, tau: FloatArray) -> BoolArray:
        """Pairs and studies whose integrand all nodes of the table do not resolve.

        tau (pair,), or (pair, study) where the studies have their own.
        """
        return self._unresolved(self._spacing(1), mu, tau)

    def log_g_at(self, theta: FloatArray) -> tuple[FloatArray, BoolArray]:
        """Log g at theta (study, node), and whether it is beyond the table."""
        value, beyond = self._value(theta, np.arange(len(theta))[:, None])
        return value, beyond != 0

    def value(self, theta: FloatArray, study: IndexArray) -> FloatArray:
        """Log g of the given studies at theta, (pair,) each."""
        return self._value(theta, study)[0]

    def propose_from_table(
        self, mu: FloatArray, tau: FloatArray, study: IndexArray, rng: np.random.Generator
    ) -> tuple[FloatArray, FloatArray]:
        """Draws of theta from the piecewise linear interpolant of g N, and g N over it, (pair,)."""
        theta, log_weight = self.nodes(1)
        draw, ratio = np.empty(len(mu)), np.empty(len(mu))
        last = theta.shape[1] - 1
        chunk = max(1, 4 * _CHUNK // theta.shape[1])
        for begin in range(0, len(mu), chunk):  # a chunk of pairs, to stay within the cache
            part = slice(begin, begin + chunk)
            i, m, t = study[part], mu[part], tau[part]
            exponent = log_weight[i] - 0.5 * ((theta[i] - m[:, None]) / t[:, None]) ** 2
            top = exponent.max(axis=1)
            mass = np.exp(exponent - top[:, None])
            total = np.cumsum(mass, axis=1)
            u = rng.random(len(m)) * total[:, -1]
            node = np.minimum((total < u[:, None]).sum(axis=1), last)
            steps = node + rng.random(len(m)) - rng.random(len(m))
            inside = (steps >= 0) & (steps <= last)
            steps = np.clip(steps, 0, last)
            below = np.minimum(steps.astype(np.intp), last - 1)
            row, share = np.arange(len(m)), steps - below
            line = (1 - share) * mass[row, below] + share * mass[row, below + 1]
            x = self.first[i] + self.step[i] * steps
            at = _from_line(x, self.origin[i], self.unit[i])
            slope = np.log(np.cosh(x / _BEND) * self.step[i] * self.unit[i])
            exact = self.value(at, i) + slope - 0.5 * ((at - m) / t) ** 2 - top
            draw[part] = at
            ratio[part] = np.where(inside, np.exp(exact) / line, 0.0)
        return draw, ratio

    def steps(self, theta: FloatArray, study: IndexArray) -> FloatArray:
        """Where theta lies in the tables of the studies, in steps from their first nodes."""
        away = (theta - self.origin[study]) / (_BEND * self.unit[study])
        out: FloatArray = (_BEND * np.arcsinh(away) - self.first[study]) / self.step[study]
        return out

    def _locate(
        self, theta: FloatArray, study: IndexArray
    ) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """Where theta lies in the tables.

        Gives Taylor coefficients (..., 8), the offset in steps from their centre, the distance
        from the study's centre in bends, and how many steps theta is beyond the table.
        """
        away = (theta - self.origin[study]) / (_BEND * self.unit[study])
        steps = (_BEND * np.arcsinh(away) - self.first[study]) / self.step[study]
        intervals = self.log_g.shape[1] - 1
        inside = np.clip(steps, 0, intervals)
        interval = np.minimum(inside.astype(np.intp), intervals - 1)
        return (
            self.taylor[study * intervals + interval], inside - interval - 0.5, away, steps - inside
        )  # fmt: skip

    def _value(self, theta: FloatArray, study: IndexArray) -> tuple[FloatArray, FloatArray]:
        """Log g by its interpolant, straight on beyond the table; and how far beyond theta is."""
        c, u, _, beyond = self._locate(theta, study)
        f: FloatArray = c[..., 7]
        for power in range(6, -1, -1):
            f = f * u + c[..., power]
        if beyond.any():
            f = f + beyond * _derivative(c, u)
        return f, beyond

    def _slopes(self, theta: FloatArray, study: IndexArray) -> tuple[FloatArray, FloatArray]:
        """First and second derivatives of log g in theta."""
        c, u, away, beyond = self._locate(theta, study)
        d1, d2 = _derivative(c, u), np.zeros_like(u)
        for power in range(7, 1, -1):
            d2 = d2 * u + power * (power - 1) * c[..., power]
        d2 = np.where(beyond == 0, d2, 0.0)
        scale, step, cosh = self.unit[study], self.step[study], np.hypot(1, away)
        slope = d1 / (scale * step * cosh)  # d theta = scale cosh(x / bend) d x
        bend = (d2 / step**2 - (away / _BEND) * d1 / (step * cosh)) / (scale * cosh) ** 2
        return slope, bend


def _maps(bound: BoundModel) -> tuple[FloatArray, FloatArray]:
    """Origins and units of the studies' maps, (study,).

    About the estimate, in standard errors; where the data mark a likelihood as rough at 0, about
    0, in units so small that the nodes crowd there like a geometric series.
    """
    data = bound.data
    rough = getattr(data, "rough", None)
    if rough is None:
        return data.y, data.se
    return np.where(rough, 0.0, data.y), np.where(rough, _CROWDED * data.se, data.se)


def _derivative(c: FloatArray, u: FloatArray) -> FloatArray:
    """Differentiate a polynomial with coefficients c (..., 8) at u."""
    d = np.zeros_like(u)
    for power in range(7, 0, -1):
        d = d * u + power * c[..., power]
    return d


def _from_line(x: FloatArray, center: FloatArray, scale: FloatArray) -> FloatArray:
    out: FloatArray = center + scale * _BEND * np.sinh(x / _BEND)
    return out


def _interpolate(log_g: FloatArray) -> tuple[FloatArray, float]:
    """Degree-7 spline through even nodes (study, node), as Taylor coefficients about midpoints.

    Its error is estimated from the spline through every second node, at the nodes left out:
    halving the step divides the error by 2^8, and 100 is counted on. Where g has fallen far, its
    relative error counts for less: no integrand is large there unless N is far out too.
    """
    from scipy.interpolate import make_interp_spline

    nodes = np.arange(log_g.shape[1], dtype=float)
    spline = make_interp_spline(nodes, log_g.T, k=7)
    middle = nodes[:-1] + 0.5
    taylor = np.stack([spline(middle, nu=m) / math.factorial(m) for m in range(8)], axis=-1)
    coarse = make_interp_spline(nodes[::2], log_g.T[::2], k=7)
    weight = 1 + np.abs(log_g.max(axis=1, keepdims=True) - log_g)[:, 1::2]
    error = float(np.max(np.abs(coarse(nodes[1::2]).T - log_g[:, 1::2]) / weight)) / 100
    return np.ascontiguousarray(taylor.transpose(1, 0, 2)).reshape(-1, 8), error
