"""Maps whose nodes crowd at a point where a likelihood is rough.

A risk difference's likelihood has a kink at 0 where both risks may be tiny, smooth only in the
logarithm of the distance to it (see `BinomialData.rough`); a user's own may break anywhere. The
trapezoid rule and splines keep
their accuracy across it where the nodes come closer to it like a geometric series.
"""

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from bayesmeta.inference.quadrature import SupportMap
from bayesmeta.scales import FloatArray


class LineMap(Protocol):
    """A smooth increasing map from the line to a parameter; `SupportMap` and `SinhMap` are."""

    def point(self, x: FloatArray) -> FloatArray:
        """From the line to the parameter."""
        ...

    def line(self, value: FloatArray) -> FloatArray:
        """From the parameter to the line."""
        ...

    def log_slope(self, x: FloatArray) -> FloatArray:
        """Logarithm of the derivative of `point`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CrowdedMap:
    """``x = base.line(value) + weight * arsinh((value - at) / near)``.

    The nodes are those of `base` far from `at`, and as close to each other as `step / weight`
    times their distance from it near `at`. All of at, near, weight broadcast against the points.
    """

    base: LineMap
    near: FloatArray
    weight: FloatArray
    at: float = 0.0
    _solved: list[tuple[FloatArray, FloatArray, FloatArray]] = field(
        default_factory=list, init=False, repr=False
    )

    def line(self, value: FloatArray) -> FloatArray:
        """From the parameter to the line."""
        x: FloatArray = self.weight * np.arcsinh((value - self.at) / self.near)
        return self.base.line(value) + x

    def point(self, x: FloatArray) -> FloatArray:
        """From the line to the parameter."""
        x = np.asarray(x, dtype=float)
        at_end = np.isinf(x)
        if at_end.all():
            return self.base.point(x)
        inner = self._solve(np.where(at_end, 0.0, x))[1]
        return np.where(at_end, self.base.point(x), inner) if at_end.any() else inner

    def log_slope(self, x: FloatArray) -> FloatArray:
        """Logarithm of the derivative of `point`."""
        v, value = self._solve(np.asarray(x, dtype=float))
        return self._log_slope(v, value)

    def log_slope_at(self, value: FloatArray) -> FloatArray:
        """Logarithm of the derivative of `point`, where that gives `value`."""
        return self._log_slope(self.base.line(value), value)

    def _log_slope(self, v: FloatArray, value: FloatArray) -> FloatArray:
        crowd = self.weight / np.hypot(value - self.at, self.near)
        log_plain = self.base.log_slope(v)
        out: FloatArray = log_plain - np.log1p(crowd * np.exp(log_plain))
        return out

    def _solve(self, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Point on the line of `base`, and the parameter, for each x.

        By Newton steps within a bracket for y, where the parameter is at + near * sinh(y); far
        from `at`, where the base's own line is the better coordinate, by steps on that from there.
        """
        if not np.any(self.weight):
            return x, self.base.point(x)
        for asked, v, value in self._solved:  # the nodes of a plane are asked for again and again
            if np.array_equal(asked, x):
                return v, value
        v, value = self._search(x)
        self._solved[:] = [(x, v, value)]
        return v, value

    def _search(self, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        begin = self.base.line(np.asarray(self.at, dtype=float))
        rest, plain = x - begin, self.base.point(x)
        side, size = np.where(rest < 0, -1.0, 1.0), np.abs(rest)
        weight = np.where(self.weight > 0, self.weight, 1.0)
        # either term alone would go further
        high = np.minimum(size / weight, np.arcsinh(np.abs(plain - self.at) / self.near))
        low, y = np.zeros_like(high), high
        for _ in range(100):
            value = self.at + side * self.near * np.sinh(y)
            along = self.base.line(value)
            with np.errstate(invalid="ignore", over="ignore"):
                miss = side * (along - begin) + weight * y - size
                rise = self.near * np.cosh(y) * np.exp(-self.base.log_slope(along)) + weight
                move = y - miss / rise
            low, high = np.where(miss < 0, y, low), np.where(miss < 0, high, y)
            move = np.where((move >= low) & (move <= high), move, 0.5 * (low + high))
            settled = bool((np.abs(move - y) <= 1e-8).all())  # Newton steps: 1e-16 after this one
            y = move
            if settled:
                break
        value = self.at + side * self.near * np.sinh(y)
        v = self.base.line(value)
        for _ in range(3):
            v, value = self._step(x, v, value)
        off = self.weight <= 0
        return np.where(off, x, v), np.where(off, plain, value)

    def _step(
        self, x: FloatArray, v: FloatArray, value: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Take a Newton step on the base's line where that is the better coordinate."""
        away = value - self.at
        v = np.where(np.isfinite(v), v, x - self.weight * np.arcsinh(away / self.near))
        crowd = self.weight * np.exp(self.base.log_slope(v)) / np.hypot(away, self.near)
        miss = v + self.weight * np.arcsinh(away / self.near) - x
        far = crowd < 1
        moved = np.where(far, v - miss / (1 + crowd), v)
        return moved, np.where(far, self.base.point(moved), value)

    @property
    def scan(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Where to begin to look, as the base says; for each row of weights."""
        ends = self.base.scan if isinstance(self.base, SupportMap) else (-700.0, 700.0, 700.0)
        low, high, last = (
            (v + self.weight * np.arcsinh((self.base.point(x) - self.at) / self.near))[..., 0]
            for v, x in ((v, np.full_like(self.weight, v)) for v in ends)
        )
        return low, high, last
