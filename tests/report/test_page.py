"""The page of a report: its numbers, its rules, and what a browser makes of it."""

import json
import os
import re
from itertools import pairwise
from urllib.parse import quote, unquote

import numpy as np
import pandas as pd
import pytest
from report.browser import CHROMIUM
from report.pages import EVIL, PLACE, all_of, contrast, palettes, read_page

import bayesmeta as bm
from bayesmeta.digits import NONE, show
from bayesmeta.report.html.exports import as_latex, as_markdown
from bayesmeta.report.html.figure_tables import (
    funnel_page_table,
    prior_posterior_page_table,
    why_page_table,
)
from bayesmeta.report.html.figures import FIGURES, Subject, draw_figures
from bayesmeta.report.html.page import read_style
from bayesmeta.report.html.table import Table
from bayesmeta.report.html.write import write_index


@pytest.fixture(scope="module")
def text(folder):
    return (folder[0] / PLACE / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def index(folder):
    return (folder[0] / "index.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def elements(text):
    return read_page(text)


# --- numbers -------------------------------------------------------------------------------------


def test_page_table_and_csv_have_the_numbers_of_the_result(folder, elements):
    out, results = folder
    for i, result in enumerate(results, start=1):
        path = out / PLACE / "tables" / f"outcome-{i}-crosscheck.csv"
        csv = pd.read_csv(path)
        np.testing.assert_allclose(csv["estimate"], result.to_frame()["estimate"], rtol=1e-12)
        exact = result.models[0].exact
        median, low, high = np.exp(exact.mu.quantile([0.5, 0.025, 0.975]))
        words = f"{show(median, 3)} (95% posterior interval {show(low, 3)} to {show(high, 3)}"
        cells = [one.text.strip() for one in elements if one.tag in ("td", "th")]
        assert f"{show(low, 3)}, {show(high, 3)}" in cells  # cross-check
        assert f"{show(median, 2)} [{show(low, 2)}, {show(high, 2)}]" in cells  # figure's table
        headlines = [one.text for one in elements if one.attrs.get("class") == "headline"]
        assert words in headlines[i - 1]
        text = path.with_suffix(".md").read_text(encoding="utf-8")
        assert f"| {show(median, 3)} | {show(low, 3)}, {show(high, 3)} |" in text


def test_the_marks_of_the_figure_are_those_of_its_table(folder):
    (figure, *_) = [one for one in FIGURES if one.name == "forest"]
    result = folder[1][1]
    subject = Subject(result=result)
    ax = figure.draw(subject)
    (squares,) = [one for one in ax.collections if one.get_gid() == "observed"]
    seen = [f"{x:.2f}" for x in squares.get_offsets()[:, 0]]
    table = figure.table(subject)
    (column,) = [i for i, name in enumerate(table.columns) if name.startswith("OR [95%")]
    shown = [row for row, group in zip(table.rows, table.groups, strict=True) if group == "Studies"]
    assert seen == [row[column].split()[0] for row in shown]


def test_the_specification_on_the_page_is_the_file_beside_it(folder, elements):
    (pre,) = all_of(elements, "pre")
    file = folder[0] / PLACE / "comparison.toml"
    assert pre.text.strip() == file.read_text(encoding="utf-8").strip()
    assert len(bm.read_comparison(file).outcomes) == 2


def test_the_audit_finds_the_interval_that_has_not_its_estimate_in_the_middle(elements):
    assert any("0.15 to 2.99 has its middle at" in one.text for one in all_of(elements, "td"))


def test_every_figure_has_a_table_and_a_sentence_per_row(elements):
    rows, sentences = [], []
    for one in elements:
        if one.tag == "figure":
            rows.append([])
            sentences.append([])
        elif one.within("figure") and one.attrs.get("scope") == "row":
            rows[-1].append([one.text])
        elif one.within("figure") and one.tag == "td":
            rows[-1][-1].append(one.text)
        elif one.tag == "li" and one.within("ul", "sentences"):
            sentences[-1].append(one.text)
    assert len(rows) == 2 * 4  # too few studies for a funnel
    for of_figure, told in zip(rows, sentences, strict=True):
        assert len(of_figure) == len(told) > 0
        for row, sentence in zip(of_figure, told, strict=True):
            assert all(cell in sentence for cell in row if cell != NONE)


def test_the_tables_of_the_smaller_figures_have_the_numbers_of_the_result(folder):
    result = folder[1][1]
    exact = result.models[0].exact
    why = {row[0].split(":")[0]: row[1:] for row in why_page_table(result).rows}
    (reml,) = [row for row in result.rows if row.label.startswith("REML")]
    assert why["REML"][1] == show(np.exp(reml.estimate), 3)
    prior, posterior, *_ = prior_posterior_page_table(result, ("mu", "tau")).rows
    assert prior[1:] == ("1", "0.00398, 251")  # exp(1.96 x 2.82)
    low, high = np.exp(exact.mu.quantile([0.025, 0.975]))
    assert posterior[2] == f"{low:.3g}, {high:.3g}"
    first = funnel_page_table(result).rows[0]
    se = np.sqrt(1 / 2 + 1 / 48 + 1 / 9 + 1 / 41)  # 2/50 and 9/50
    assert first[1:] == (show(2 * 41 / (9 * 48), 3), show(se, 3))


@pytest.mark.filterwarnings("ignore:Glyph")  # of the letters that a font has not
def test_a_page_of_many_outcomes_has_their_forest_plots_only(folder):
    subject = Subject(result=folder[1][1])
    few, many = (draw_figures(subject, "x", many=many) for many in (False, True))
    assert [one.name for one in few] == ["forest", "why-they-differ", "prior-posterior"]
    assert [one.name for one in many] == ["forest"]


def test_conclusions_are_there_as_data(folder):
    path = folder[0] / PLACE / "conclusions.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    assert [one["outcome"] for one in content["outcomes"]] == [f"death {EVIL}", "pain / fever"]


# --- rules of the page ---------------------------------------------------------------------------


def test_markup_of_users_is_shown_and_not_run(text, index, elements):
    both = elements + read_page(index)
    assert all_of(both, "script", "b", "i") == []
    (h1,) = all_of(elements, "h1")
    assert h1.text == f"Drug & co {EVIL}"
    assert any(one.text == f"Hart {EVIL}" for one in all_of(elements, "th"))
    assert any("Table <b>trials.csv" in one.text for one in all_of(elements, "p"))
    assert any("<i>drug against placebo" in one.text for one in all_of(elements, "p"))
    titles = [one.text for one in all_of(elements, "title") if one.within("svg")]
    assert any(f"death {EVIL}" in one for one in titles)
    assert all(quote(PLACE) in one.attrs["href"] for one in all_of(read_page(index), "a")[1:])
    assert "<script" not in text + index


def test_nothing_is_fetched_from_elsewhere(text, index):
    for page in (text, index):
        for one in read_page(page):
            assert "src" not in one.attrs
            for name in ("href", "xlink:href"):
                assert not re.match(r"(https?:)?//", one.attrs.get(name) or "")
        assert "@import" not in page
        assert not re.findall(r"url\((?!#)", page)
        assert "default-src 'none'" in page


def test_all_links_lead_somewhere(folder, text, index):
    for page, place in ((text, folder[0] / PLACE), (index, folder[0])):
        elements = read_page(page)
        ids = [one.attrs["id"] for one in elements if "id" in one.attrs]
        assert len(ids) == len(set(ids))
        for one in elements:
            link = one.attrs.get("href", one.attrs.get("xlink:href"))
            if link is None:
                continue
            file, _, target = link.partition("#")
            if file:
                found = place / unquote(file)
                assert f'id="{target}"' in found.read_text(encoding="utf-8")
            else:
                assert target in ids


@pytest.mark.parametrize("which", ["report", "index"])
def test_the_page_can_be_heard_and_used_by_keyboard(text, index, which):
    elements = read_page(text if which == "report" else index)
    (html,) = all_of(elements, "html")
    assert html.attrs["lang"] == "en"
    (title,) = [one for one in all_of(elements, "title") if not one.within("svg")]
    assert title.text.strip()
    assert len(all_of(elements, "main")) == len(all_of(elements, "h1")) == 1
    first = next(one for one in elements if one.tag == "a")
    assert (first.attrs["class"], first.attrs["href"]) == ("skip", "#main")
    levels = [int(one.tag[1]) for one in all_of(elements, "h1", "h2", "h3", "h4")]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    ids = {one.attrs["id"] for one in elements if "id" in one.attrs}
    for one in elements:
        assert set((one.attrs.get("aria-labelledby") or "").split()) <= ids
    for one in all_of(elements, "th"):
        assert one.attrs["scope"] in ("col", "row", "rowgroup")
        assert one.text.strip()
    for one in all_of(elements, "svg"):
        assert one.attrs["role"] == "img"
        assert one.attrs["aria-labelledby"]
    for one in elements:
        if "scroll" in (one.attrs.get("class") or "").split():
            assert one.attrs["tabindex"] == "0"
            assert one.attrs["role"] in ("region", "group")
            assert "aria-label" in one.attrs or "aria-labelledby" in one.attrs
    assert len(all_of(elements, "details")) == len(all_of(elements, "summary"))


@pytest.mark.parametrize("scheme", [0, 1, 2], ids=["light", "dark", "print"])
def test_text_stands_out_from_its_ground(scheme):
    colours = palettes(read_style())[scheme]
    for ground in ("page", "shade"):
        for ink in ("text", "quiet", "link", "good", "bad"):
            assert contrast(colours[ink], colours[ground]) >= 4.5, (ink, ground)


def test_the_contrast_ratio_is_that_of_the_guideline():
    assert round(contrast("#000000", "#ffffff"), 2) == 21
    assert round(contrast("#777777", "#ffffff"), 2) == 4.48  # a known near miss


# --- tables as files -----------------------------------------------------------------------------


def test_signs_of_latex_and_markdown_in_names_are_text():
    table = Table(name="t", caption="50% & {more}", columns=("study", "n_1"),
                  rows=((r"A_B\C#~^", "<0.05 | *x*"),))  # fmt: skip
    latex, markdown = as_latex(table), as_markdown(table)
    assert r"A\_B\textbackslash{}C\#\textasciitilde{}\textasciicircum{}" in latex
    assert r"\caption{50\% \& \{more\}}" in latex
    assert r"| A\_B\\C\#~^ | \<0.05 \| \*x\* |" in markdown


def test_a_row_that_does_not_fit_its_table_is_refused():
    with pytest.raises(ValueError, match="a row has not the 2 cells"):
        Table(name="t", caption="", columns=("a", "b"), rows=(("1",),))


# --- the index -----------------------------------------------------------------------------------


def test_the_index_begins_where_the_conclusion_changes(tmp_path):
    order = []
    for name, published, bayesian in (("a", "below", "below"), ("b", "below", "above"),
                                      ("c", "below", "includes")):  # fmt: skip
        one = {"outcome": name, "headline": "", "null": "1", "published": [published], "k": 2,
               "frequentist": [], "bayesian": [bayesian], "failed": False, "status": "",
               "place": "outcome-1"}  # fmt: skip
        (tmp_path / name).mkdir()
        content = {"title": f"title {name}", "outcomes": [one]}
        (tmp_path / name / "conclusions.json").write_text(json.dumps(content))
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "conclusions.json").write_text("{ broken")
    text = write_index(tmp_path).read_text(encoding="utf-8")
    order = [one.text for one in all_of(read_page(text), "a")[1:]]
    assert order == ["b", "c", "a"]
    assert "3 outcomes: the conclusion changes in 2" in text
    assert "d/conclusions.json" in text  # named, not dropped


# --- a browser -----------------------------------------------------------------------------------


def test_there_is_a_browser_that_opens_the_pages():
    if CHROMIUM is None and "BAYESMETA_NEEDS_CHROMIUM" not in os.environ:
        pytest.skip("there is no Chromium: tests/report/test_browser.py was left out")
    assert CHROMIUM is not None
