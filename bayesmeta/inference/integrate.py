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

from dataclasses import dataclass

import numpy as np
from scipy.special import roots_hermite

from bayesmeta.errors import AccuracyError
from bayesmeta.model import BoundModel
from bayesmeta.scales import FloatArray

_BEND = 6.0  # standard errors after which a study's nodes begin to spread exponentially
_STEP = 0.18  # of the table, in standard errors near the centre; sums take every second node
_RESOLVED = 0.8  # largest spacing of the summed nodes, in widths of the integrand's peak
_REACH = 9.6  # SDs of the random effects kept beyond the centres: exp(-9.6^2 / 2) = 1e-20
_DROP = 46.0  # log units that g falls beyond the centres before it is cut
_CHUNK = 1 << 18  # products (pair, study, node) held at once: a few MB, within the cache
_HERMITE, _HERMITE_WEIGHTS = roots_hermite(20)
_HERMITE_LOG = np.log(_HERMITE_WEIGHTS) + _HERMITE**2 - 0.5 * np.log(np.pi)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Moments:
    """log L_i and the first two moments of theta_i given (mu, tau), all (pair, study).

    `mean` is relative to the study's centre; `square` is E (theta_i - centre)^2.
    """

    log_likelihood: FloatArray
    mean: FloatArray
    square: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StudyIntegral:
    """Tables of log g_i for a region of (mu, tau), and the sums over them.

    Attributes
    ----------
    center, scale : (study,)
        Of the table's map; about a study's estimate and standard error.
    first, step : (study,)
        First node and spacing of the table in x.
    log_g : (study, node)
        The table; an odd number of nodes.
    taylor : (8, study, interval)
        Coefficients of the degree-7 spline through the table about the middle of each interval.
    table_error : float
        Largest error of the spline between the nodes.
    mu_range, tau_high
        The region that the tables serve.
    """

    center: FloatArray
    scale: FloatArray
    first: FloatArray
    step: FloatArray
    log_g: FloatArray
    taylor: FloatArray
    table_error: float
    mu_range: tuple[float, float]
    tau_high: float

    def covers(self, mu_low: float, mu_high: float, tau_high: float) -> bool:
        """Tell whether the tables serve this region of (mu, tau)."""
        low, high = self.mu_range
        return low <= mu_low and mu_high <= high and tau_high <= self.tau_high

    @classmethod
    def build(
        cls, bound: BoundModel, *, mu_low: float, mu_high: float, tau_high: float
    ) -> "StudyIntegral":
        """Tabulate log g_i wherever the integrand matters for mu in [low, high] and tau <= high.

        Raises
        ------
        AccuracyError
            A likelihood is too rough for its table.
        """
        data, likelihood = bound.data, bound.model.likelihood
        center, scale = data.y, data.se
        reach = _REACH * tau_high
        low = _trim(bound, np.minimum(center, mu_low), reach, side=-1)
        high = _trim(bound, np.maximum(center, mu_high), reach, side=1)
        first = _to_line(low, center, scale)
        last = _to_line(high, center, scale)
        step = _STEP
        for _ in range(5):
            half = int(np.ceil((last - first).max() / (2 * step)))
            nodes = 2 * max(half, 8) + 1
            spacing = (last - first) / (nodes - 1)
            x = first[:, None] + spacing[:, None] * np.arange(nodes)
            log_g = likelihood.log_g(data, _from_line(x, center[:, None], scale[:, None]))
            taylor, error = _interpolate(log_g)
            if error <= 1e-9:
                return cls(
                    center=center,
                    scale=scale,
                    first=first,
                    step=spacing,
                    log_g=log_g,
                    taylor=taylor,
                    table_error=error,
                    mu_range=(mu_low, mu_high),
                    tau_high=tau_high,
                )
            step /= 2
        raise AccuracyError(
            f"The table of a study's log likelihood is still wrong by {error:.0e} between its "
            'nodes: the likelihood has a kink. engine="nuts" does not need a table'
        )

    def log_likelihood(self, mu: FloatArray, tau: FloatArray) -> FloatArray:
        """log L_i at pairs: mu, tau (...) -> (..., study)."""
        pairs = np.broadcast_arrays(mu, tau)
        out = self.moments(*(a.reshape(-1) for a in pairs)).log_likelihood
        return out.reshape(*pairs[0].shape, -1)

    def moments(self, mu: FloatArray, tau: FloatArray, *, stride: int = 2) -> Moments:
        """log L_i and moments of theta_i at pairs mu, tau (pair,).

        `stride` 2 sums every second node of the table; 1 all of them, as a check.
        """
        theta, log_weight, spacing = self._nodes(stride)
        pairs, studies = len(mu), len(self.center)
        out = np.empty((3, pairs, studies))
        chunk = max(1, _CHUNK // theta.size)
        for begin in range(0, pairs, chunk):  # a chunk of pairs, to stay within the cache
            part = slice(begin, begin + chunk)
            out[:, part] = self._sum_nodes(theta, log_weight, mu[part], tau[part])
        narrow = self._unresolved(theta, spacing, mu, tau)
        if narrow.any():
            pair, study = np.nonzero(narrow)
            out[:, pair, study] = self._sum_about_peak(mu[pair], tau[pair], study)
        return Moments(log_likelihood=out[0], mean=out[1], square=out[2])

    def error(self, mu: FloatArray, tau: FloatArray) -> float:
        """Largest error of the sum over studies of log L_i at pairs (pair,), measured.

        The sums are repeated with all nodes of the table; the interpolant's own error is added.
        """
        if len(mu) == 0:
            return self.table_error
        fine = self.moments(mu, tau, stride=1).log_likelihood
        coarse = self.moments(mu, tau, stride=2).log_likelihood
        moved = np.abs((fine - coarse).sum(axis=-1))
        return float(moved.max()) + self.table_error * len(self.center)

    def _nodes(self, stride: int) -> tuple[FloatArray, FloatArray, FloatArray]:
        """theta, log(g dtheta) and spacing at every `stride`-th node, (study, node)."""
        x = self.first[:, None] + self.step[:, None] * np.arange(self.log_g.shape[1])[::stride]
        theta = _from_line(x, self.center[:, None], self.scale[:, None])
        spacing = stride * (self.step * self.scale)[:, None] * np.cosh(x / _BEND)
        return theta, self.log_g[:, ::stride] + np.log(spacing), spacing

    def _sum_nodes(
        self, theta: FloatArray, log_weight: FloatArray, mu: FloatArray, tau: FloatArray
    ) -> FloatArray:
        """Sum over a study's own nodes: (3, pair, study)."""
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            z = (theta - mu[:, None, None]) / tau[:, None, None]
            exponent = log_weight - 0.5 * z * z
            top = exponent.max(axis=-1)
            mass = np.exp(exponent - top[..., None])
        total = mass.sum(axis=-1)
        away = theta - self.center[:, None]
        mean = np.einsum("psn,sn->ps", mass, away) / total
        square = np.einsum("psn,sn->ps", mass, away**2) / total
        with np.errstate(divide="ignore"):
            log_tau = np.log(tau)[:, None]
        return np.stack([top + np.log(total) - log_tau - 0.5 * np.log(2 * np.pi), mean, square])

    def _unresolved(
        self, theta: FloatArray, spacing: FloatArray, mu: FloatArray, tau: FloatArray
    ) -> "np.ndarray[tuple[int, ...], np.dtype[np.bool_]]":
        """Pairs and studies whose integrand is narrower than the nodes are apart, (pair, study).

        Between centre and mu, where the peak lies, the spacing is largest at mu; only where that
        does not already resolve the narrowest possible peak is the peak itself looked at.
        """
        width = 1 / np.sqrt(1 / np.maximum(tau[:, None], 1e-300) ** 2 + 1.5 / self.scale**2)
        z = (mu[:, None] - self.center) / (_BEND * self.scale)
        at_mu = spacing.min(axis=1) * np.hypot(1, z)
        narrow = at_mu > _RESOLVED * width
        pair, study = np.nonzero(narrow & (tau[:, None] > spacing.min(axis=1)))
        if len(pair):  # wide random effects, but mu far from the study
            peak, width_there = self._find_peak(mu[pair], tau[pair], study)
            z = (peak - self.center[study]) / (_BEND * self.scale[study])
            at_peak = spacing.min(axis=1)[study] * np.hypot(1, z)
            narrow[pair, study] = at_peak > _RESOLVED * width_there
        return narrow

    def _find_peak(
        self, mu: FloatArray, tau: FloatArray, study: "np.ndarray[tuple[int], np.dtype[np.intp]]"
    ) -> tuple[FloatArray, FloatArray]:
        """Peak of g N and its width, by Newton steps in units of tau from mu; all (pair,)."""
        e = np.zeros_like(mu)
        low, high = np.full_like(mu, -np.inf), np.full_like(mu, np.inf)
        for _ in range(60):
            _, slope, bend = self._interpolant(mu + tau * e, study)
            pull = tau * slope - e  # decreasing in e for a log-concave g
            low, high = np.where(pull > 0, e, low), np.where(pull > 0, high, e)
            move = e + pull / np.maximum(1 - tau**2 * bend, 0.1)
            outside = (move <= low) | (move >= high)
            with np.errstate(invalid="ignore"):
                move = np.where(outside & np.isfinite(low + high), 0.5 * (low + high), move)
            settled = np.abs(move - e) < 1e-6
            e = move
            if settled.all():
                break
        _, _, bend = self._interpolant(mu + tau * e, study)
        return mu + tau * e, tau / np.sqrt(np.maximum(1 - tau**2 * bend, 0.1))

    def _sum_about_peak(
        self, mu: FloatArray, tau: FloatArray, study: "np.ndarray[tuple[int], np.dtype[np.intp]]"
    ) -> FloatArray:
        """Gauss-Hermite sum about the peak of g N: (3, pair); right down to tau = 0."""
        out = np.empty((3, len(mu)))
        for begin in range(0, len(mu), 4096):  # a chunk of pairs, to stay within the cache
            part = slice(begin, begin + 4096)
            m, t, i = mu[part], tau[part], study[part]
            peak, width = self._find_peak(m, t, i)
            positive = t > 0
            ratio = np.where(positive, width / np.where(positive, t, 1.0), 1.0)
            shift = np.where(positive, (peak - m) / np.where(positive, t, 1.0), 0.0)
            z = shift[:, None] + ratio[:, None] * np.sqrt(2) * _HERMITE
            theta = m[:, None] + t[:, None] * z
            exponent = self._interpolant(theta, i[:, None])[0] - 0.5 * z**2 + _HERMITE_LOG
            top = exponent.max(axis=-1)
            mass = np.exp(exponent - top[:, None])
            total = mass.sum(axis=-1)
            away = theta - self.center[i][:, None]
            out[0, part] = top + np.log(total * ratio)
            out[1, part] = (mass * away).sum(axis=-1) / total
            out[2, part] = (mass * away**2).sum(axis=-1) / total
        return out

    def _interpolant(
        self, theta: FloatArray, study: "np.ndarray[tuple[int, ...], np.dtype[np.intp]]"
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """log g and its first two derivatives in theta, anywhere in the table."""
        away = (theta - self.center[study]) / (_BEND * self.scale[study])
        steps = (_BEND * np.arcsinh(away) - self.first[study]) / self.step[study]
        interval = np.clip(np.floor(steps), 0, self.log_g.shape[1] - 2).astype(np.intp)
        u = steps - interval - 0.5
        c = self.taylor[:, study, interval]
        f = c[7]
        d1, d2 = np.zeros_like(f), np.zeros_like(f)
        for power in range(6, -1, -1):
            d2 = d2 * u + 2 * d1
            d1 = d1 * u + f
            f = f * u + c[power]
        scale = self.scale[study] * self.step[study]  # d theta = scale cosh(x / bend) d steps
        cosh = np.hypot(1, away)
        slope = d1 / (scale * cosh)
        bend = (d2 / self.step[study] ** 2 - (away / _BEND) * d1 / (self.step[study] * cosh)) / (
            self.scale[study] * cosh
        ) ** 2
        return f, slope, bend


def _to_line(theta: FloatArray, center: FloatArray, scale: FloatArray) -> FloatArray:
    out: FloatArray = _BEND * np.arcsinh((theta - center) / (_BEND * scale))
    return out


def _from_line(x: FloatArray, center: FloatArray, scale: FloatArray) -> FloatArray:
    out: FloatArray = center + scale * _BEND * np.sinh(x / _BEND)
    return out


def _trim(bound: BoundModel, edge: FloatArray, reach: float, *, side: int) -> FloatArray:
    """End of each study's table beyond `edge` (study,): where g has fallen, or `reach` away."""
    data, likelihood = bound.data, bound.model.likelihood
    share = np.geomspace(1e-3, 1, 24)
    least = 0.05 * data.se
    offset = least[:, None] + (reach + 12 * data.se)[:, None] * share  # room for Hermite nodes
    log_g = likelihood.log_g(data, edge[:, None] + side * offset)
    at_edge = likelihood.log_g(data, edge[:, None])
    fallen = log_g < at_edge - _DROP
    index = np.where(fallen.any(axis=1), fallen.argmax(axis=1), len(share) - 1)
    out: FloatArray = edge + side * offset[np.arange(len(edge)), index]
    return out


def _interpolate(log_g: FloatArray) -> tuple[FloatArray, float]:
    """Degree-7 spline through even nodes (study, node), as Taylor coefficients about midpoints.

    Its error is estimated from the spline through every second node, at the nodes left out:
    halving the step divides the error by 2^8, and 50 is counted on.
    """
    from scipy.interpolate import make_interp_spline

    nodes = np.arange(log_g.shape[1], dtype=float)
    spline = make_interp_spline(nodes, log_g.T, k=7)
    middle = nodes[:-1] + 0.5
    taylor, factorial = [], 1.0
    for order in range(8):
        factorial *= max(order, 1)
        taylor.append(spline(middle, nu=order).T / factorial)
    coarse = make_interp_spline(nodes[::2], log_g.T[::2], k=7)
    # relative to how far g has fallen: a point e^-40 below the top needs no more than 40 digits
    weight = 1 + np.abs(log_g.max(axis=1, keepdims=True) - log_g)[:, 1::2]
    error = float(np.max(np.abs(coarse(nodes[1::2]).T - log_g[:, 1::2]) / weight)) / 50
    return np.stack(taylor), error
