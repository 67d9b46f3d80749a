"""The pages in a browser: at desktop and phone width, light and dark, with a checker."""

import pytest
from report.browser import View, open_pages
from report.pages import PLACE

NAMES = (f"{PLACE}/report.html", "index.html")
LOOKS = ((1280, "light"), (390, "light"), (1280, "dark"))

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def opened(folder, tmp_path_factory):
    """What the browser measured in every page and look, and what it complained of."""
    views = [
        View(folder[0] / name, width, scheme, axe=width == 1280)
        for name in NAMES
        for width, scheme in LOOKS
    ]
    found, errors = open_pages(views, tmp_path_factory.mktemp("browser"))
    keys = [(name, *look) for name in NAMES for look in LOOKS]
    return dict(zip(keys, found, strict=True)), errors


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("name", NAMES)
def test_all_of_a_page_is_seen_without_scrolling_sideways(opened, name, look):
    found = opened[0][name, *look]
    assert found["inner"] in (look[0], look[0] - 15)  # a scroll bar
    assert found["scroll"] <= found["inner"]
    assert found["wide"] == found["clipped"] == []


@pytest.mark.parametrize("name", NAMES)
def test_a_page_runs_nothing_fetches_nothing_and_leads_somewhere(opened, name):
    for look in LOOKS:
        found = opened[0][name, *look]
        assert found["title"] != "run"
        assert found["fetched"] == 0
        assert found["links"] == []
    assert opened[1] == []


@pytest.mark.parametrize("name", NAMES)
def test_a_page_is_dark_where_the_reader_wants_it(opened, name):
    assert opened[0][name, 1280, "light"]["ground"] == "rgb(255, 255, 255)"
    assert opened[0][name, 1280, "dark"]["ground"] == "rgb(21, 25, 30)"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", NAMES)
def test_the_accessibility_checker_finds_no_fault(opened, name, scheme):
    found = opened[0][name, 1280, scheme]
    assert {"color-contrast", "html-has-lang"} <= set(found["rules"])
    assert found["faults"] == []


def test_the_browser_sees_what_is_wrong_with_a_page(tmp_path):
    page = tmp_path / "wrong.html"
    page.write_text(
        '<!DOCTYPE html><html><body style="background:#fff"><p style="width:600px">x</p>'
        '<a href="#no">y</a>'
        '<p style="width:9em; overflow:hidden; white-space:nowrap; '
        'color:#bbb">longer than it is wide</p>'
        "<script>console.error('it broke')</script></body></html>"
    )
    (found,), errors = open_pages([View(page, 390)], tmp_path)
    assert found["scroll"] > found["inner"]
    assert found["wide"] == ["P x"]
    assert found["clipped"] == ["P longer than it is wide"]
    assert found["links"] == ["A y"]
    assert {"color-contrast", "html-has-lang"} <= {one["id"] for one in found["faults"]}
    assert any("it broke" in one for one in errors)
