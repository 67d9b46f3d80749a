"""Two-by-two tables, as the binomial and the conditional likelihood take them."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayesmeta.effects import MEASURES
from bayesmeta.likelihoods.requirements import require_independence
from bayesmeta.likelihoods.risks import RiskMeasure
from bayesmeta.likelihoods.special import log_choose
from bayesmeta.scales import FloatArray
from bayesmeta.studies import StudyTable

_FEW = 25  # events (or non-events) of a study from which its likelihood is smooth at 0
_LOCATION = (
    "risk differences lie in (-1, 1): the true effects are normal about mu with SD tau, cut to it "
    "and normalised, and so is the prior of mu; mu is their location, the mean of theta_new theirs"
)
_COUNTS = ("events_treated", "n_treated", "events_control", "n_control")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BinomialData:
    """Events and sizes of two arms, one row a study; all arrays (study,).

    `y` and `se` are the effect and its standard error with 1/2 added to every cell: where the
    engines look first, never what they compute.
    """

    studies: tuple[str, ...]
    measure: RiskMeasure
    events_treated: FloatArray
    n_treated: FloatArray
    events_control: FloatArray
    n_control: FloatArray
    y: FloatArray
    se: FloatArray
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, studies: StudyTable, measure: RiskMeasure, *, likelihood: str) -> "BinomialData":
        """Take the counts of a table as they are; persons and arms must be independent."""
        require_independence(likelihood, studies)
        counts = studies.two_arm()
        arrays = {name: getattr(counts, name).astype(np.float64) for name in _COUNTS}
        a, c = arrays["events_treated"], arrays["events_control"]
        cells = np.stack([a, arrays["n_treated"] - a, c, arrays["n_control"] - c]) + 0.5
        formula = MEASURES[measure].compute
        assert formula is not None  # measures of counts have one
        y, v = formula(*cells)
        notes = (_LOCATION,) if measure == "RD" else ()
        return cls(studies=counts.study, measure=measure, y=y, se=np.sqrt(v), notes=notes, **arrays)

    @property
    def domain(self) -> tuple[float, float] | None:
        """Bounds of the effect, where it has any."""
        return (-1.0, 1.0) if self.measure == "RD" else None

    @property
    def ends(self) -> FloatArray | None:
        """How far the likelihood of a risk difference matters towards -1 and 1, (study, 2).

        It is no more than the binomial coefficients times the distance to a bound to the power of
        what speaks against risks of 0 and 1 there; at these points that is e^-34. It matters
        further where other studies say so: see `last_ends`.
        """
        if self.measure != "RD":
            return None
        log_room = -(34 + self.log_coefficient[:, None]) / np.maximum(self._against, 1e-3)
        room = np.maximum(np.exp(log_room), self._least_room)
        out: FloatArray = np.array([-1.0, 1.0]) * (1 - room)
        return out

    @property
    def last_ends(self) -> FloatArray | None:
        """How far the likelihood of a risk difference can be computed towards -1 and 1, (study, 2).

        The distance to a bound has few digits there, and something speaks against most bounds.
        """
        if self.measure != "RD":
            return None
        out: FloatArray = np.array([-1.0, 1.0]) * (1 - self._least_room)
        return out

    @property
    def _against(self) -> FloatArray:
        """Persons who speak against an effect of -1, and of 1, (study, 2)."""
        return np.stack(
            [
                self.events_treated + self.n_control - self.events_control,
                self.events_control + self.n_treated - self.events_treated,
            ],
            axis=1,
        )

    @property
    def _least_room(self) -> FloatArray:
        """Least distance to -1 and to 1, (study, 2)."""
        return np.where(self._against > 0, 1e-9, 1e-14)

    @property
    def rough(self) -> "NDArray[np.bool_] | None":
        """Where the likelihood is rough at 0: few events, or few non-events; but for odds ratios.

        Where both risks may be tiny, that of a risk difference depends on the logarithm of theta
        near 0: it has as many derivatives there as there are events. Where both may be nearly 1 so
        do those of a risk difference and of a risk ratio, with non-events.
        """
        if self.measure == "OR":
            return None
        events = self.events_treated + self.events_control
        others = self.n_treated + self.n_control - events
        return (np.minimum(events, others) if self.measure == "RD" else others) < _FEW

    @property
    def breaks(self) -> tuple[float, ...]:
        """Where likelihoods that are `rough` bend sharply."""
        return () if self.rough is None or not self.rough.any() else (0.0,)

    @property
    def cells(self) -> FloatArray:
        """Events and non-events of the treated, then of the control arm, 1/2 added; (4, study)."""
        a, c = self.events_treated, self.events_control
        return np.stack([a, self.n_treated - a, c, self.n_control - c]) + 0.5

    @property
    def one_sided(self) -> FloatArray:
        """-1 where nobody in either arm had the event, 1 where everybody had, else 0; (study,)."""
        events = self.events_treated + self.events_control
        out: FloatArray = 1.0 * (events == self.n_treated + self.n_control) - (events == 0)
        return out

    @property
    def log_coefficient(self) -> FloatArray:
        """Log of the two binomial coefficients' product, (study,)."""
        treated = log_choose(self.n_treated, self.events_treated)
        return treated + log_choose(self.n_control, self.events_control)

    def take(self, index: Sequence[int] | NDArray[np.intp]) -> "BinomialData":
        """Give the studies at `index`, in that order."""
        return take_rows(self, index)

    def constants(self) -> dict[str, NDArray[Any]]:
        """Give the counts, as observed."""
        return {name: getattr(self, name) for name in _COUNTS}


def take_rows[Data](data: Data, index: Sequence[int] | NDArray[np.intp]) -> Data:
    """Give the same data with the studies at `index`: their labels, and rows of every array."""
    i = np.asarray(index, dtype=np.intp)
    changed: dict[str, Any] = {}
    for part in fields(data):  # type: ignore[arg-type]
        value = getattr(data, part.name)
        changed[part.name] = value[i] if isinstance(value, np.ndarray) else value
    changed["studies"] = tuple(changed["studies"][j] for j in i)
    return type(data)(**changed)
