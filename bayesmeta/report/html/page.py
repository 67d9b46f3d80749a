"""The page of a comparison: what the template is filled with."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bayesmeta.checks.bridge import Bridge, bridge
from bayesmeta.checks.crosscheck import CrossCheck
from bayesmeta.checks.verdicts import Verdict
from bayesmeta.errors import BayesmetaError
from bayesmeta.frequentist.software import Software
from bayesmeta.published.audit import Audit
from bayesmeta.report.html.checklist import barg_table, prisma_table
from bayesmeta.report.html.conclusions import CHANGES, Conclusion, conclude
from bayesmeta.report.html.figures import MANY, DrawnFigure, Subject, draw_figures
from bayesmeta.report.html.methods_paragraph import Methods, write_methods
from bayesmeta.report.html.outcome_tables import (
    bridge_page_table,
    crosscheck_page_table,
    data_page_table,
    printed_page_table,
    ranges_page_table,
)
from bayesmeta.report.html.table import Table
from bayesmeta.report.html.words import sentences

if TYPE_CHECKING:
    from jinja2 import Environment
    from matplotlib.axes import Axes


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Report:
    """What a report is made of.

    Attributes
    ----------
    title : str
        Of the comparison.
    results : tuple of CrossCheck
        Its outcomes.
    audit : Audit
        Of its published rows.
    spec : str
        The resolved comparison file (TOML), which replays it.
    rule : str or None
        By which the publication chose its model.
    software : {"metafor", "RevMan 5"}
        Whose methods "random" and "fixed" mean.
    reasons : mapping of str to str
        Why the priors "effect", "heterogeneity" and "baseline" are what they are, where told.
    forests : tuple of Axes
        The forest plots of the outcomes, where they are drawn already.
    """

    title: str
    results: tuple[CrossCheck, ...]
    audit: Audit
    spec: str
    rule: str | None = None
    software: Software = "metafor"
    reasons: Mapping[str, str] = field(default_factory=dict)
    forests: tuple["Axes", ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OutcomePart:
    """One outcome on the page."""

    place: str
    name: str
    conclusion: Conclusion
    sentences: tuple[str, ...]
    verdicts: tuple[Verdict, ...]
    sampled: bool
    question: str
    source: str
    data: Table
    printed: Table | None
    crosscheck: Table
    ranges: Table | None
    bridge: Table | None
    no_bridge: str
    figures: tuple[DrawnFigure, ...]
    frames: dict[str, Any]

    @property
    def change(self) -> str:
        """Say in words in what way the roads differ."""
        return CHANGES[self.conclusion.change]

    @property
    def bridge_figure(self) -> DrawnFigure | None:
        """Give the figure of the bridge, if it is drawn."""
        return next((figure for figure in self.figures if figure.name == "bridge"), None)

    @property
    def more(self) -> tuple[DrawnFigure, ...]:
        """Give the figures that have no part of the page to themselves."""
        return tuple(one for one in self.figures if one.name not in ("forest", "bridge"))

    @property
    def tables(self) -> Iterator[Table]:
        """Give all tables that there are."""
        parts = (self.data, self.printed, self.crosscheck, self.ranges, self.bridge)
        yield from (part for part in parts if part is not None)
        yield from (one.table for one in self.figures if one.name != "bridge")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Page:
    """The whole page."""

    title: str
    outcomes: tuple[OutcomePart, ...]
    methods: tuple[Methods, ...]
    audit: Table | None
    audit_told: str
    checklists: tuple[Table, ...]
    spec: str
    version: str

    @property
    def left_out(self) -> str:
        """Say which figures a page of many outcomes does not have; "" where it has all."""
        if len(self.outcomes) <= MANY:
            return ""
        return (
            f"A page of more than {MANY} outcomes has their forest plots only: bayesmeta.plots "
            "draws the bridge, why the methods differ, posterior against prior and funnel plots."
        )


def make_page(report: Report) -> Page:
    """Collect everything that a page shows; draws the figures and walks the bridges."""
    return Page(
        title=report.title,
        outcomes=tuple(
            _make_outcome(report, result, f"outcome-{i + 1}", *report.forests[i : i + 1])
            for i, result in enumerate(report.results)
        ),
        methods=write_methods(
            report.results, rule=report.rule, software=report.software, reasons=report.reasons
        ),
        audit=_audit_table(report.audit),
        audit_told=_say_audit(report.audit),
        checklists=(barg_table(report.results, report.reasons), prisma_table(report.results)),
        spec=report.spec,
        version=version("bayesmeta"),
    )


def render_page(page: Page) -> str:
    """Fill the template: one HTML document that needs nothing beside it."""
    return environment().get_template("template.html").render(page=page, style=read_style())


def _make_outcome(
    report: Report, result: CrossCheck, place: str, forest: "Axes | None" = None
) -> OutcomePart:
    walk, no_bridge = _walk(report, result)
    frames = {"crosscheck": result.to_frame()}
    if result.studies is not None:
        frames["data"] = result.studies.frame
    if walk is not None:
        frames["bridge"] = walk.to_frame()
    known = result.studies is not None and result.published is not None
    return OutcomePart(
        place=place,
        name=result.outcome or result.measure.label,
        conclusion=conclude(result),
        sentences=sentences(result),
        verdicts=result.verdicts,
        sampled=any(one.nuts is not None for one in result.models),
        question=_ask(result),
        source=_say_source(result),
        data=data_page_table(result),
        printed=printed_page_table(result.published) if known else None,
        crosscheck=crosscheck_page_table(result),
        ranges=ranges_page_table(result),
        bridge=None if walk is None else bridge_page_table(walk),
        no_bridge=no_bridge,
        figures=draw_figures(
            Subject(result=result, bridge=walk, forest=forest),
            place,
            many=len(report.results) > MANY,
        ),
        frames=frames,
    )


def _ask(result: CrossCheck) -> str:
    """Put the question that the numbers answer."""
    arms = "" if result.arms is None else f"{result.arms[0]} against {result.arms[1]}: "
    better = "" if result.better is None else f"; a {result.better} value is better"
    outcome = f" of {result.outcome}" if result.outcome else ""
    return f"{arms}{result.measure.label} ({result.measure.name}){outcome}{better}."


def _say_source(result: CrossCheck) -> str:
    if result.studies is None:
        return "The publication's row; the data of its studies are not known."
    citation = f": {result.studies.citation}" if result.studies.citation else ""
    return f"Table {result.studies.source}{citation}"


def _walk(report: Report, result: CrossCheck) -> tuple[Bridge | None, str]:
    """Walk the bridge, or say why there is none."""
    if result.studies is None:
        return None, "There is none: the data of the studies are not known."
    if result.k == 1:
        return None, "There is none: one study is not pooled."
    try:
        walk = bridge(
            result.models[-1].model,
            result.studies,
            published=result.published,
            method=report.rule,
            software=report.software,
            level=result.level,
        )
    except BayesmetaError as error:
        return None, f"There is none: {error}"
    return walk, ""


def _audit_table(found: Audit) -> Table | None:
    if not found.findings:
        return None
    return Table(
        name="audit",
        caption="Printed numbers that cannot all be right",
        columns=("row", "test", "printed", "finding"),
        rows=tuple((one.row, one.check, one.printed, one.reason) for one in found.findings),
        text_columns=(1, 2, 3),
        notes=("A finding does not say which of the numbers is wrong.",),
    )


def _say_audit(found: Audit) -> str:
    if not found.rows:
        return "There is no published row to test."
    tests = f"{found.tests or 'no'} test{'' if found.tests == 1 else 's'}"
    rows = f"{found.rows} published row{'' if found.rows == 1 else 's'}"
    count = len(found.findings)
    findings = f"{count or 'no'} finding{'' if count == 1 else 's'}"
    return f"{tests.capitalize()} of {rows}, each number taken as what its rounding allows: " \
        f"{findings}."  # fmt: skip


@cache
def environment() -> "Environment":
    """Give the templates of this folder: text is escaped, a missing name is an error."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def read_style() -> str:
    """Give the style sheet, which stands in the head of every page."""
    return (Path(__file__).parent / "style.css").read_text(encoding="utf-8")
