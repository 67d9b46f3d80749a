"""A strict reader of one table of a TOML file: every fault is noted at its place, none stops it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Any, cast

from bayesmeta.errors import BayesmetaError, Problem
from bayesmeta.studies.refusal import did_you_mean


@dataclass(kw_only=True)
class Section:
    """One table of the file: keys are taken by name and kind; what is left over is unknown."""

    values: Mapping[str, Any]
    path: str
    problems: list[Problem]
    known: list[str] = field(default_factory=list)
    missing: dict[str, Problem] = field(default_factory=dict)

    def place(self, key: str) -> str:
        """Give the path of a key in the file."""
        return f"{self.path}.{key}" if self.path else key

    def fault(self, key: str, what: str, fix: str) -> None:
        """Note a fault of a key, with the value it has."""
        shown = self.values.get(key)
        text = None if shown is None or isinstance(shown, dict | list) else f"{shown!r}"
        self.problems.append(Problem(column=self.place(key), value=text, what=what, fix=fix))

    def take(self, key: str, kind: type, example: str, *, required: bool = True) -> Any:
        """Give the value of a key if it is there and of the kind; else None, and note why."""
        self.known.append(key)
        if key not in self.values:
            if required:
                self.missing[key] = Problem(
                    column=self.place(key), what="missing", fix=f"Add {key} = {example}."
                )
            return None
        value = self.values[key]
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            self.fault(key, f"not {_KINDS[kind]}", f"Write {key} = {example}.")
            return None
        return value

    def number(self, key: str, example: str) -> float | None:
        """Give a number, with or without decimals, if it is there."""
        whole = isinstance(self.values.get(key), int) and not isinstance(self.values[key], bool)
        value = self.take(key, int if whole else float, example, required=False)
        return None if value is None else float(value)

    def text(self, key: str, example: str, *, required: bool = True) -> str | None:
        """Give a text that is not empty."""
        value = self.take(key, str, f'"{example}"', required=required)
        if value is not None and not value.strip():
            self.fault(key, "empty", f'Write {key} = "{example}".')
            return None
        return cast("str | None", value)

    def choice(self, key: str, known: Sequence[str], *, default: str | None = None) -> str | None:
        """Give one of the known words."""
        value = self.text(key, known[0], required=default is None)
        if value is not None and value not in known:
            self.fault(key, "not known here", did_you_mean(value, known))
            return None
        return default if value is None and key not in self.values else value

    def texts(self, key: str, example: str, *, required: bool = True) -> tuple[str, ...] | None:
        """Give a list of texts, none twice."""
        values = self.take(key, list, example, required=required)
        if values is None:
            return None
        if not values or not all(isinstance(value, str) for value in values):
            self.fault(key, "not a list of texts", f"Write {key} = {example}.")
            return None
        if len(set(values)) < len(values):
            self.fault(key, "names one thing twice", "Name each once.")
            return None
        return tuple(values)

    def choices(
        self, key: str, known: Sequence[str], example: str, *, required: bool = True
    ) -> tuple[str, ...] | None:
        """Give a list of known words."""
        values = self.texts(key, example, required=required)
        for i, value in enumerate(values or ()):
            if value not in known:
                at, fix = f"{self.place(key)}[{i}]", did_you_mean(value, known)
                self.problems.append(
                    Problem(column=at, value=f"{value!r}", what="not known here", fix=fix)
                )
                values = None
        return values

    def section(self, key: str, *, required: bool = True) -> "Section | None":
        """Give a table within this one."""
        values = self.take(key, dict, "...", required=required)
        if key in self.missing:
            self.missing[key] = replace(self.missing[key], fix=f"Add a table [{self.place(key)}].")
        if values is None:
            return None
        return Section(values=values, path=self.place(key), problems=self.problems)

    def close(self) -> None:
        """Note keys that nobody took, and keys that are missing and not just misspelt."""
        for key in self.values:
            if key not in self.known:
                near = get_close_matches(key.lower(), self.known, n=1)
                if near and near[0] not in self.values:
                    self.missing.pop(near[0], None)
                self.problems.append(
                    Problem(
                        column=self.place(key),
                        what="unknown key",
                        fix=did_you_mean(key, self.known),
                    )
                )
        self.problems.extend(self.missing.values())


_KINDS = {
    str: 'a text in "..."',
    int: "a whole number",
    float: "a number",
    list: "a list in [...]",
    dict: "a table",
}


def as_problem(place: str, error: BayesmetaError) -> Problem:
    """Tell an error of a part as a problem of the file."""
    if not error.problems:
        what, _, fix = error.message.rstrip(".").partition(". ")
        return Problem(column=place, what=what, fix=f"{fix}." if fix else "Change it.")
    first = error.problems[0]
    further = [f"{problem.what}. {problem.fix}" for problem in error.problems[1:]]
    return replace(first, row=None, column=place, fix=" ".join([first.fix, *further]))
