"""NUTS runs without a sampler: exact draws, dressed as a NUTS posterior."""

from dataclasses import dataclass, replace

import numpy as np

from bayesmeta.inference.marginals import Empirical
from bayesmeta.inference.posterior import Diagnostics, Draws, Posterior

GOOD_RUN = Diagnostics(
    rhat=1.001,
    ess_bulk=5000.0,
    ess_tail=4000.0,
    bfmi=1.0,
    divergences=0,
    max_depth=0,
    chains=4,
    draws=2000,
    tune=1000,
    target_accept=0.9,
    seed=1,
    seconds=1.0,
    failures=(),
)


@dataclass(frozen=True)
class HeldDraws:
    draws: Draws

    def draw(self, *_):
        return self.draws

    def log_likelihood(self, *_):
        return None

    def sample_stats(self):
        return None


def as_nuts(exact: Posterior, *, shift=0.0, accuracy=GOOD_RUN, draws=8000, seed=1) -> Posterior:
    """Independent draws of the exact posterior, mu moved by `shift`, as if NUTS had made them."""
    kept = exact.joint.draw(draws, np.random.default_rng(seed))
    kept = replace(kept, mu=kept.mu + shift)
    return replace(
        exact,
        engine="nuts",
        mu=Empirical(draws=kept.mu.reshape(-1)),
        tau=Empirical(draws=kept.tau.reshape(-1)),
        theta_new=Empirical(draws=kept.theta_new.reshape(-1)),
        theta=Empirical(draws=np.moveaxis(kept.theta, -1, 0).reshape(kept.theta.shape[-1], -1)),
        log_marginal_likelihood=None,
        accuracy=accuracy,
        joint=HeldDraws(kept),
    )
