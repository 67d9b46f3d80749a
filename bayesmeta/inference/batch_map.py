"""The lines of mu of a batch of data sets, one for each of their nodes of tau."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from bayesmeta.inference.plane import BEND
from bayesmeta.inference.quadrature import SinhMap, SupportMap
from bayesmeta.scales import FloatArray

_WIDEST = 1.0  # scale on the line of the bounds: there the whole interval is some 7 long


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BatchMap:
    """A `SinhMap` onto mu, or onto the line of the bounds within which mu lies.

    Attributes
    ----------
    onto : SinhMap
        Its centre and scale have the leading shape of the points that are mapped.
    bounds : SupportMap or None
    """

    onto: SinhMap
    bounds: SupportMap | None

    @classmethod
    def about(cls, center: FloatArray, scale: FloatArray, bounds: SupportMap | None) -> "BatchMap":
        """About where mu lies, and how widely it is spread there."""
        if bounds is not None:
            center = bounds.line(center)
            scale = np.minimum(scale * np.exp(-bounds.log_slope(center)), _WIDEST)
        return cls(onto=SinhMap(center=center, scale=scale, bend=BEND), bounds=bounds)

    def take(self, index: Any) -> "BatchMap":
        """Give the lines at `index`."""
        onto = SinhMap(center=self.onto.center[index], scale=self.onto.scale[index], bend=BEND)
        return BatchMap(onto=onto, bounds=self.bounds)

    def point(self, x: FloatArray) -> FloatArray:
        """From the line to mu; x (..., node)."""
        inner = self.onto.point(x)
        return inner if self.bounds is None else self.bounds.point(self._within(inner))

    def log_slope(self, x: FloatArray) -> FloatArray:
        """Logarithm of the derivative of `point`."""
        slope = self.onto.log_slope(x)
        if self.bounds is None:
            return slope
        return slope + self.bounds.log_slope(self._within(self.onto.point(x)))

    def line(self, value: FloatArray) -> FloatArray:
        """From mu to the line; bounds go to -inf and inf."""
        return self.onto.line(value if self.bounds is None else self.bounds.line(value))

    def _within(self, inner: FloatArray) -> FloatArray:
        """Keep to what floats can tell from the bounds: beyond it there is no mass."""
        assert self.bounds is not None
        low, _, high = self.bounds.scan
        return np.clip(inner, low, high)
