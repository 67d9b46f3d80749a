"""From a comparison to a TOML file, with every default spelt out."""

import os
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from bayesmeta.comparison.comparison import Comparison, Outcome
from bayesmeta.comparison.read import RECORD
from bayesmeta.comparison.reference import REFERENCE
from bayesmeta.model import Model
from bayesmeta.printed import Printed
from bayesmeta.studies.reading import Reading


def write_comparison(
    comparison: Comparison,
    path: str | os.PathLike[str],
    *,
    record: Mapping[str, Any] | None = None,
) -> None:
    """Write a comparison with every default spelt out; `read_comparison` gives an equal one.

    Parameters
    ----------
    comparison : Comparison
        What to write; the path of its data is written relative to the new file.
    path : path
        File to write.
    record : mapping, optional
        What should be known of a run, such as versions; goes into a table that is not read back.
    """
    import tomli_w

    path = Path(path)
    content = _as_toml(comparison, path.parent) | ({RECORD: dict(record)} if record else {})
    path.write_bytes(tomli_w.dumps(content).encode())


_MODEL = (
    "measure",
    "likelihoods",
    "effect",
    "heterogeneity",
    "baseline",
    "baseline_of",
    "df",
    "correction",
    "random_effects",
)


def _as_toml(comparison: Comparison, folder: Path) -> dict[str, Any]:
    content = {
        "title": comparison.title,
        "data": _data_as_toml(comparison.data, folder),
        "arms": comparison.arms,
        "reading": _reading_as_toml(comparison.reading),
        "model": _models_as_toml(comparison.models),
        "reference": _given({key: getattr(comparison, key) for key in REFERENCE}),
        "reasons": dict(comparison.reasons) or None,
        "sampling": asdict(comparison.sampling),
        "outcome": [_outcome_as_toml(outcome, folder) for outcome in comparison.outcomes],
    }
    return _given(content)


def _data_as_toml(data: str | Path | None, folder: Path) -> str | None:
    """Give a name as it is, and a path relative to the new file."""
    if isinstance(data, Path):
        return Path(os.path.relpath(data, folder.resolve())).as_posix()
    return data


def _models_as_toml(models: tuple[Model, ...]) -> dict[str, Any] | None:
    if not models:
        return None
    texts: dict[str, Any] = {"likelihoods": [str(model.likelihood) for model in models]}
    for model in models:
        texts |= model.as_text()  # the same in all, but for the likelihood and its baseline
    if "df" in texts:
        texts["df"] = float(texts["df"])
    return {key: texts[key] for key in _MODEL if key in texts}


def _reading_as_toml(reading: Reading) -> dict[str, Any] | None:
    """Give what is told to the reader; None where that is nothing."""
    told = {part.name: getattr(reading, part.name) for part in fields(reading)}
    told["columns"] = dict(reading.columns) or None
    return _given(told) or None


def _outcome_as_toml(outcome: Outcome, folder: Path) -> dict[str, Any]:
    row = outcome.published
    published = None
    if row is not None:
        published = _given({part.name: _as_text(getattr(row, part.name)) for part in fields(row)})
    content = {
        "name": outcome.name,
        "better": outcome.better,
        "data": _data_as_toml(outcome.data, folder),
        "published": published,
        "model": _models_as_toml(outcome.models),
    }
    return _given(content)


def _as_text(value: Any) -> Any:
    if isinstance(value, tuple):
        return [part.text for part in value]
    return value.text if isinstance(value, Printed) else value


def _given(content: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in content.items() if value is not None}
