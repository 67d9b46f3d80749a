"""Analysis scales: how an effect is analysed, and how it is shown."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

type FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """The map between the analysis scale and the natural one.

    Attributes
    ----------
    name : str
        Name of the analysis scale: "log", "identity", "logit", "fisher z" or "arcsine".
    to_natural, from_natural : callable
        Increasing maps of arrays, analysis -> natural and back; strictly so, but for "arcsine",
        which is 0 below 0 and 1 above pi/2.
    """

    name: str
    to_natural: Callable[[FloatArray], FloatArray]
    from_natural: Callable[[FloatArray], FloatArray]


def _identity(x: FloatArray) -> FloatArray:
    return x


LOG = Scale(name="log", to_natural=np.exp, from_natural=np.log)
IDENTITY = Scale(name="identity", to_natural=_identity, from_natural=_identity)
LOGIT = Scale(name="logit", to_natural=expit, from_natural=logit)


def _from_arcsine(x: FloatArray) -> FloatArray:
    out: FloatArray = np.sin(np.clip(x, 0, np.pi / 2)) ** 2
    return out


def _to_arcsine(p: FloatArray) -> FloatArray:
    out: FloatArray = np.arcsin(np.sqrt(p))
    return out


FISHER_Z = Scale(name="fisher z", to_natural=np.tanh, from_natural=np.arctanh)
ARCSINE = Scale(name="arcsine", to_natural=_from_arcsine, from_natural=_to_arcsine)
