"""Where a true effect lies given (mu, tau), at the nodes of a grid fit: normal or t kernels.

A kernel that is wide against the spacing of mu is summed over the nodes of mu. A narrow one moves
the density of mu, which is smooth on its scale, by the nodes of a rule for the kernel itself; of a
narrow t kernel the wide normal parts are summed, and the rest moves.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln

from bayesmeta.inference.plane import Plane
from bayesmeta.inference.spread import Mixed, count_nodes, log_t_rule
from bayesmeta.inference.surface import Surface
from bayesmeta.random_effects import StudentRandomEffects
from bayesmeta.scales import FloatArray

_WIDE = 1.3  # SDs of a normal kernel in spacings of mu, from which it is summed over them
_HERMITE = np.polynomial.hermite.hermgauss(48)
# shorter rules, with the largest SD of a normal kernel, times the highest frequency of what it
# moves, at which each is exact to 1e-14
_SHORT = [
    (np.polynomial.hermite.hermgauss(n), most) for n, most in ((6, 0.2), (12, 1.1), (24, 2.9))
]
_LEGENDRE = np.polynomial.legendre.leggauss(10)

type Rule = tuple[FloatArray, FloatArray]
type BoolArray = np.ndarray[tuple[int, ...], np.dtype[np.bool_]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Kernel:
    """A part of the distribution of a true effect about mu, at each node of (mu, tau).

    Attributes
    ----------
    scale : (tau,)
    df : float
        Of a t distribution; infinite for a normal one.
    log_share : (tau, mu, study), or (tau, mu, 1) for a new study
        Log weight of the part. For a study it is over L_i, so that ``share * density * g_i`` is
        its part of p(theta_i | mu, tau, data).
    """

    scale: FloatArray
    df: float
    log_share: FloatArray

    def log_density(self, z: FloatArray) -> FloatArray:
        """Log density at z scales from mu, times the scale."""
        if np.isinf(self.df):
            out: FloatArray = -0.5 * z**2 - 0.5 * np.log(2 * np.pi)
        else:
            half = (self.df + 1) / 2
            constant = gammaln(half) - gammaln(self.df / 2) - 0.5 * np.log(np.pi * self.df)
            out = constant - half * np.log1p(z**2 / self.df)
        return out

    def wide(self, plane: Plane, mass: FloatArray) -> BoolArray:
        """Nodes of tau at which the kernel is summed over the nodes of mu.

        The sum over nodes h apart is wrong by exp(-2 pi^2 (scale/h)^2) for a normal kernel, and by
        exp(-2 pi sqrt(df) scale/h) for a t kernel.
        """
        out: BoolArray = self.scale > max(_WIDE, 4.5 / np.sqrt(self.df)) * spacing(plane, mass)
        return out

    def split(self, scale: float, gap: float, *, finest: float = 0.0) -> tuple[Rule, Rule]:
        """Parts of a kernel that is narrow against a spacing `gap` of mu.

        Gives SDs and weights of its wide normal parts; and shifts and weights that stand for the
        rest of it, where it is integrated against a function that is smooth on the scale of `gap`.
        Of a function that even nodes `finest` apart would resolve a normal kernel needs fewer.
        """
        if np.isinf(self.df):
            none = np.empty(0), np.empty(0)
            short = (rule for rule, most in _SHORT if np.pi * scale <= most * finest)
            z, w = next(short, _HERMITE)
            return none, (np.sqrt(2) * scale * z, w / np.sqrt(np.pi))
        x, log_weight = log_t_rule(self.df, count_nodes(self.df))
        sd, weight = scale * np.exp(-0.5 * x), np.exp(log_weight)
        is_wide = sd > _WIDE * gap
        sums = sd[is_wide], weight[is_wide]
        sd, weight = sd[~is_wide], weight[~is_wide]
        if not len(sd) or scale == 0:
            return sums, (np.zeros(1), weight.sum(keepdims=True))
        z, w = _LEGENDRE
        ends = np.geomspace(
            0.5 * sd.min(), 8.5 * sd.max(), 2 + int(np.log(17 * sd.max() / sd.min()))
        )
        ends = np.concatenate([[0.0], ends])
        half = np.diff(ends)[:, None] / 2
        shift = (ends[:-1, None] + half * (1 + z)).reshape(-1)
        height = (np.exp(-0.5 * (shift[:, None] / sd) ** 2) / sd) @ weight / np.sqrt(2 * np.pi)
        height = height * (half * w).reshape(-1)
        kept = height > 1e-16
        shift, height = shift[kept], height[kept]
        return sums, (np.concatenate([-shift, shift]), np.concatenate([height, height]))


def spacing(plane: Plane, mass: FloatArray) -> FloatArray:
    """Largest distance of the nodes of mu that matter, for each node of tau (tau,)."""
    gap = _gaps(plane)
    matters = mass > 1e-10 * mass.max(axis=1, keepdims=True)
    out: FloatArray = (gap * matters).max(axis=1)
    return out


def finest_spacing(plane: Plane) -> FloatArray:
    """Least distance of the nodes of mu, for each node of tau (tau,)."""
    out: FloatArray = _gaps(plane).min(axis=1)
    return out


def _gaps(plane: Plane) -> FloatArray:
    """Distance of the nodes of mu at each of them, (tau, mu)."""
    if plane.of_mu is None:
        return np.zeros((plane.n_tau, 1))
    out: FloatArray = plane.x_step[:, None] * np.exp(plane.of_mu.log_slope(plane.x))
    return out


def study_kernels(surface: Surface) -> tuple[Kernel, ...]:
    """Kernels of the true effects of the studies."""
    plane, integral = surface.plane, surface.integral
    shape = (*plane.mu.shape, -1)
    over_l = -surface.log_likelihood.reshape(shape)
    if not isinstance(integral, Mixed):
        return (Kernel(scale=plane.tau, df=np.inf, log_share=over_l),)
    if isinstance(integral.form, StudentRandomEffects):
        return (Kernel(scale=plane.tau, df=integral.form.df, log_share=over_l),)
    log_share = integral.log_over_parts(*surface.pairs)
    sds = integral.part_sds(plane.tau)
    return tuple(
        Kernel(scale=sds[:, c], df=np.inf, log_share=log_share[..., c].reshape(shape))
        for c in (0, 1)
        if np.isfinite(log_share[..., c]).all()  # a known share of 0 or 1 leaves one part
    )


def new_kernels(surface: Surface) -> tuple[Kernel, ...]:
    """Kernels of the true effect of a new study."""
    plane, integral = surface.plane, surface.integral
    even = np.zeros((*plane.mu.shape, 1))
    if not isinstance(integral, Mixed):
        return (Kernel(scale=plane.tau, df=np.inf, log_share=even),)
    if isinstance(integral.form, StudentRandomEffects):
        return (Kernel(scale=plane.tau, df=integral.form.df, log_share=even),)
    share = integral.mean_share(*surface.pairs).reshape(even.shape)
    sds = integral.part_sds(plane.tau)
    with np.errstate(divide="ignore"):
        logs = np.log1p(-share), np.log(share)
    return tuple(Kernel(scale=sds[:, c], df=np.inf, log_share=logs[c]) for c in (0, 1))


def outlier_probability(surface: Surface) -> FloatArray | None:
    """Posterior probability of each study to be an outlier; None where there are none."""
    integral = surface.integral
    if not isinstance(integral, Mixed) or isinstance(integral.form, StudentRandomEffects):
        return None
    share, _ = integral.weigh_parts(*surface.pairs)
    out: FloatArray = surface.mass.reshape(-1) @ share[..., 1]
    return out
