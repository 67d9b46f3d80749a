"""Run by an installed wheel, away from the repository: its data, its models, an exact fit."""

from importlib.metadata import version
from pathlib import Path

import bayesmeta as bm
from bayesmeta.comparison import read_comparison
from bayesmeta.report.html.page import environment, read_style

package = Path(bm.__file__).parent
assert "site-packages" in package.parts, package

tables = {name: bm.load(name) for name in bm.available()}
models = {path.stem: read_comparison(path) for path in (package / "_models").glob("*.toml")}
assert tables, package
assert models, package

for comparison in models.values():
    (studies, *_) = comparison.load()
    for model in comparison.models:
        posterior = bm.fit(model, studies)
        assert posterior.ok, posterior.accuracy

assert read_style(), package
assert environment().get_template("template.html"), package

print(f"bayesmeta {version('bayesmeta')}: tables {', '.join(tables)}; models {', '.join(models)}")
