"""The commands, one function each; `bayesmeta.cli.program` lists them."""
