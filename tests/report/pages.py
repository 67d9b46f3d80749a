"""Reading a page as a browser does, as far as tests need it."""

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

EVIL = "<script>document.title = 'run'</script>"  # in what users write
PLACE = "a <b>comparison & more"  # the name of the file, and of the folder of its results
VOID = {"meta", "br", "link", "img", "input", "hr"}


@dataclass
class Element:
    tag: str
    attrs: dict
    text: str = ""
    parents: tuple = ()

    def within(self, tag, kind=""):
        """Tell whether it stands in an element with this tag and class."""
        return any(
            one.tag == tag and kind in ("", *one.attrs.get("class", "").split())
            for one in self.parents
        )


@dataclass
class Read(HTMLParser):
    elements: list = field(default_factory=list)
    open: list = field(default_factory=list)

    def __post_init__(self):
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag, attrs):
        element = Element(tag, dict(attrs), parents=tuple(self.open))
        self.elements.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag, attrs):
        self.elements.append(Element(tag, dict(attrs), parents=tuple(self.open)))

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open[-1].tag == tag, f"</{tag}> where <{self.open[-1].tag}> is open"
        self.open.pop()

    def handle_data(self, data):
        for element in self.open:
            element.text += data


def read_page(text):
    page = Read()
    page.feed(text)
    assert page.open == []
    return page.elements


def all_of(elements, *tags):
    return [one for one in elements if one.tag in tags]


def luminance(colour):
    """Relative luminance of #rrggbb (WCAG 2.2)."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    """Contrast ratio (WCAG 2.2)."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def palettes(style):
    """Give the colours of the style sheet's blocks :root, in order."""
    blocks = re.findall(r":root \{(.*?)\}", style, flags=re.DOTALL)
    return [dict(re.findall(r"--(\w+): (#\w{6})", block)) for block in blocks]
