"""Write the gallery's page: the example of each plot's docstring, run when the page is built."""

import inspect
from collections.abc import Iterator
from doctest import DocTestParser
from pathlib import Path

import bayesmeta as bm

_HEAD = """---
jupytext:
  text_representation:
    extension: .md
    format_name: myst
kernelspec:
  display_name: Python 3
  language: python
  name: python3
---

# Gallery

Every picture that the package draws, by the code beside it, run when this page was built. Each is
one function of one result, takes axes (`ax=...`) or makes pyplot's next figure, of the right size,
and returns the axes; `ax.figure.savefig("name.svg")` writes PNG, SVG or PDF.

```{code-cell} ipython3
:tags: [remove-cell]
%matplotlib inline
```
"""
_SECTION = """
## `{name}`

{summary} [All options](../api/generated/bayesmeta.plots.{name}.rst).

```{{code-cell}} ipython3
---
mystnb:
  image:
    alt: "{summary}"
---
{code}```
"""


def example_of(name: str) -> str:
    """Give the code of a plot's example up to the line that draws it; the page shows the figure.

    Raises
    ------
    ValueError
        The docstring has no line such as `ax = bm.plots.NAME(...)`.
    """
    code = []
    for example in DocTestParser().get_examples(getattr(bm.plots, name).__doc__ or ""):
        code.append(example.source)
        if f" = bm.plots.{name}(" in example.source:
            return "".join(code)
    raise ValueError(f"bm.plots.{name} has no example for the gallery: ax = bm.plots.{name}(...)")


def sections() -> Iterator[str]:
    """Give a section for each plot."""
    for name in dir(bm.plots):
        code = example_of(name)
        summary = (inspect.getdoc(getattr(bm.plots, name)) or "").split("\n", 1)[0]
        yield _SECTION.format(summary=summary, name=name, code=code)


def write_gallery(folder: Path) -> None:
    """Write the page, if it is not there as it should be."""
    page = folder / "gallery" / "index.md"
    page.parent.mkdir(exist_ok=True)
    text = _HEAD + "".join(sections())
    if not page.exists() or page.read_text(encoding="utf-8") != text:
        page.write_text(text, encoding="utf-8")
