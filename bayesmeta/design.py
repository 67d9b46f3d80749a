"""The design of the linear predictor: theta = X beta + Z u."""

from dataclasses import dataclass

import numpy as np

from bayesmeta.scales import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Design:
    """Columns of the linear predictor and their names.

    Attributes
    ----------
    X : (row, coefficient)
        Design matrix of full column rank.
    names : tuple of str
        Name of each coefficient; ``("mu",)`` where X is one column of ones.
    """

    X: FloatArray
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        self.X.setflags(write=False)


def build_design(rows: int) -> Design:
    """Design of the plain random-effects model: one column of ones.

    Examples
    --------
    >>> build_design(3).X.shape
    (3, 1)
    """
    return Design(X=np.ones((rows, 1)), names=("mu",))
