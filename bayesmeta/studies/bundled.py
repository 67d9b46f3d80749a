"""Where the bundled tables are: in the wheel, or in the repository beside pyproject.toml."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from types import MappingProxyType
from typing import Any

STUDIES = "studies.csv"


@dataclass(frozen=True, slots=True, kw_only=True)
class BundledTable:
    """A bundled study table: its file, and what source.toml says of it.

    A folder of one table holds `studies.csv` and is called by the folder's name. A publication
    with several has them in the tables `[tables.NAME]` of its source.toml, NAME being the file
    without ".csv"; they are called FOLDER/NAME, and what is said of the folder holds for all.
    """

    file: Traversable
    source: Mapping[str, Any]


def data_folder() -> Traversable:
    """Give the folder with one folder per bundled table.

    Raises
    ------
    FileNotFoundError
        The installation holds no data.
    """
    package = files("bayesmeta")
    installed = package / "_data"
    if installed.is_dir():
        return installed
    repository = Path(str(package)).parent
    if (repository / "pyproject.toml").is_file() and (repository / "data").is_dir():
        return repository / "data"
    raise FileNotFoundError(f"no bundled data in {installed}: reinstall the package")


def bundled_tables() -> dict[str, BundledTable]:
    """Give each bundled study table by its name, sorted by name."""
    found = {}
    for folder, at in bundled_folders().items():
        source = dict(read_source(at))
        tables = source.pop("tables", {})
        if (at / STUDIES).is_file():
            found[folder] = BundledTable(file=at / STUDIES, source=source)
        for name, own in tables.items():
            told = {**source, **own}
            found[f"{folder}/{name}"] = BundledTable(file=at / f"{name}.csv", source=told)
    return dict(sorted(found.items()))


def bundled_frames() -> dict[str, Traversable]:
    """Give every bundled CSV file by its name, FOLDER/NAME, sorted by name."""
    found = {
        f"{folder}/{file.name.removesuffix('.csv')}": file
        for folder, at in bundled_folders().items()
        for file in at.iterdir()
        if file.name.endswith(".csv")
    }
    return dict(sorted(found.items()))


def bundled_folders() -> dict[str, Traversable]:
    """Give every folder with a source.toml, however deep, by its name."""
    return dict(sorted(_folders(data_folder(), prefix="")))


def read_source(folder: Traversable) -> Mapping[str, Any]:
    """Read what source.toml says of a folder."""
    return _parse((folder / "source.toml").read_text(encoding="utf-8"))


@cache
def _parse(source: str) -> Mapping[str, Any]:
    return MappingProxyType(tomllib.loads(source))


def available() -> dict[str, str]:
    """List the bundled study tables.

    Returns
    -------
    dict of str to str
        Title of each table by the name that `load` takes.

    Examples
    --------
    >>> available()["bcg"]
    'BCG vaccine against tuberculosis, 13 trials'
    """
    return {name: str(table.source["title"]) for name, table in bundled_tables().items()}


def _folders(folder: Traversable, prefix: str) -> list[tuple[str, Traversable]]:
    found = []
    for child in folder.iterdir():
        if child.is_dir():
            name = f"{prefix}{child.name}"
            if (child / "source.toml").is_file():
                found.append((name, child))
            found.extend(_folders(child, prefix=f"{name}/"))
    return found
