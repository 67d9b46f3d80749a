"""A user's own study likelihoods: functions, or tables such as profile likelihoods."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Never

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bayesmeta.effects import Correction, Measure
from bayesmeta.errors import AccuracyError, ModelError, SamplingError
from bayesmeta.likelihoods.own_curves import (
    Curve,
    LogG,
    from_function,
    table_problems,
    tabulated,
)
from bayesmeta.likelihoods.splines import DEGREE
from bayesmeta.likelihoods.whitened import whitened_effects
from bayesmeta.scales import FloatArray
from bayesmeta.studies import StudyTable, read_studies

if TYPE_CHECKING:
    import pandas as pd
    from pytensor.tensor.variable import TensorVariable

    type Tensor = TensorVariable[Any, Any]

_NEGLIGIBLE = 34.0  # log units below its largest value at which a table may always end


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OwnData:
    """The curves of the studies, and the normal approximation of each, (study,).

    `breaks` are the points of theta where a curve may bend.
    """

    studies: tuple[str, ...]
    curves: tuple[Curve, ...]
    y: FloatArray
    se: FloatArray
    breaks: tuple[float, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def ends(self) -> FloatArray:
        """Where the tables end, (study, 2); infinite for functions."""
        return np.array([[curve.low, curve.high] for curve in self.curves])

    def take(self, index: Sequence[int] | NDArray[np.intp]) -> "OwnData":
        """Give the studies at `index`, in that order."""
        curves = tuple(self.curves[int(i)] for i in index)
        return _gather(curves, self.breaks)

    def constants(self) -> dict[str, NDArray[Any]]:
        """Nothing: what was observed is in the curves."""
        return {}

    def refuse_short(self, short: NDArray[np.bool_]) -> Never:
        """Refuse tables that end where the posterior still needs them.

        Raises
        ------
        AccuracyError
            With how far they must reach.
        """
        found = []
        for curve, sides in zip(self.curves, short, strict=True):
            for side, end in ((-1, curve.low), (1, curve.high)):
                if sides[(side + 1) // 2]:
                    reach = _needed(curve, side)
                    to = "" if reach is None else f", and about theta = {reach:.3g} would do"
                    found.append(f"that of {curve.study} ends at {end:.4g}{to}")
        raise AccuracyError(
            "Tables of log g end where the posterior still depends on them, and what they say "
            f"beyond is not known: {'; '.join(found)}. Give longer tables: an end that is "
            f"{_NEGLIGIBLE:g} below the largest log g is far enough; where log g stays flat the "
            "table must reach as far as the priors let the effects go"
        )

    def require_inside(self, theta: FloatArray) -> None:
        """Refuse draws of true effects (..., study) from beyond a table.

        Raises
        ------
        SamplingError
            Some are.
        """
        low, high = self.ends.T
        beyond = ((theta < low) | (theta > high)).reshape(-1, len(self.studies)).mean(axis=0)
        if beyond.any():
            names = ", ".join(
                f"{study} ({100 * share:.2g}%)"
                for study, share in zip(self.studies, beyond, strict=True)
                if share
            )
            raise SamplingError(
                f"NUTS drew true effects from beyond the tables of log g of {names}, where nothing "
                "is known. Give longer tables"
            )


@dataclass(frozen=True, slots=True, eq=False)
class OwnLikelihood:
    """Your own log likelihood of each study's true effect: a function, or a table.

    Use it for a profile likelihood read off a paper, or for any model of a study's data that
    bayesmeta does not have. A table is interpolated by a spline of degree 7; beyond its ends
    nothing is known, and a fit that depends on it is refused. NUTS takes the same spline, or one
    through the function: its agreement with the exact engine says nothing of the likelihood itself.

    Such a model is not written as text: it cannot be put in a comparison file.

    Parameters
    ----------
    curves : mapping
        Of each study's label: a function of theta (node,), on the analysis scale, that gives the
        log likelihood (node,); or a pair (theta, log g) of arrays (node,), theta increasing, of 8
        nodes or more. Constants that do not depend on theta only move the evidence.
    breaks : sequence of float
        Where a log likelihood bends sharply, such as 0. Tables need a node there, and 8 on each
        side. The exact engine takes one such point, NUTS any number.

    Raises
    ------
    ModelError
        A table is not usable; all problems are named.

    Examples
    --------
    >>> import bayesmeta as bm
    >>> theta = np.linspace(-4, 4, 41)
    >>> own = OwnLikelihood({
    ...     "A": lambda theta: -0.5 * ((theta - 0.3) / 0.2) ** 2,
    ...     "B": (theta, -0.5 * ((theta + 0.1) / 0.3) ** 2),
    ... })
    >>> model = bm.Model(measure="GEN", likelihood=own, effect=bm.Normal(0, 2),
    ...                  heterogeneity=bm.HalfNormal(0.5))
    >>> round(float(bm.fit(model, own.to_studies()).mu.mean), 3)
    0.136
    """

    curves: Mapping[str, LogG | tuple[ArrayLike, ArrayLike]]
    breaks: Sequence[float] = ()
    name: ClassVar[str] = "own"
    shared_by_roads: ClassVar[str] = (
        "Both took the studies' log likelihoods from the user, NUTS as a spline: their agreement "
        "is about the computation, and not an independent check of these likelihoods"
    )

    def __post_init__(self) -> None:
        if not isinstance(self.curves, Mapping):
            raise ModelError(
                "The log likelihoods must be given by study, as in "
                'OwnLikelihood({"Adams": lambda theta: ...}), not as a '
                f"{type(self.curves).__name__}"
            )
        if np.ndim(self.breaks) != 1:
            raise ModelError(f"breaks = {self.breaks!r} must be a sequence, such as (0.0,)")
        breaks = tuple(sorted({float(b) for b in self.breaks}))
        if not np.isfinite(breaks).all():
            raise ModelError(f"breaks = {self.breaks} must be finite numbers")
        object.__setattr__(self, "breaks", breaks)
        if not self.curves:
            raise ModelError('No log likelihood is given. Write OwnLikelihood({"study": ...})')
        found: dict[str, Any] = {}
        problems: list[str] = []
        for study, given in self.curves.items():
            if callable(given):
                found[study] = given
                continue
            try:
                theta, log_g = (np.array(part, dtype=np.float64) for part in given)
            except (TypeError, ValueError):
                problems.append(f"{study}: neither a function nor a pair (theta, log g) of numbers")
                continue
            problems.extend(table_problems(study, theta, log_g, breaks))
            found[study] = (theta, log_g)
        if problems:
            raise ModelError(f"The log likelihoods cannot be used. {'; '.join(problems)}")
        object.__setattr__(self, "curves", found)

    def __str__(self) -> str:
        return self.name

    @classmethod
    def from_frame(cls, frame: "pd.DataFrame", *, breaks: Sequence[float] = ()) -> "OwnLikelihood":
        """Take tables in long form: columns study, theta and log_g, one row for each node.

        Raises
        ------
        ModelError
            A column or the study of a row is missing, or a table is not usable.
        """
        missing = [name for name in ("study", "theta", "log_g") if name not in frame.columns]
        if missing:
            raise ModelError(
                f"The table lacks {', '.join(missing)}. It must have the columns study, theta and "
                "log_g, one row for each node"
            )
        nameless = [str(i) for i in frame.index[frame["study"].isna()]]
        if nameless:
            raise ModelError(f"No study is named in row {', '.join(nameless)}. Fill it in")
        tables = {
            str(study): (rows["theta"].to_numpy(), rows["log_g"].to_numpy())
            for study, rows in frame.groupby("study", sort=False)
        }
        return cls(tables, breaks=breaks)

    def to_studies(self) -> StudyTable:
        """Give the normal approximations as a table of estimates, whose labels `fit` can take."""
        import pandas as pd

        curves = [self._curve(study) for study in self.curves]
        rows = [[curve.study, curve.y, curve.se] for curve in curves]
        return read_studies(pd.DataFrame(rows, columns=["study", "estimate", "se"]))

    def _curve(self, study: str) -> Curve:
        given: Any = self.curves[study]
        breaks = tuple(self.breaks)
        if callable(given):
            return from_function(study, given)
        theta, log_g = given
        return tabulated(study, theta, log_g, breaks)

    def prepare(
        self,
        studies: StudyTable,
        measure: Measure,  # noqa: ARG002
        correction: Correction,  # noqa: ARG002
    ) -> OwnData:
        """Take the log likelihoods of the studies in a table, whose numbers are not looked at."""
        missing = [study for study in studies.studies if study not in self.curves]
        if missing:
            raise ModelError(
                f"No log likelihood is given for {', '.join(missing)}; there are those of "
                f"{', '.join(self.curves)}. Give them, or drop these studies"
            )
        return _gather(tuple(self._curve(study) for study in studies.studies), tuple(self.breaks))

    def log_g(self, data: OwnData, theta: FloatArray) -> FloatArray:
        """Log likelihood of each study at theta (study, node)."""
        return np.stack([curve(row) for curve, row in zip(data.curves, theta, strict=True)])

    def vanishes(self, data: OwnData) -> NDArray[np.bool_]:
        """Where a function tends to 0, or a table has fallen by 12 or more at its end."""
        return np.array([curve.vanishes for curve in data.curves])

    def tail_orders(self, data: OwnData) -> FloatArray:
        """G falls as ``|theta|**-order``, (study,); infinite where it falls faster."""
        return np.array([curve.order for curve in data.curves])

    def observe(self, data: OwnData, mu: "Tensor", tau: "Tensor", *, common: bool) -> None:
        """Add the splines of log g to the PyMC model in context, theta whitened."""
        import pymc as pm

        theta = whitened_effects(mu, tau, data.y, data.se, common=common)
        pm.Potential("log_g", _in_pymc(data, theta), dims="study")


def _gather(curves: tuple[Curve, ...], breaks: tuple[float, ...]) -> OwnData:
    errors = [curve.error for curve in curves]
    notes = ["the log likelihoods are the user's own"]
    if any(np.isfinite([curve.low, curve.high]).all() for curve in curves):
        notes.append(
            f"tables of log g are interpolated by a spline of degree {DEGREE}, whose error is "
            f"about {max(errors):.0e} at most (over 1 + how far log g is below its largest value)"
        )
    return OwnData(
        studies=tuple(curve.study for curve in curves),
        curves=curves,
        y=np.array([curve.y for curve in curves]),
        se=np.array([curve.se for curve in curves]),
        breaks=breaks,
        notes=("; ".join(notes),),
    )


def _needed(curve: Curve, side: int) -> float | None:
    """How far a table must reach to be far enough, if it goes on as it ends; None: no end."""
    end = curve.high if side > 0 else curve.low
    h = 1e-3 * curve.se
    f = curve(np.array([end - 2 * side * h, end - side * h, end, curve.y]))
    fall, bend = (f[1] - f[2]) / h, -(f[0] - 2 * f[1] + f[2]) / h**2
    left = _NEGLIGIBLE - (f[3] - f[2])
    if fall <= 0.1 / curve.se or left <= 0:
        return None
    bend = max(float(bend), 0.0)
    return float(end + side * 2 * left / (fall + np.sqrt(fall**2 + 2 * bend * left)))


def _in_pymc(data: OwnData, theta: "Tensor") -> "Tensor":
    """Give the splines at theta (study,); straight on beyond their ends."""
    import pytensor.tensor as pt

    splines = [curve.spline(data.breaks) for curve in data.curves]
    k, most = len(splines), max(len(spline.taylor) for spline in splines)
    inner = np.full((k, most), np.inf)  # nodes but the first and the last
    middle, half, taylor = np.zeros((k, most)), np.ones((k, most)), np.zeros((k, most, DEGREE + 1))
    for i, spline in enumerate(splines):
        n = len(spline.taylor)
        inner[i, : n - 1] = spline.nodes[1:-1]
        (middle[i, :n], half[i, :n]), taylor[i, :n] = spline.middles, spline.taylor
    interval = pt.ge(theta[:, None], inner).sum(axis=1)
    at = np.arange(k) * most + interval
    u = (theta - pt.as_tensor(middle.reshape(-1))[at]) / pt.as_tensor(half.reshape(-1))[at]
    inside = pt.clip(u, -1.0, 1.0)
    c = pt.as_tensor(taylor.reshape(-1, DEGREE + 1))[at]
    value, slope = c[:, DEGREE], pt.zeros(k)
    for power in range(DEGREE - 1, -1, -1):
        slope = slope * inside + value
        value = value * inside + c[:, power]
    out: Tensor = value + (u - inside) * slope
    return out
