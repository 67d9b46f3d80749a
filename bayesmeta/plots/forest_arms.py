"""What a forest plot prints of the data of each study: arms, and columns of the user's choice."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayesmeta.digits import choose_decimals, show
from bayesmeta.errors import Problem, StudyTableError
from bayesmeta.plots.intervals import split_heads
from bayesmeta.scales import FloatArray
from bayesmeta.studies import StudyTable
from bayesmeta.studies.refusal import did_you_mean


@dataclass(frozen=True, slots=True, kw_only=True)
class Texts:
    """A column: its key, its heading, a text for each study; and the counts, if that is what it is.

    Counts can be added up, over all studies or those of a group.
    """

    key: str
    head: str
    texts: tuple[str, ...]
    counts: tuple[float, ...] = ()

    def total(self, members: Sequence[int] | None = None) -> str:
        """Add the counts of these studies up, or of all; "" where there are none."""
        kept = self.counts if members is None else [self.counts[i] for i in members if self.counts]
        return _count(sum(kept)) if kept else ""


def arm_columns(studies: StudyTable | None, *, split: bool) -> tuple[Texts, ...]:
    """Give what was observed in each arm; nothing for estimates, which have none.

    Parameters
    ----------
    studies : StudyTable or None
    split : bool
        Whether each number has a column of its own.
    """
    if studies is None:
        return ()
    parts = list(_parts(studies))
    columns = []
    for i, part in enumerate(parts):
        name = split_heads([part.arm])[0]
        if split:
            for j, (what, texts, counts) in enumerate(part.numbers):
                head = f"{name}\n{what}" if part.arm else what
                columns.append(Texts(key=f"arm {i} {j}", head=head, texts=texts, counts=counts))
        else:
            texts = tuple(part.joint.format(*row) for row in zip(*part.texts, strict=True))
            head = f"{name}\n{part.what}" if part.arm and part.what else name or part.what
            columns.append(Texts(key=f"arm {i}", head=head, texts=texts))
    return tuple(columns)


type _Numbers = tuple[str, tuple[str, ...], tuple[float, ...]]  # what, texts, counts if so


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """One arm: what its numbers are called, and how they are written in one text."""

    arm: str
    numbers: tuple[_Numbers, ...]
    joint: str
    what: str = ""

    @property
    def texts(self) -> tuple[tuple[str, ...], ...]:
        return tuple(texts for _, texts, _ in self.numbers)


def _parts(studies: StudyTable) -> Iterator[_Part]:
    arms = studies.arms or ("", "")
    numbers: tuple[_Numbers, ...]
    if studies.layout == "binary" and studies.arms is not None:
        c = studies.two_arm()
        for arm, x, n in zip(
            arms, (c.events_treated, c.events_control), (c.n_treated, c.n_control), strict=True
        ):
            yield _Part(arm=arm, numbers=(_counts("events", x), _counts("n", n)), joint="{}/{}")
    elif studies.layout == "means" and studies.arms is not None:
        m = studies.means()
        for arm, mean, sd, n in zip(
            arms,
            (m.mean_treated, m.mean_control),
            (m.sd_treated, m.sd_control),
            (m.n_treated, m.n_control),
            strict=True,
        ):
            numbers = (_measured("mean", mean), _measured("SD", sd), _counts("n", n))
            yield _Part(arm=arm, numbers=numbers, joint="{} ({}), {}", what="mean (SD), n")
    elif studies.layout == "rates" and studies.arms is not None:
        r = studies.rates()
        for arm, x, t in zip(
            arms,
            (r.events_treated, r.events_control),
            (r.time_treated, r.time_control),
            strict=True,
        ):
            numbers = (_counts("events", x), _measured("time", t))
            yield _Part(arm=arm, numbers=numbers, joint="{}/{}", what="events/time")
    elif studies.layout == "paired arms" and studies.arms is not None:
        for arm, p in zip(arms, studies.paired(), strict=True):
            yield _of_pairs(arm, p.mean_post - p.mean_pre, p.n)
    elif studies.layout == "paired":
        (p,) = studies.paired()
        yield _of_pairs("", p.mean_post - p.mean_pre, p.n)
    elif studies.layout == "single":
        s = studies.single()
        numbers = (_counts("events", s.events), _counts("n", s.n))
        yield _Part(arm="", numbers=numbers, joint="{}/{}", what="events/n")
    elif studies.layout == "single_rates":
        g = studies.single_rates()
        numbers = (_counts("events", g.events), _measured("time", g.time))
        yield _Part(arm="", numbers=numbers, joint="{}/{}", what="events/time")
    elif studies.layout == "correlation":
        yield _Part(arm="", numbers=(_counts("n", studies.correlations().n),), joint="{}", what="n")


def _of_pairs(arm: str, change: FloatArray, n: NDArray[Any]) -> _Part:
    numbers = (_measured("mean change", change), _counts("n", n))
    return _Part(arm=arm, numbers=numbers, joint="{}, {}", what="mean change, n")


def _counts(what: str, counts: NDArray[Any]) -> _Numbers:
    """Write counts, or the parts of one that a study keeps of a shared arm."""
    return what, tuple(_count(one) for one in counts), tuple(map(float, counts))


def _count(count: float) -> str:
    return f"{count:.0f}" if float(count).is_integer() else f"{count:.1f}"


def _measured(what: str, numbers: FloatArray) -> _Numbers:
    typical = float(np.median(np.abs(numbers)))
    decimals = choose_decimals([typical])
    return what, tuple(show(float(one), decimals) for one in numbers), ()


def extra_columns(
    studies: StudyTable | None,
    names: Sequence[str],
    columns: Sequence[str] | Mapping[str, Sequence[object]],
) -> tuple[Texts, ...]:
    """Give the columns of the user's choice.

    Parameters
    ----------
    studies : StudyTable or None
    names : sequence of str
        The studies, in the order of the plot.
    columns : sequence of str, or mapping of str to sequence
        Columns of the study table by name, or headings with a value for each study.

    Raises
    ------
    StudyTableError
        No such column, one whose values differ within a study, or too few or many values.
    """
    if isinstance(columns, str):
        columns = (columns,)
    if isinstance(columns, Mapping):
        found = {head: per_study(studies, names, values) for head, values in columns.items()}
    else:
        found = {head: per_study(studies, names, head) for head in columns}
    return tuple(
        Texts(key=f"extra {i}", head=split_heads([head])[0], texts=tuple(map(_write, values)))
        for i, (head, values) in enumerate(found.items())
    )


def per_study(
    studies: StudyTable | None, names: Sequence[str], column: str | Sequence[object]
) -> list[object]:
    """Give one value for each study: of a column of the table, or those given."""
    source = "the forest plot" if studies is None else studies.source
    if not isinstance(column, str):
        if len(column) != len(names):
            what = f"{len(column)} values for {len(names)} studies"
            raise _refusal(source, [Problem(what=what, fix="Give one for each, in their order.")])
        return list(column)
    frame = pd.DataFrame({"study": []}) if studies is None else studies.frame
    if column not in frame:
        known = () if studies is None else studies.covariates
        raise _refusal(
            source, [Problem(column=column, what="no such column", fix=did_you_mean(column, known))]
        )
    by_study = frame.groupby("study", sort=False)[column]
    differing = by_study.nunique(dropna=False).loc[list(names)]
    problems = [
        Problem(
            study=study,
            column=column,
            what="several values within the study",
            fix="Give a mapping with one value for each study.",
        )
        for study in differing.index[differing > 1]
    ]
    if problems:
        raise _refusal(source, problems)
    first = frame.drop_duplicates("study").set_index("study")[column]
    return list(first.loc[list(names)])


def _write(value: object) -> str:
    if value is None or value is pd.NA or (isinstance(value, float) and np.isnan(value)):
        return ""
    return f"{value:g}" if isinstance(value, float) else str(value)


def _refusal(source: str, problems: Sequence[Problem]) -> StudyTableError:
    return StudyTableError(f"{source} cannot be drawn like this.", problems)
