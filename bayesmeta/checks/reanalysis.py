"""An outcome of which only the published row is known, analysed by that row."""

import warnings
from dataclasses import replace

from bayesmeta.checks.crosscheck import CrossCheck, Direction
from bayesmeta.checks.verdicts import CheckedModel, judge
from bayesmeta.effects import get_measure
from bayesmeta.errors import AccuracyError, BayesmetaWarning, PublishedRowError
from bayesmeta.frequentist import METHODS, Reference
from bayesmeta.frequentist.rule import parse_rule
from bayesmeta.inference.posterior import Posterior
from bayesmeta.likelihoods import NormalLikelihood
from bayesmeta.model import Model
from bayesmeta.printed import Printed
from bayesmeta.published.posterior import from_published
from bayesmeta.published.row import PublishedRow

_NAME = "published-row"


def reanalyse(
    model: Model,
    published: PublishedRow,
    *,
    rule: str | None = None,
    arms: tuple[str, str] | None = None,
    level: float = 0.95,
    outcome: str = "",
    better: Direction | None = None,
) -> CrossCheck:
    """Give the posterior that follows from a published row alone, beside the row.

    Parameters
    ----------
    model : Model
        Its measure and priors are taken; whatever its likelihood, that of the row is used.
    published : PublishedRow
        The row; see `from_published` for what it must hold.
    rule : str, optional
        The rule by which the publication chose its model. A fixed row of a rule "random if
        Q p < 0.1 else fixed" tells that p of Q was not below 0.1, where it is not printed.
    arms, level, outcome, better
        As in `crosscheck`.

    Returns
    -------
    CrossCheck
        Without studies, reference and NUTS: none of them can be had from the row alone. A row that
        cannot be read keeps its place, with the reason; that is no failed check.

    Raises
    ------
    ModelError
        The model is not one that a row can be analysed by.

    Examples
    --------
    >>> import bayesmeta as bm
    >>> model = bm.Model(measure="OR", likelihood=bm.NormalLikelihood(),
    ...                  effect=bm.Normal(0, 2.82), heterogeneity=bm.HalfNormal(0.5))
    >>> row = bm.load_published("zhou_2019_lupus_nephritis")[0]
    >>> result = reanalyse(model, row.printed, outcome=row.outcome)
    >>> result.to_frame()[["road", "natural_estimate"]].round(2).values.tolist()
    [['published', 2.41], ['exact', 2.39]]
    """
    model = replace(model, likelihood=NormalLikelihood())
    found: Posterior | str
    readable = True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", BayesmetaWarning)  # the notes of the result say it
            implied = _implied_q_p(published, rule)
            found = from_published(published, model, level=level, implied_q_p=implied)
    except PublishedRowError as error:
        found, readable = str(error), False
    except AccuracyError as error:
        found = error.message
    exact = found if isinstance(found, Posterior) else None
    checked = CheckedModel(
        name=_NAME,
        model=model,
        exact=exact,
        nuts=None,
        agreement=None,
        failures={} if isinstance(found, Posterior) else {"exact": found},
    )
    return CrossCheck(
        outcome=outcome,
        better=better,
        measure=get_measure(model.measure),
        level=level,
        arms=arms,
        studies=None,
        effects=None,
        published=published,
        reference=Reference(rows=(), measure=model.measure, notes=()),
        models=(checked,),
        verdicts=tuple(judge(checked)) if readable else (),
        notes=(),
    )


def _implied_q_p(published: PublishedRow, rule: str | None) -> Printed | None:
    """Give what a rule "random if Q p < 0.1 ..." says of a fixed row, where Q is not printed."""
    if rule is None or published.model != "fixed":
        return None
    parsed = parse_rule(rule, tuple(METHODS))
    for condition in parsed.conditions:
        of_q = condition.quantity == "Q p" and condition.sign.startswith("<")
        if of_q and parsed.chosen == "random" and parsed.joined == "or":
            return Printed.parse(f">{condition.number:g}")
    return None
