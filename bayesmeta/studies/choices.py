"""What may be asked of a study table: the problems of a choice of arms, outcome or studies."""

from collections.abc import Iterable, Iterator, Sequence

import pandas as pd

from bayesmeta.errors import Problem
from bayesmeta.studies.kinds import SETS
from bayesmeta.studies.refusal import did_you_mean, listed


def unknown_studies(asked: Iterable[str], studies: Sequence[str]) -> Iterator[Problem]:
    """Find the labels that no study has."""
    for name in asked:
        if name not in studies:
            yield Problem(study=str(name), what="no such study", fix=did_you_mean(name, studies))


def unknown_outcome(asked: str, outcomes: Sequence[str]) -> Iterator[Problem]:
    """Say if there is no such outcome."""
    if asked not in outcomes:
        fix = did_you_mean(asked, outcomes)
        yield Problem(column="outcome", value=str(asked), what="no such outcome", fix=fix)


def unknown_label(frame: pd.DataFrame, column: str, asked: str) -> Iterator[Problem]:
    """Say if no row has this label in a column that tells sets of rows apart."""
    labels = list(dict.fromkeys(frame[column].astype(str))) if column in frame else []
    if asked not in labels:
        what = f"no such {column}" if labels else f"the table has no column {column}"
        yield Problem(column=column, value=asked, what=what, fix=did_you_mean(asked, labels))


def without_other_comparisons(
    frame: pd.DataFrame, arms: Sequence[str]
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Leave out comparisons that have not both arms, if any has, and note their studies."""
    if "comparison" not in frame:
        return frame, ()
    by_comparison = frame.groupby("comparison", sort=False)["arm"]
    fits = by_comparison.agg(lambda names: set(arms) <= set(names))
    others = frame["comparison"].isin(fits.index[~fits.to_numpy(bool)])
    if others.all() or not others.any():
        return frame, ()
    studies = ", ".join(dict.fromkeys(frame.loc[others, "study"]))
    return frame[~others], (f"in other comparisons: {studies}",)


def unfit_arms(asked: Sequence[str], arm_names: Sequence[str]) -> Iterator[Problem]:
    """Say why these are no treated and control arm of a table with these arms."""
    if not arm_names:
        what = "a contrast-level table has no arms to choose"
        yield Problem(what=what, fix="Leave arms out; the estimates carry their direction.")
        return
    if isinstance(asked, str) or len(asked) != 2:
        fix = f"Give (TREATED, CONTROL) out of: {listed(arm_names)}."
        yield Problem(column="arm", what="two arms are needed", fix=fix)
        return
    for name in dict.fromkeys(asked):
        if name not in arm_names:
            fix = did_you_mean(name, arm_names)
            yield Problem(column="arm", value=str(name), what="no such arm", fix=fix)
    if asked[0] == asked[1]:
        what = "treated and control are the same arm"
        fix = f"Give two of: {listed(arm_names)}."
        yield Problem(column="arm", value=asked[0], what=what, fix=fix)


def unpaired_studies(frame: pd.DataFrame, arms: Sequence[str]) -> Iterator[Problem]:
    """Find studies (and outcomes) without one of the two arms."""
    for (study, outcome), rows in frame.groupby(["study", "outcome"], sort=False):
        missing = [arm for arm in arms if arm not in set(rows["arm"])]
        if missing:
            of = f" for outcome {outcome!r}" if outcome else ""
            what = f"no arm {' or '.join(map(repr, missing))}{of} (it has {listed(rows['arm'])})"
            yield Problem(study=str(study), what=what, fix=f"Leave it out with drop({study!r}).")


def left_open(
    outcomes: Sequence[str], arms: tuple[str, str] | None, arm_names: Sequence[str]
) -> Iterator[Problem]:
    """Say what must be chosen before there are two arms of one outcome."""
    if len(outcomes) > 1:
        fix = f"Choose one with select(outcome=NAME), or --outcome NAME: {listed(outcomes)}."
        yield Problem(column="outcome", what=f"there are {len(outcomes)} outcomes", fix=fix)
    if arm_names and arms is None:
        fix = (
            "Choose with select(arms=(TREATED, CONTROL)), or --arms TREATED CONTROL, "
            f"out of: {listed(arm_names)}."
        )
        what = "it is not said which arm is treated and which is control"
        yield Problem(column="arm", what=what, fix=fix)


def left_repeated(frame: pd.DataFrame, keys: Sequence[str]) -> Iterator[Problem]:
    """Say which comparison or solution must be chosen before there is one row of each study."""
    if not frame.duplicated(list(keys)).any():
        return
    for column in (name for name in SETS if name in frame):
        labels = dict.fromkeys(frame[column].astype(str))
        if len(labels) > 1:
            fix = f"Choose one with select({column}=NAME): {listed(labels)}."
            yield Problem(column=column, what=f"there are {len(labels)} {column}s", fix=fix)


def repeated_rows(
    mine: Iterable[tuple[str, ...]], theirs: Iterable[tuple[str, ...]], source: str
) -> Iterator[Problem]:
    """Find studies of which another table repeats a row; a row's key starts with its study."""
    known = set(mine)
    for study in dict.fromkeys(key[0] for key in theirs if key in known):
        fix = "Rename it, or drop it from one of the tables."
        yield Problem(study=study, what=f"given again in {source}", fix=fix)
