"""A proper prior of tau that says little, in the unit of the data."""

import numpy as np

from bayesmeta.effects import Effects
from bayesmeta.priors import HalfCauchy


def vague_prior(effects: Effects) -> HalfCauchy:
    """Give a proper prior of tau that says little: half-Cauchy, its median the scale.

    On log ratios the scale is 1: true ratios of similar studies then differ by a factor of e for
    one SD, more than is seen in all but a few meta-analyses. Other measures have units, which
    only the data know: the scale is the largest standard error, to two figures. The heavy tail
    (as tau^-2) leaves a larger tau to the data, and is light enough that the posterior with a
    flat effect prior integrates for any number of studies, one included.

    References
    ----------
    Gelman (2006), Bayesian Analysis 1:515, sections 3.2 and 5.2; Polson and Scott (2012),
    Bayesian Analysis 7:887.

    Examples
    --------
    >>> import bayesmeta as bm
    >>> vague_prior(bm.compute_effects(bm.load("eight_schools"), "GEN"))
    HalfCauchy(scale=18.0)
    """
    if effects.measure.default_heterogeneity_prior is not None:
        return HalfCauchy(1.0)
    v = effects.S if effects.S.ndim == 1 else np.diagonal(effects.S)
    return HalfCauchy(float(f"{np.sqrt(v.max()):.1e}"))
