"""Fixtures of the command line's tests."""

import pytest

from bayesmeta.cli import main


@pytest.fixture
def call(capsys, tmp_path, monkeypatch):
    """call(*words): exit status, standard output and standard error, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def call(*words):
        status = main([str(word) for word in words])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return call
