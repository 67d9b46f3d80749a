"""Where the bundled tables are: in the wheel, or in the repository beside pyproject.toml."""

import tomllib
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any


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


def bundled_folders() -> dict[str, Traversable]:
    """Give the folder of each bundled table by its name, sorted by name."""
    found = dict(_tables(data_folder(), prefix=""))
    return dict(sorted(found.items()))


def read_source(folder: Traversable) -> dict[str, Any]:
    """Read what source.toml says of a table."""
    return tomllib.loads((folder / "source.toml").read_text(encoding="utf-8"))


def available() -> dict[str, str]:
    """List the bundled tables.

    Returns
    -------
    dict of str to str
        Title of each table by the name that `load` takes.

    Examples
    --------
    >>> available()["bcg"]
    'BCG vaccine against tuberculosis, 13 trials'
    """
    return {name: str(read_source(at)["title"]) for name, at in bundled_folders().items()}


def _tables(folder: Traversable, prefix: str) -> list[tuple[str, Traversable]]:
    """Find every folder that holds a studies.csv, however deep."""
    found = []
    for child in folder.iterdir():
        if child.is_dir():
            name = f"{prefix}{child.name}"
            if (child / "studies.csv").is_file():
                found.append((name, child))
            found.extend(_tables(child, prefix=f"{name}/"))
    return found
