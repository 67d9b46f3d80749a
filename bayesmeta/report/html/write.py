"""Writing a report and the index: pages, the tables beside them, and the conclusions as data."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bayesmeta.report.html.conclusions import CHANGES, Change, Conclusion, say_sides
from bayesmeta.report.html.exports import as_latex, as_markdown
from bayesmeta.report.html.page import (
    OutcomePart,
    Page,
    Report,
    environment,
    make_page,
    read_style,
    render_page,
)

PAGE, CONCLUSIONS, INDEX, TABLES = "report.html", "conclusions.json", "index.html", "tables"


def write_report(report: Report, folder: Path) -> None:
    """Write the page of a comparison, its tables, and its conclusions for the index.

    Parameters
    ----------
    report : Report
    folder : Path
        Gets report.html, conclusions.json and tables/, where each table is there as Markdown and
        LaTeX, as on the page, and in full digits as CSV.
    """
    page = make_page(report)
    (folder / PAGE).write_text(render_page(page), encoding="utf-8")
    content = {
        "bayesmeta": page.version,
        "title": page.title,
        "outcomes": [one.conclusion.as_data() | {"place": one.place} for one in page.outcomes],
    }
    text = json.dumps(content, indent=2, ensure_ascii=False)
    (folder / CONCLUSIONS).write_text(text + "\n", encoding="utf-8")
    tables = folder / TABLES
    tables.mkdir()
    _write_tables(page, report, tables)


def write_index(out: Path) -> Path:
    """Write the index over all reports in a folder, those of earlier runs too.

    Returns
    -------
    Path
        Of the index. A file of conclusions that cannot be read is named in it.
    """
    entries: list[_Entry] = []
    unread: list[str] = []
    for path in sorted(out.rglob(CONCLUSIONS)):
        try:
            entries.extend(_read_entries(path, out))
        except (ValueError, KeyError, TypeError) as error:
            unread.append(f"{path.relative_to(out).as_posix()}: {error!r}")
    groups = [
        {
            "name": change,
            "label": label,
            "entries": [one.shown for one in entries if one.conclusion.change == change],
        }
        for change, label in CHANGES.items()
    ]
    page = environment().get_template("index_template.html").render(
        groups=[group for group in groups if group["entries"]],
        told=_say_counts(entries),
        unread=unread,
        version=version("bayesmeta"),
        style=read_style(),
    )  # fmt: skip
    (out / INDEX).write_text(page, encoding="utf-8")
    return out / INDEX


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """One outcome in the index."""

    title: str
    link: str
    conclusion: Conclusion

    @property
    def shown(self) -> dict[str, str]:
        one = self.conclusion
        sides = {
            road: say_sides(getattr(one, road), one.null)
            for road in ("published", "frequentist", "bayesian")
        }
        told = {"outcome": one.outcome or "result", "headline": one.headline, "status": one.status}
        return sides | told | {"title": self.title, "link": self.link}


def _read_entries(path: Path, out: Path) -> Iterator[_Entry]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    folder = path.parent.relative_to(out)
    for one in content["outcomes"]:
        yield _Entry(
            title=content["title"],
            link=f"{_as_link(folder / PAGE)}#{one['place']}",
            conclusion=Conclusion.from_data(one),
        )


def _as_link(path: Path) -> str:
    from urllib.parse import quote

    return quote(path.as_posix())


def _say_counts(entries: list[_Entry]) -> str:
    changes: list[Change] = [one.conclusion.change for one in entries]
    other = sum(change in ("reversed", "changed") for change in changes)
    depends = sum(change == "depends" for change in changes)
    failed = sum(one.conclusion.failed for one in entries)
    told = (
        f"{_count(len(entries), 'outcome')}: the conclusion changes in {other}, and depends on "
        f"method, likelihood or reconstruction in {depends}."
    )
    return f"{told} A check failed in {failed}." if failed else told


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _write_tables(page: Page, report: Report, folder: Path) -> None:
    for outcome in page.outcomes:
        _write_outcome(outcome, folder)
    whole = [*page.checklists, *([page.audit] if page.audit is not None else [])]
    for table in whole:
        (folder / f"{table.name}.md").write_text(as_markdown(table), encoding="utf-8")
        (folder / f"{table.name}.tex").write_text(as_latex(table), encoding="utf-8")
    frame = report.audit.to_frame()
    frame.to_csv(folder / "audit.csv", index=False, lineterminator="\n")


def _write_outcome(outcome: OutcomePart, folder: Path) -> None:
    for table in outcome.tables:
        name = f"{outcome.place}-{table.name}"
        (folder / f"{name}.md").write_text(as_markdown(table), encoding="utf-8")
        (folder / f"{name}.tex").write_text(as_latex(table), encoding="utf-8")
    for name, frame in outcome.frames.items():
        path = folder / f"{outcome.place}-{name}.csv"
        frame.to_csv(path, index=False, lineterminator="\n")
