"""A posterior by plain sums, as a second opinion on the grid engine: slow, and its own road.

It shares log g, the priors and nothing else with the engine: another map of tau, finer lines of mu
on another map, tables of log g with half the spacing on another map, and integrals over theta by
even sums, which are taken about the integrand's peak where the table's nodes do not resolve it.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.interpolate import BSpline, make_interp_spline
from scipy.special import ndtr, roots_hermite, sici

from bayesmeta.model import BoundModel
from bayesmeta.priors import Fixed
from bayesmeta.scales import FloatArray

_BEND = 4.0  # standard errors after which a table's nodes spread exponentially
_STEP = 0.07  # of a table
_BEND_MU = 2.0
_EDGE, _EMPTY = -33.0, -38.0  # log density that the ends must have fallen to, and where to cut
_ROUGH = 1e-6  # change when every second node of a sum is left out, from which it is taken again
_HERMITE = roots_hermite(40)

type IndexArray = np.ndarray[tuple[int, ...], np.dtype[np.intp]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BruteForce:
    """Masses (tau, mu) at nodes, log evidence, and what is known of their error.

    `x`, `step`: where the nodes lie on the lines of mu, for the sinc integral between them.
    """

    tau: FloatArray
    w: FloatArray
    mu: FloatArray
    mass: FloatArray
    center: FloatArray
    scale: FloatArray
    x_low: FloatArray
    x_step: FloatArray
    log_evidence: float
    error: float

    def thinned(self) -> "BruteForce":
        """Give the same from every second node of each line: how much it moves tells its error."""
        t = slice(None, None, 2 if len(self.tau) > 1 else 1)
        m = slice(None, None, 2 if self.mu.shape[1] > 1 else 1)
        mass = self.mass[t, m]
        total = mass.sum()
        spacing = (1 + (len(self.tau) > 1)) * (1 + (self.mu.shape[1] > 1))
        return replace(
            self,
            tau=self.tau[t],
            w=self.w[t],
            mu=self.mu[t, m],
            mass=mass / total,
            center=self.center[t],
            scale=self.scale[t],
            x_low=self.x_low[t],
            x_step=self.x_step[t] * (1 + (self.mu.shape[1] > 1)),
            log_evidence=self.log_evidence + float(np.log(total * spacing)),
        )

    def moments(self) -> dict[str, float]:
        """Means and SDs of mu and tau, and the SD of theta_new."""
        return _moments(self.mass, self.mu, self.tau)

    def cdf_mu(self, x: float) -> float:
        """P(mu <= x)."""
        return float(self._rows_below(np.full(len(self.tau), x)).sum())

    def cdf_tau(self, x: float, line: float) -> float:
        """P(tau <= x); `line` is x on the line of tau."""
        if len(self.tau) == 1:
            return float(x >= self.tau[0])
        steps = (line - self.w[0]) / (self.w[1] - self.w[0]) - np.arange(len(self.w))
        share = 0.5 + sici(np.pi * steps)[0] / np.pi
        return float(share @ self.mass.sum(axis=1))

    def cdf_new(self, x: float) -> float:
        """P(theta_new <= x): kernels about the nodes, or shifts where tau is too narrow."""
        counts = self.mass > 1e-12 * self.mass.max(axis=1, keepdims=True)
        gap = (np.diff(self.mu, axis=1, append=self.mu[:, -1:]) * counts).max(axis=1)
        wide = self.tau > 2 * gap
        total = 0.0
        if wide.any():
            away = (x - self.mu[wide]) / self.tau[wide, None]
            total += float((self.mass[wide] * ndtr(away)).sum())
        for z, weight in zip(*_HERMITE, strict=True):
            below = self._rows_below(x - np.sqrt(2) * z * self.tau)
            total += float(below[~wide].sum()) * weight / np.sqrt(np.pi)
        return total

    def _rows_below(self, x: FloatArray) -> FloatArray:
        """P(mu <= x and tau is this node), (tau,)."""
        if self.mu.shape[1] == 1:
            return self.mass[:, 0] * (x >= self.mu[:, 0])
        line = _BEND_MU * np.arcsinh((x - self.center) / (self.scale * _BEND_MU))
        steps = (line - self.x_low) / self.x_step
        share = 0.5 + sici(np.pi * (steps[:, None] - np.arange(self.mu.shape[1])))[0] / np.pi
        out: FloatArray = (share * self.mass).sum(axis=1)
        return out


def integrate(bound: BoundModel, *, tilt: bool, n_tau: int = 81, n_mu: int = 61) -> BruteForce:
    """Sum over (tau, mu); `tilt` makes the nodes cover what second moments need.

    Raises
    ------
    RuntimeError
        The region of the posterior was not found.
    """
    region = _first_region(bound, 41, 31)
    table = None
    for _ in range(60):
        values = region.nodes()
        needed = _Table.reach(bound, *values[:2])
        if table is None or (needed[0] < table.low).any() or (needed[1] > table.high).any():
            table = _Table.make(bound, *needed)
        log_f = region.log_prior(bound) + table.log_total(values[1], values[0])
        moved = region.moved(log_f, tilt=tilt)
        if moved is not None:
            region = moved
            continue
        if region.n_mu == 31 or region.n_tau == 41:
            region = region.resized(n_tau, n_mu)
            continue
        result = _finish(region, log_f, table)
        if result.error < 1e-9 or max(region.n_tau, region.n_mu) > 700:
            return result
        region = region.finer(log_f)
    raise RuntimeError("brute force did not find the region of the posterior")


def tau_line(tau: float, unit: float) -> float:
    """Where tau lies on its line: tau = unit exp(sinh(w))."""
    return float(np.arcsinh(np.log(tau / unit)))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Region:
    """Lines: tau = unit exp(sinh(w)), and mu = center + scale bend sinh(x / bend) for each."""

    unit: float
    w_low: float
    w_high: float
    n_tau: int
    known_tau: float | None
    limits: tuple[float, float]
    x_low: FloatArray
    x_high: FloatArray
    n_mu: int
    known_mu: float | None
    y: FloatArray
    se: FloatArray
    prior: tuple[float, float]

    @property
    def w(self) -> FloatArray:
        return np.linspace(self.w_low, self.w_high, self.n_tau)

    def about(self, tau: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mean and SD of mu given tau, by the normal approximation."""
        weight = 1 / (self.se**2 + tau[:, None] ** 2)
        precision = weight.sum(axis=1) + self.prior[1]
        center = (weight @ self.y + self.prior[0] * self.prior[1]) / precision
        return center, precision**-0.5

    def nodes(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Tau (tau,), mu (tau, mu), and the lines of mu (tau, mu)."""
        low, high = self.limits
        if self.known_tau is not None:
            tau = np.array([self.known_tau])
        elif np.isinf(high):
            tau = low + self.unit * np.exp(np.sinh(self.w))
        else:
            tau = low + (high - low) / (1 + np.exp(-np.pi / 2 * np.sinh(self.w)))
        center, scale = self.about(tau)
        if self.known_mu is not None:
            return tau, np.full((len(tau), 1), self.known_mu), np.zeros((len(tau), 1))
        x = self.x_low[:, None] + (self.x_high - self.x_low)[:, None] * np.linspace(0, 1, self.n_mu)
        mu = center[:, None] + scale[:, None] * _BEND_MU * np.sinh(x / _BEND_MU)
        return tau, mu, x

    def log_prior(self, bound: BoundModel) -> FloatArray:
        """Log of the priors times the spacing of the nodes, (tau, mu)."""
        tau, mu, x = self.nodes()
        out = np.zeros_like(mu)
        if self.known_mu is None:
            scale, step = self.about(tau)[1], (self.x_high - self.x_low) / (self.n_mu - 1)
            out = out + bound.model.effect.logpdf(mu) + np.log(np.cosh(x / _BEND_MU))
            out = out + np.log(scale * step)[:, None]
        if self.known_tau is None:
            low, high = self.limits
            slope = np.log(np.cosh(self.w) * (self.w_high - self.w_low) / (self.n_tau - 1))
            if np.isinf(high):
                slope = slope + np.log(tau - low)
            else:
                z = np.pi / 2 * np.sinh(self.w)
                slope = slope + np.log((high - low) * np.pi / 2) - np.logaddexp(0, z)
                slope = slope - np.logaddexp(0, -z)
            out = out + (bound.model.heterogeneity.logpdf(tau) + slope)[:, None]
        return out

    def moved(self, log_f: FloatArray, *, tilt: bool) -> "_Region | None":
        """Give a region that holds what counts; None where this one does."""
        tau, mu, _ = self.nodes()
        height = log_f - log_f.max()
        if tilt and self.known_tau is None:
            tilted = log_f + 2 * np.log(tau)[:, None]
            height = np.maximum(height, tilted - tilted.max())
        if tilt and self.known_mu is None:
            mass = np.exp(log_f - log_f.max())
            middle = float((mass * mu).sum() / mass.sum())
            tilted = log_f + 2 * np.log(np.abs(mu - middle) + 1e-300)
            height = np.maximum(height, tilted - tilted.max())
        x_low, x_high = self.x_low, self.x_high
        if self.known_mu is None:
            x_low, x_high = _fit(height, x_low, x_high, -1e3, 1e3)
        w_low, w_high = np.array([self.w_low]), np.array([self.w_high])
        if self.known_tau is None:
            last = 5.2 if np.isinf(self.limits[1]) else 3.8
            w_low, w_high = _fit(height.max(axis=1)[None], w_low, w_high, -4.5, last, most=0.4)
        same = w_low[0] == self.w_low and w_high[0] == self.w_high
        if same and np.array_equal(x_low, self.x_low) and np.array_equal(x_high, self.x_high):
            return None
        w = np.linspace(float(w_low[0]), float(w_high[0]), self.n_tau)
        if not same:
            x_low, x_high = (np.interp(w, self.w, x) for x in (x_low, x_high))
        return replace(
            self, w_low=float(w_low[0]), w_high=float(w_high[0]), x_low=x_low, x_high=x_high
        )

    def finer(self, log_f: FloatArray) -> "_Region":
        """Narrow the spacing in the direction that needs it."""
        mass = np.exp(log_f - log_f.max())
        if self.known_mu is None and _thinned(mass, 1) >= _thinned(mass, 0):
            return self.resized(self.n_tau, 2 * (3 * self.n_mu // 4) + 1)
        return self.resized(2 * (3 * self.n_tau // 4) + 1, self.n_mu)

    def resized(self, n_tau: int, n_mu: int) -> "_Region":
        """Give the same lines with other numbers of nodes."""
        n_tau, n_mu = (
            1 if self.known_tau is not None else n_tau,
            1 if self.known_mu is not None else n_mu,
        )
        w = np.linspace(self.w_low, self.w_high, n_tau)
        x_low, x_high = (np.interp(w, self.w, x) for x in (self.x_low, self.x_high))
        return replace(self, n_tau=n_tau, n_mu=n_mu, x_low=x_low, x_high=x_high)


def _first_region(bound: BoundModel, n_tau: int, n_mu: int) -> _Region:
    effect, heterogeneity = bound.model.effect, bound.model.heterogeneity
    known_mu = effect.value if isinstance(effect, Fixed) else None
    prior = (0.0, 0.0)
    if known_mu is None and effect.proper:
        middle, upper = (float(q) for q in effect.quantile(np.array([0.5, 0.75])))
        prior = (middle, (0.6745 / (upper - middle)) ** 2)
    low, high = heterogeneity.support
    known = low == high
    points = 1 if known else n_tau
    end = 3.8 if np.isfinite(high) else 1.3
    return _Region(
        unit=float(np.exp(np.mean(np.log(bound.data.se)))),
        w_low=0.0 if known else -3.8,
        w_high=0.0 if known else end,
        n_tau=points,
        known_tau=low if known else None,
        limits=(low, high),
        x_low=np.full(points, -4.0),
        x_high=np.full(points, 4.0),
        n_mu=1 if known_mu is not None else n_mu,
        known_mu=known_mu,
        y=bound.data.y,
        se=bound.data.se,
        prior=prior,
    )


def _fit(
    height: FloatArray,
    low: FloatArray,
    high: FloatArray,
    lowest: float,
    highest: float,
    most: float = 1.5,
) -> tuple[FloatArray, FloatArray]:
    """Widen ranges (row,) whose ends count, and cut what is mostly empty."""
    points = height.shape[1]
    counts = height > _EMPTY
    first, last = counts.argmax(axis=1), points - 1 - counts[:, ::-1].argmax(axis=1)
    more, step = np.minimum(0.5 * (high - low), most), (high - low) / (points - 1)
    at_low = (height[:, 0] > _EDGE) & (low > lowest)
    at_high = (height[:, -1] > _EDGE) & (high < highest)
    empty = (height.max(axis=1) > -25) & (last - first + 1 < points // 2) & ~at_low & ~at_high
    new_low = np.where(empty, low + step * np.maximum(first - 3, 0), low)
    new_high = np.where(empty, low + step * np.minimum(last + 3, points - 1), high)
    new_low = np.where(at_low, np.maximum(low - more, lowest), new_low)
    new_high = np.where(at_high, np.minimum(high + more, highest), new_high)
    return new_low, new_high


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Table:
    """log g at even x of theta = y + se bend sinh(x / bend), and a spline through it."""

    y: FloatArray
    se: FloatArray
    low: FloatArray
    high: FloatArray
    step: FloatArray
    log_g: FloatArray
    spline: BSpline
    error: float

    @classmethod
    def reach(
        cls, bound: BoundModel, tau: FloatArray, mu: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """First and last x that the nodes can need."""
        y, se = bound.data.y, bound.data.se
        below, above = (mu.min(axis=1) - 9.5 * tau, mu.max(axis=1) + 9.5 * tau)
        ends = []
        for side, edge in ((-1, below.min()), (1, above.max())):
            theta = side * np.maximum(side * edge, side * y + 15 * se)
            ends.append(_BEND * np.arcsinh((theta - y) / (se * _BEND)) + side * 1e-9)
        return ends[0], ends[1]

    @classmethod
    def make(cls, bound: BoundModel, low: FloatArray, high: FloatArray) -> "_Table":
        y, se = bound.data.y, bound.data.se
        low, high = low - 0.5, high + 0.5
        spread = _STEP
        for _ in range(5):
            nodes = 2 * int(np.ceil((high - low).max() / spread / 2)) + 1
            step = (high - low) / (nodes - 1)
            x = low[:, None] + step[:, None] * np.arange(nodes)
            theta = y[:, None] + se[:, None] * _BEND * np.sinh(x / _BEND)
            log_g = bound.model.likelihood.log_g(bound.data, theta)
            index = np.arange(nodes, dtype=float)
            spline = make_interp_spline(index, log_g.T, k=7)
            coarse = make_interp_spline(index[::2], log_g.T[::2], k=7)
            drop = 1 + log_g.max(axis=1) - log_g.T[1::2]
            error = float((np.abs(coarse(index[1::2]) - log_g.T[1::2]) / drop).max()) / 100
            if error * len(y) < 1e-10:
                break
            spread *= 0.6
        return cls(
            y=y, se=se, low=low, high=high, step=step, log_g=log_g, spline=spline, error=error
        )

    def log_total(self, mu: FloatArray, tau: FloatArray) -> FloatArray:
        """Sum of log L_i at mu (tau, mu)."""
        x = self.low[:, None] + self.step[:, None] * np.arange(self.log_g.shape[1])
        theta = self.y[:, None] + self.se[:, None] * _BEND * np.sinh(x / _BEND)
        log_weight = self.log_g + np.log(self.se * self.step)[:, None] + np.log(np.cosh(x / _BEND))
        log_l = np.empty((*mu.shape, len(self.y)))
        for row, t in enumerate(tau):
            for i in range(len(self.y)):
                log_l[row, :, i] = _sum(theta[i], log_weight[i], mu[row], t)
        left = np.argwhere(~np.isfinite(log_l))
        for begin in range(0, len(left), 20_000):
            row, node, study = left[begin : begin + 20_000].T
            log_l[row, node, study] = self._about_peak(mu[row, node], tau[row], study)
        out: FloatArray = log_l.sum(axis=-1)
        return out

    def _value(self, theta: FloatArray, study: IndexArray) -> FloatArray:
        """Log g of the studies at theta (pair, node)."""
        x = _BEND * np.arcsinh((theta - self.y[study][:, None]) / (self.se[study][:, None] * _BEND))
        index = (x - self.low[study][:, None]) / self.step[study][:, None]
        out = np.empty_like(theta)
        for i in np.unique(study):
            which = study == i
            one = BSpline(self.spline.t, self.spline.c[:, i], 7)
            out[which] = one(index[which])
        return out

    def _about_peak(self, mu: FloatArray, tau: FloatArray, study: IndexArray) -> FloatArray:
        """Even sums in z, theta = mu + tau z, about the peak of g(theta) exp(-z^2 / 2)."""
        if not tau.any():
            return self._value(mu[:, None], study)[:, 0]

        def log_f(z: FloatArray) -> FloatArray:
            return self._value(mu[:, None] + tau[:, None] * z, study) - 0.5 * z**2

        away = (self.y[study] - mu) / tau
        low, high = np.minimum(away, 0.0) - 1, np.maximum(away, 0.0) + 1
        for _ in range(60):
            middle = (low + high) / 2
            pair = log_f(middle[:, None] + np.array([-5e-4, 5e-4]))
            up = pair[:, 1] > pair[:, 0]
            low, high = np.where(up, middle, low), np.where(up, high, middle)
            if (high - low).max() < 0.2:
                break
        peak = ((low + high) / 2)[:, None]
        three = log_f(peak + 0.05 * np.array([-1.0, 0.0, 1.0]))
        bend = np.maximum((2 * three[:, 1] - three[:, 0] - three[:, 2]) / 0.05**2, 0.5)
        width = (1 / np.sqrt(bend))[:, None]
        f = log_f(peak + width * np.arange(-9, 9.1, 0.5))
        top = f.max(axis=1)
        total = np.exp(f - top[:, None]).sum(axis=1)
        out: FloatArray = top + np.log(total * 0.5 * width[:, 0] / np.sqrt(2 * np.pi))
        return out


def _sum(theta: FloatArray, log_weight: FloatArray, mu: FloatArray, tau: float) -> FloatArray:
    """Log L at mu (mu,) by the table's nodes; nan where they do not resolve the integrand."""
    if tau == 0 or tau < 0.3 * np.diff(theta).min():
        return np.full(len(mu), np.nan)
    ends = log_weight - 0.5 * ((theta - np.array([[mu.min()], [mu.max()]])) / tau) ** 2
    kept = np.flatnonzero(log_weight > ends.max(axis=1).min() - 50)
    part = slice(kept[0], kept[-1] + 1)
    theta, log_weight = theta[part], log_weight[part]
    f = log_weight - 0.5 * ((theta - mu[:, None]) / tau) ** 2
    top = f.max(axis=1)
    terms = np.exp(f - top[:, None])
    total = terms.sum(axis=1)
    rough = np.abs(2 * terms[:, ::2].sum(axis=1) / total - 1) > _ROUGH
    out = top + np.log(total / (tau * np.sqrt(2 * np.pi)))
    return np.where(rough, np.nan, out)


def _finish(region: _Region, log_f: FloatArray, table: _Table) -> BruteForce:
    tau, mu, _ = region.nodes()
    top = log_f.max()
    mass = np.exp(log_f - top)
    total = mass.sum()
    center, scale = region.about(tau)
    error = max(_thinned(mass, 0, mu, tau), _thinned(mass, 1, mu, tau))
    return BruteForce(
        tau=tau,
        w=region.w,
        mu=mu,
        mass=mass / total,
        center=center,
        scale=scale,
        x_low=region.x_low,
        x_step=(region.x_high - region.x_low) / max(region.n_mu - 1, 1),
        log_evidence=float(top + np.log(total)),
        error=error + table.error * len(table.y) + 1e-12 * (1 + abs(top)) / 50,
    )


def _thinned(
    mass: FloatArray, axis: int, mu: FloatArray | None = None, tau: FloatArray | None = None
) -> float:
    """Change of the mass (and of moments) when every second node of an axis is left out."""
    if mass.shape[axis] == 1:
        return 0.0
    half = mass[::2] if axis == 0 else mass[:, ::2]
    moved = abs(2 * float(half.sum() / mass.sum()) - 1)
    if mu is None or tau is None:
        return moved
    all_mu = mu if mu.shape == mass.shape else np.broadcast_to(mu, mass.shape)
    mu_half, tau_half = (all_mu[::2], tau[::2]) if axis == 0 else (all_mu[:, ::2], tau)
    full, thin = _moments(mass / mass.sum(), all_mu, tau), _moments(
        half / half.sum(), mu_half, tau_half
    )  # fmt: skip
    sd = max(full["mu sd"], 1e-300)
    return max(
        moved,
        abs(full["mu mean"] - thin["mu mean"]) / sd,
        abs(full["tau mean"] / max(thin["tau mean"], 1e-300) - 1) if full["tau mean"] > 0 else 0.0,
    )


def _moments(mass: FloatArray, mu: FloatArray, tau: FloatArray) -> dict[str, float]:
    of_tau = mass.sum(axis=1)
    mean, mean_tau = float((mass * mu).sum()), float(of_tau @ tau)
    spread = float((mass * (mu - mean) ** 2).sum())
    return {
        "mu mean": mean,
        "mu sd": spread**0.5,
        "tau mean": mean_tau,
        "tau sd": float(of_tau @ (tau - mean_tau) ** 2) ** 0.5,
        "theta_new sd": (spread + float(of_tau @ tau**2)) ** 0.5,
    }
