"""What the tests of the command line ask of its results."""

import json
from pathlib import Path

import pytest

BCG = Path(__file__).parent.parent.parent / "models" / "bcg.toml"


def data_of(call, *words):
    """The JSON object that a command prints, and nothing else."""
    status, out, err = call(*words, "--json")
    assert (status, err) == (0, "")
    return json.loads(out, parse_constant=pytest.fail)


def assert_refused(result, parts, folder):
    status, out, err = result
    assert (status, out) == (2, "")
    assert err.startswith("bayesmeta: ")
    assert "Traceback" not in err
    for part in parts:
        assert part in err
    assert not (folder / "results").exists()
