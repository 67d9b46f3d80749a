"""Whether the posterior integrates, and which of its moments exist.

The rule (docs/methods has its derivation). Let a study *vanish* at an end of the line where its
likelihood g(theta) tends to 0 there; elsewhere g tends to a constant (a zero cell). With a flat
effect prior at least one study must vanish at each end. As tau grows, each study that vanishes at
both ends gives the factor 1/tau to the marginal likelihood of tau, a flat effect prior gives back
one factor tau, and the heterogeneity prior falls as tau^-a. So the posterior of tau falls as
tau^-r with r = a + (vanishing studies) - (1 if the effect prior is flat): it is proper if r > 1,
and has a moment of order m if r > m + 1.
"""

import math
from dataclasses import dataclass

from bayesmeta.errors import ImproperPosteriorError
from bayesmeta.model import BoundModel, has_known_tau


@dataclass(frozen=True, slots=True, kw_only=True)
class TailOrder:
    """How the posterior of tau falls: as ``tau**-order``.

    Attributes
    ----------
    order : float
        Infinite where it falls faster than any power, or where tau is bounded or known.
    flat_effect : bool
        Whether mu inherits the tail of tau.
    """

    order: float
    flat_effect: bool

    def has_moment(self, m: int, *, of_mu: bool = False) -> bool:
        """Tell whether tau (and theta_new; or mu) has a moment of order `m`."""
        return self.order > m + 1 or (of_mu and not self.flat_effect)


def find_tail_order(bound: BoundModel) -> TailOrder:
    """Decide propriety and the order of the tail of tau.

    Raises
    ------
    ImproperPosteriorError
        The posterior has no finite integral; the message says why and what to do.
    """
    vanishes = bound.model.likelihood.vanishes(bound.data)
    flat = not bound.model.effect.proper
    if flat and not vanishes.any(axis=0).all():
        side = "low" if not vanishes[:, 0].any() else "high"
        raise ImproperPosteriorError(
            f"With a flat effect prior the posterior does not integrate: no study rules out "
            f"arbitrarily {side} effects (all have a zero cell on that side). "
            "Use a proper effect prior, such as normal(0, 2.82) for a log ratio"
        )
    order = math.inf
    if not has_known_tau(bound.model):
        both = int(vanishes.all(axis=1).sum())
        order = bound.model.heterogeneity.tail_order + both - int(flat)
    if not order > 1:
        raise ImproperPosteriorError(
            f"With effect prior {bound.model.effect} and heterogeneity prior "
            f"{bound.model.heterogeneity} the posterior of tau does not integrate for "
            f"{len(bound.studies)} studies (it falls as tau^-{order:g}; more than tau^-1 is "
            "needed). Use a proper heterogeneity prior, such as half_normal(0.5) for a log ratio"
        )
    return TailOrder(order=order, flat_effect=flat)
