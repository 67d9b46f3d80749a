"""Whether the posterior integrates, and which of its moments exist.

The rule. A study *vanishes* at an end of the line where its likelihood g(theta) tends to 0 there;
elsewhere g tends to a constant (a zero cell). With a flat effect prior at least one study must
vanish at each end. As tau grows, with mu of the order of tau, each study that vanishes at both ends
gives the factor 1/tau; an effect prior that falls as |mu|^-b gives tau^(1 - b) (b = 0 where it is
flat), and one that keeps mu bounded gives 1. So, if the heterogeneity prior falls as tau^-a and n
studies vanish at both ends, the posterior of tau falls as tau^-r with r = a + n + min(0, b - 1). It
is proper if r > 1; tau has a moment of order m if r > m + 1, and mu if a + n + b - 1 > m + 1 and,
where no study vanishes at one of the ends, b > m + 1 (mu's own tail is then the prior's). Where the
studies' likelihoods fall as powers themselves (t likelihoods), of orders that add up to c, mu also
needs b + c > m + 1.
"""

import math
from dataclasses import dataclass

from bayesmeta.errors import ImproperPosteriorError
from bayesmeta.model import BoundModel, has_known_tau
from bayesmeta.priors import Prior
from bayesmeta.random_effects import StudentRandomEffects, TruncatedRandomEffects


@dataclass(frozen=True, slots=True, kw_only=True)
class TailOrder:
    """How the posteriors fall: as ``tau**-of_tau`` and ``|mu|**-of_mu``.

    Given (mu, tau) the effect of a new study falls as ``|theta|**-of_new``.

    Infinite where a posterior falls faster than any power, or is bounded or known.
    """

    of_tau: float
    of_mu: float
    of_new: float = math.inf

    @property
    def highest_moment(self) -> int:
        """Highest order, up to 2, of a moment that mu, tau and theta_new all have."""
        return max(m for m in (0, 1, 2) if m == 0 or self.has_moment(m))

    def has_moment(self, m: int, *, of_mu: bool = False) -> bool:
        """Tell whether mu alone, or all of mu, tau and theta_new have a moment of order `m`."""
        return self.of_mu > m + 1 and (of_mu or self.of_tau > m + 1)


def order_tails(
    effect: Prior, heterogeneity: Prior, *, vanishing: int, known_tau: bool
) -> TailOrder:
    """Orders of the tails when `vanishing` studies vanish at both ends, by the rule above."""
    if known_tau:
        return TailOrder(of_tau=math.inf, of_mu=math.inf)
    a, b = heterogeneity.tail_order, effect.tail_order
    return TailOrder(of_tau=a + vanishing + min(0.0, b - 1), of_mu=a + vanishing + b - 1)


def find_tail_order(bound: BoundModel) -> TailOrder:
    """Decide propriety and the order of the tails.

    Raises
    ------
    ImproperPosteriorError
        The posterior has no finite integral; the message says why and what to do.
    """
    effect, heterogeneity = bound.model.effect, bound.model.heterogeneity
    vanishes = bound.model.likelihood.vanishes(bound.data)
    bounded = vanishes.any(axis=0)
    if not effect.proper and not bounded.all():
        side = "high" if bounded[0] else "low"
        raise ImproperPosteriorError(
            f"With a flat effect prior the posterior does not integrate: no study rules out "
            f"arbitrarily {side} effects (all have a zero cell on that side). "
            "Use a proper effect prior, such as normal(0, 2.82) for a log ratio"
        )
    if isinstance(bound.model.random_effects, TruncatedRandomEffects):
        return _bounded_tails(bound)
    tails = order_tails(
        effect,
        heterogeneity,
        vanishing=int(vanishes.all(axis=1).sum()),
        known_tau=has_known_tau(bound.model),
    )
    if not tails.of_tau > 1:
        raise ImproperPosteriorError(
            f"With effect prior {effect} and heterogeneity prior {heterogeneity} the posterior of "
            f"tau does not integrate for {len(bound.studies)} studies: it falls as "
            f"tau^({-tails.of_tau:g}), and must fall faster than tau^-1. "
            "Use a proper heterogeneity prior, such as half_normal(0.5) for a log ratio"
        )
    of_likelihoods = _order_of_likelihoods(bound)
    of_mu, of_new = min(tails.of_mu, effect.tail_order + of_likelihoods), math.inf
    form = bound.model.random_effects
    if isinstance(form, StudentRandomEffects) and heterogeneity.support != (0, 0):
        of_new = form.df + 1
        of_mu = min(of_mu, int(vanishes.all(axis=1).sum()) * of_new + effect.tail_order)
    if not bounded.all():
        of_mu = min(of_mu, effect.tail_order)
    return TailOrder(of_tau=tails.of_tau, of_mu=of_mu, of_new=of_new)


def _bounded_tails(bound: BoundModel) -> TailOrder:
    """Where true effects are bounded L_i tends to a constant as tau grows: the prior decides."""
    order = math.inf if has_known_tau(bound.model) else bound.model.heterogeneity.tail_order
    if not order > 1:
        raise ImproperPosteriorError(
            f"Under the heterogeneity prior {bound.model.heterogeneity} the posterior of tau does "
            f"not integrate: {bound.measure.name} is bounded, so no data rule out a large tau. "
            "Use a proper prior, such as half_normal(0.1)"
        )
    return TailOrder(of_tau=order, of_mu=math.inf)


def _order_of_likelihoods(bound: BoundModel) -> float:
    """Order of the power as which all studies' likelihoods together fall; infinite: faster."""
    tail_orders = getattr(bound.model.likelihood, "tail_orders", None)
    return math.inf if tail_orders is None else float(tail_orders(bound.data).sum())


def moment_note(tails: TailOrder) -> tuple[str, ...]:
    """Say which moments do not exist; nothing where all do."""
    if tails.has_moment(2):
        return ()
    falls = [f"{name} as {name}^({-order:g})" for name, order in
             (("tau", tails.of_tau), ("mu", tails.of_mu)) if not order > 3]  # fmt: skip
    return (
        f"the posterior of {' and of '.join(falls)} falls so slowly that some means or SDs do not "
        "exist and are not given; medians and intervals are",
    )
