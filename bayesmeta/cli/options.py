"""Options that several commands have, each with its help."""

from typing import Annotated

from cyclopts import Parameter

from bayesmeta.effects import Correction
from bayesmeta.frequentist.independent import COMMON
from bayesmeta.frequentist.tau2 import TAU2
from bayesmeta.inference.fit import NutsOptions
from bayesmeta.inference.sampler import SamplerName

TableName = Annotated[
    str, Parameter(help="CSV file, or name of a bundled table (see bayesmeta data).")
]
ZeroRule = Annotated[Correction, Parameter(help="Where 1/2 is added to the cells of 2x2 tables.")]
Level = Annotated[float, Parameter(help="Coverage of the intervals: 0.95 for 95%.")]
Estimator = Annotated[str, Parameter(help=f"{COMMON} or an estimator of tau2: {', '.join(TAU2)}.")]
Json = Annotated[
    bool, Parameter(help="Print one JSON object and nothing else.", show_default=False)
]


def nuts_options(*, draws: int | None, sampler: SamplerName | None) -> NutsOptions:
    """Give the options of NUTS that were told; the rest keep their defaults."""
    options = NutsOptions()
    if draws is not None:
        options["draws"] = draws
    if sampler is not None:
        options["sampler"] = sampler
    return options
