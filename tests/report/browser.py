"""Opening pages in Chromium, in frames of any width, and measuring them there."""

import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from html import unescape
from importlib.resources import files
from pathlib import Path

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

MEASURE = """<script src="axe.min.js"></script><script>
addEventListener("load", async () => {
  document.querySelectorAll("details").forEach(one => { one.open = true; });
  const name = one => `${one.tagName} ${one.textContent.slice(0, 40)}`;
  const all = [...document.querySelectorAll("body *")];
  const wide = all.filter(one => !one.closest(".scroll, pre, .skip")
    && one.getBoundingClientRect().right > innerWidth + 1).map(name);
  const clipped = all.filter(one => !one.closest("svg, .skip") && !one.matches(".scroll, pre")
    && one.scrollWidth > one.clientWidth + 1
    && getComputedStyle(one).overflowX !== "visible").map(name);
  const fetched = performance.getEntriesByType("resource").filter(
    one => !one.name.endsWith("axe.min.js")).length;
  const links = [...document.querySelectorAll("a[href^='#']")].filter(
    one => !document.getElementById(one.hash.slice(1))).map(name);
  const found = {scroll: document.documentElement.scrollWidth, inner: innerWidth,
    title: document.title, wide, clipped, fetched, links,
    ground: getComputedStyle(document.body).backgroundColor, faults: []};
  if (AXE) {
    const done = await axe.run(document, {resultTypes: ["violations"], iframes: false});
    found.faults = done.violations.map(one => ({id: one.id, impact: one.impact,
      nodes: one.nodes.slice(0, 3).map(node => node.html.slice(0, 120))}));
    found.rules = done.passes.map(one => one.id);
  }
  parent.postMessage([INDEX, found], "*");
});
</script></body>"""

FRAMES = """<!DOCTYPE html><html><body>%s<script>
const found = {};
addEventListener("message", event => {
  found[event.data[0]] = event.data[1];
  document.body.dataset.found = JSON.stringify(found);
});
</script></body></html>"""


@dataclass(frozen=True)
class View:
    """A page, as wide as a screen, in light or dark; `axe`: with the accessibility checker."""

    path: Path
    width: int
    scheme: str = "light"
    axe: bool = True


def open_pages(views, folder):
    """Open all of them in one browser; give what was measured in each, and what it complained of.

    The pages forbid scripts; copies of them, without that, do the measuring. The pages as they are
    are opened too, for what the browser has to say of them.
    """
    script = files("axe_core_python") / "axe.min.js"
    (folder / "axe.min.js").write_text(script.read_text(encoding="utf-8"), encoding="utf-8")
    frames = []
    for i, view in enumerate(views):
        text = view.path.read_text(encoding="utf-8")
        text = re.sub(r"<meta http-equiv=[^>]*>", "", text)
        measure = MEASURE.replace("INDEX", str(i)).replace("AXE", "true" if view.axe else "false")
        (folder / f"{i}.html").write_text(text.replace("</body>", measure), encoding="utf-8")
        look = f'width="{view.width}" height="900" style="color-scheme: {view.scheme}"'
        frames.append(f'<iframe src="{i}.html" {look}></iframe>')
    frames += [f'<iframe src="{path.as_uri()}"></iframe>' for path in {one.path for one in views}]
    outer = folder / "frames.html"
    outer.write_text(FRAMES % "".join(frames), encoding="utf-8")
    done = subprocess.run(
        [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr",
         "--allow-file-access-from-files", f"--user-data-dir={folder / 'profile'}",
         "--window-size=1400,1000", "--virtual-time-budget=60000", "--dump-dom", outer.as_uri()],
        capture_output=True, text=True, check=True, timeout=240,
    )  # fmt: skip
    found = json.loads(unescape(re.search(r'data-found="([^"]*)"', done.stdout)[1]))
    errors = re.findall(r".*CONSOLE.*", done.stderr)
    return [found[str(i)] for i in range(len(views))], errors
