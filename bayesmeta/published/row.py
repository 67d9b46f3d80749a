"""A pooled row of a publication, as it was printed."""

from dataclasses import dataclass
from typing import Literal

from bayesmeta.printed import Printed

type PublishedModel = Literal["fixed", "random"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedRow:
    """What a publication prints for one comparison and outcome, on its natural scale.

    Attributes
    ----------
    model : {"fixed", "random"} or None
        Model that the publication names; None where it names none.
    estimate : Printed
        Pooled effect (a ratio, not its logarithm).
    ci : (Printed, Printed) or None
        95% confidence limits.
    k : int or None
        Number of studies.
    p, q, q_p, i2, tau2 : Printed or None
        P value of the effect; Cochran's Q and its p value; I2 in percent; tau2.

    Examples
    --------
    >>> row = PublishedRow(model="random", estimate=Printed.parse("5.13"))
    >>> row.estimate.text, row.ci is None
    ('5.13', True)
    """

    model: PublishedModel | None
    estimate: Printed
    ci: tuple[Printed, Printed] | None = None
    k: int | None = None
    p: Printed | None = None
    q: Printed | None = None
    q_p: Printed | None = None
    i2: Printed | None = None
    tau2: Printed | None = None
