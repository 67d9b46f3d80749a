"""True study effects and joint draws of a grid fit."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from bayesmeta.inference.integrate import StudyIntegral
from bayesmeta.inference.marginals import IntervalKind, SincDensity
from bayesmeta.inference.posterior import Draws
from bayesmeta.model import BoundModel
from bayesmeta.scales import FloatArray


class StudyEffects:
    def __init__(self,**k): pass
class GridJoint(StudyEffects): pass
