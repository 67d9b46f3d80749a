"""Everything that can go wrong, as one tree, and how a problem is told.

::

    BayesmetaError
    ├── StudyTableError        a study table cannot be read or used       (also ValueError)
    ├── ComparisonError        a comparison file cannot be read           (also ValueError)
    ├── PublishedRowError      a published row cannot be analysed         (also ValueError)
    ├── ModelError             an unknown or unfit measure, prior or likelihood (also ValueError)
    ├── DesignError            the design has no solution for these rows  (also ValueError)
    ├── NotEstimableError      a frequentist estimate does not exist      (also ValueError)
    ├── ImproperPosteriorError the posterior does not integrate           (also ValueError)
    ├── MomentError            a mean does not exist, or is not shown to
    ├── NotExactError          no exact engine for this model
    ├── AccuracyError          quadrature did not reach its tolerance
    └── SamplingError          the sampler could not run

A warning (`BayesmetaWarning`) means that the answer stands and something should be known about
it; the same sentence is in the result's notes.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One fault, where it is, and what to do about it.

    Attributes
    ----------
    what : str
        What is wrong.
    fix : str
        What to do about it.
    row : int or None
        Line of the file (the header is line 1), or row of a frame counted from 0; see `place`.
    column, study : str or None
        Column (or key of a comparison file) and study concerned.
    value : str or None
        The offending value, as it was written.
    place : str
        The word before `row`: "line" for files, "row" for frames.
    """

    what: str
    fix: str
    row: int | None = None
    column: str | None = None
    study: str | None = None
    value: str | None = None
    place: str = "line"

    def __str__(self) -> str:
        where = []
        if self.row is not None:
            where.append(f"{self.place} {self.row}")
        if self.study is not None:
            where.append(f"study {self.study!r}")
        if self.column is not None:
            where.append(self.column if self.value is None else f"{self.column} = {self.value}")
        elif self.value is not None:
            where.append(self.value)
        head = ", ".join(where)
        return f"{head}: {self.what}. {self.fix}" if head else f"{self.what}. {self.fix}"

    def as_dict(self) -> dict[str, object]:
        """Give the problem as plain data, for JSON."""
        return {
            key: value
            for key, value in asdict(self).items()
            if key in ("row", "column", "study", "value", "what", "fix")
        }


class BayesmetaError(Exception):
    """Base of all errors of this package; `problems` lists what was wrong, as data."""

    def __init__(self, message: str, problems: Sequence[Problem] = ()) -> None:
        self.message = message
        self.problems = tuple(problems)
        super().__init__("\n  ".join([message, *map(str, self.problems)]))


class StudyTableError(BayesmetaError, ValueError):
    """A study table cannot be read or used; nothing was fitted."""


class ComparisonError(BayesmetaError, ValueError):
    """A comparison file cannot be read; nothing was fitted."""


class PublishedRowError(BayesmetaError, ValueError):
    """A published row cannot be analysed; nothing was fitted."""


class ModelError(BayesmetaError, ValueError):
    """An unknown measure, prior or likelihood, or parts of a model that do not fit together."""


class DesignError(BayesmetaError, ValueError):
    """The design matrix leaves nothing to estimate from these rows."""


class NotEstimableError(BayesmetaError, ValueError):
    """A frequentist estimate does not exist for these data."""


class ImproperPosteriorError(BayesmetaError, ValueError):
    """The posterior does not integrate to a finite number under these priors."""


class MomentError(BayesmetaError):
    """A mean does not exist, or has not been shown to; medians and quantiles do."""


class NotExactError(BayesmetaError):
    """No exact engine covers this model; the message says which engine does."""


class AccuracyError(BayesmetaError):
    """The quadrature did not reach its tolerance; the message gives the error reached."""


class SamplingError(BayesmetaError):
    """The sampler could not start or finish."""


class BayesmetaWarning(UserWarning):
    """The answer stands, but something about it should be known; also in the result's notes."""
