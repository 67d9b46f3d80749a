"""What a study likelihood offers to the engines."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from bayesmeta.effects import Correction, Measure
from bayesmeta.scales import FloatArray
from bayesmeta.studies import StudyTable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from pytensor.tensor.variable import TensorVariable


class StudyData(Protocol):
    """The data of one comparison, ready for a likelihood.

    Attributes
    ----------
    studies : tuple of str
        Study labels.
    y, se : (study,)
        A normal approximation of each study's likelihood, on the analysis scale: where the engines
        look first, never what they compute. (For the normal likelihood it is the likelihood.)
    notes : tuple of str
        What was done to the data on the way, such as a zero-cell correction.
    """

    @property
    def studies(self) -> tuple[str, ...]:
        """Study labels."""
        ...

    @property
    def y(self) -> FloatArray:
        """Approximate effects, (study,)."""
        ...

    @property
    def se(self) -> FloatArray:
        """Their approximate standard errors, (study,)."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """What was done to the data on the way."""
        ...

    def take(self, index: "Sequence[int] | NDArray[np.intp]") -> "StudyData":
        """Give the data of the studies at `index`, in that order."""
        ...

    def constants(self) -> "dict[str, NDArray[Any]]":
        """Give the observed numbers by name, one array (study,) each, for `observed_data`."""
        ...


class Likelihood(Protocol):
    """p(data_i | theta_i), the nuisance parameters of study i integrated out.

    The exact and the sampled statement stand side by side in one file and share only the data.
    `str(likelihood)` is its name in tables; `as_text()` what a comparison file holds.
    """

    @property
    def name(self) -> str:
        """Name in tables and comparison files."""
        ...

    def prepare(self, studies: StudyTable, measure: Measure, correction: Correction) -> StudyData:
        """Turn a study table into data; raises ModelError where they do not fit."""
        ...

    def log_g(self, data: Any, theta: FloatArray) -> FloatArray:
        """Log likelihood of each study, `theta` (study, node) -> (study, node)."""
        ...

    def vanishes(self, data: Any) -> "NDArray[np.bool_]":
        """Tell where g tends to 0, (study, 2): at theta -> -inf and at theta -> +inf."""
        ...

    def observe(
        self,
        data: Any,
        mu: "TensorVariable[Any, Any]",
        tau: "TensorVariable[Any, Any]",
        *,
        common: bool,
    ) -> None:
        """Add the studies to the PyMC model in context; `common` means that tau is fixed at 0."""
        ...
