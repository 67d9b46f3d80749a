"""The command line: `program` runs a command of `commands`, whose shared options are beside it."""

from bayesmeta.cli.program import app, main

__all__ = ["app", "main"]
