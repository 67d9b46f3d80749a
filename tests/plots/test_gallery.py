"""The gallery: every plot, from its docstring's example."""

import importlib
import re
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

import bayesmeta as bm

DOCS = Path(__file__).parents[2] / "docs"
PLOT = '''
"""A plot of nothing."""
from matplotlib.figure import Figure

def dots():
    """Draw nothing at all.

    Examples
    --------
    >>> import bayesmeta as bm
    >>> ax = bm.plots.dots()
    >>> ax.has_data()
    False
    """
    return Figure().add_subplot()
'''


@pytest.fixture
def gallery():
    spec = spec_from_file_location("make_gallery", DOCS / "make_gallery.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def new_plot(tmp_path, monkeypatch):
    """A plot of one file, and nothing else, in the folder of plots."""
    (tmp_path / "dots_plot.py").write_text(PLOT, encoding="utf-8")
    monkeypatch.setattr(bm.plots, "__path__", [*bm.plots.__path__, str(tmp_path)])
    importlib.invalidate_caches()
    yield tmp_path / "dots_plot.py"
    sys.modules.pop("bayesmeta.plots.dots_plot", None)
    vars(bm.plots).pop("dots_plot", None)


def names(gallery):
    return [re.search(r"^## `(\w+)`", one, re.M).group(1) for one in gallery.sections()]


def test_every_plot_is_in_the_gallery(gallery):
    assert names(gallery) == dir(bm.plots)


def test_a_new_plot_is_one_file_and_appears(gallery, new_plot):
    assert "dots" in dir(bm.plots)
    assert not bm.plots.dots().has_data()
    assert "dots" in names(gallery)
    section = next(one for one in gallery.sections() if "## `dots`" in one)
    assert "Draw nothing at all." in section
    assert section.endswith("import bayesmeta as bm\nax = bm.plots.dots()\n```\n")


def test_a_plot_without_an_example_is_told(gallery, new_plot):
    new_plot.write_text(PLOT.replace(">>> ax = ", ">>> _ "), encoding="utf-8")
    with pytest.raises(ValueError, match=r"bm\.plots\.dots has no example"):
        list(gallery.sections())


def test_an_example_ends_where_the_picture_is_drawn(gallery):
    last = gallery.example_of("why_they_differ").splitlines()[-1]
    assert "bm.plots.why_they_differ(" in last


def test_the_page_is_written_once(gallery, tmp_path):
    gallery.write_gallery(tmp_path)
    page = tmp_path / "gallery" / "index.md"
    before = page.stat().st_mtime_ns
    gallery.write_gallery(tmp_path)
    assert page.stat().st_mtime_ns == before
    assert page.read_text(encoding="utf-8").count("{code-cell}") == len(dir(bm.plots)) + 1


def test_the_reference_lists_every_plot():
    text = (DOCS / "api" / "index.md").read_text(encoding="utf-8")
    for name in dir(bm.plots):
        assert f"   plots.{name}\n" in text
