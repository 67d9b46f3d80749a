"""How posteriors look at a prompt: by their numbers, not by the nodes that they are made of."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bayesmeta.inference.marginals import Marginal


class Shown:
    """Gives a marginal, of one parameter or of one for each study, a short representation."""

    __slots__ = ()

    def __repr__(self: "Marginal") -> str:
        return f"<{type(self).__name__}: {say_numbers(self)}>"


def say_numbers(marginal: "Marginal") -> str:
    """Say mean, sd and 95% interval of one parameter; of many, how many.

    Examples
    --------
    >>> import numpy as np
    >>> from bayesmeta.inference.marginals import NormalMixture
    >>> say_numbers(NormalMixture(means=np.zeros(1), sds=np.ones(1), weights=np.ones(1)))
    'mean 0, sd 1, 95% interval -1.96 to 1.96'
    """
    interval = marginal.interval()
    if interval.ndim > 1:
        return f"{len(interval)} studies"
    low, high = interval.tolist()
    mean, sd = float(marginal.mean), float(marginal.sd)
    return f"mean {mean:.4g}, sd {sd:.4g}, 95% interval {low:.4g} to {high:.4g}"
