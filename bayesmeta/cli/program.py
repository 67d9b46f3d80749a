"""The program: which commands there are, and what happens to words that are none."""

import sys
import warnings
from collections.abc import Sequence

from cyclopts import App, CycloptsError, Parameter

from bayesmeta import __version__
from bayesmeta.cli.commands.audit import audit
from bayesmeta.cli.commands.bias import bias
from bayesmeta.cli.commands.bridge import bridge
from bayesmeta.cli.commands.certify import certify
from bayesmeta.cli.commands.comparisons import check, run
from bayesmeta.cli.commands.data import data
from bayesmeta.cli.commands.effects import effects
from bayesmeta.cli.commands.fit import fit
from bayesmeta.cli.commands.influence import influence
from bayesmeta.cli.commands.pool import pool
from bayesmeta.cli.output import DONE, forgive_encodings, refuse
from bayesmeta.errors import BayesmetaError, BayesmetaWarning

app = App(
    name="bayesmeta",
    help="Meta-analysis by three independent roads: exact posterior, NUTS and frequentist.",
    version=__version__,
    default_parameter=Parameter(negative=()),
)
for command in (run, fit, certify, bridge, audit, pool, effects, bias, influence, check, data):
    app.command(command)


class UsageError(BayesmetaError):
    """A command that cannot be read."""


def main(tokens: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    tokens : sequence of str, optional
        Words after the program's name; those of this process if not given.

    Returns
    -------
    int
        Exit status: 0 done, 1 done but something failed its check, 2 bad input.
    """
    words = list(sys.argv[1:] if tokens is None else tokens)
    forgive_encodings()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", BayesmetaWarning)  # the notes say the same
            status = app(
                words, exit_on_error=False, print_error=False, result_action="return_value"
            )
    except CycloptsError as error:
        return refuse(UsageError(f"{error} See bayesmeta --help."), words)
    except BayesmetaError as error:
        return refuse(error, words)
    return status if isinstance(status, int) else DONE
