"""What every test may use."""

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

settings.register_profile("ci", derandomize=True, deadline=None, max_examples=25)
settings.load_profile("ci")


@pytest.fixture(scope="session")
def golden() -> Callable[[str], Any]:
    """golden(name): the numbers of tests/golden/NAME.json, with their source."""

    @functools.cache
    def read(name: str) -> Any:
        path = Path(__file__).parent / "golden" / f"{name}.json"
        return json.loads(path.read_text(encoding="utf-8"))

    return read
