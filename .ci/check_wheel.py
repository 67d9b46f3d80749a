"""Run by an installed wheel, away from the repository: its data, its models, exact fits."""

from importlib.metadata import version
from pathlib import Path

import bayesmeta as bm
from bayesmeta.comparison import read_comparison
from bayesmeta.report.html.page import environment, read_style

package = Path(bm.__file__).parent
assert "site-packages" in package.parts, package

tables = {name: bm.load(name) for name in bm.available()}
publications = {name: bm.load_published(name) for name in bm.available_published()}
files = sorted((package / "_models").rglob("*.toml"))
assert tables, package
assert publications, package
assert files, package

for file in files:
    comparison = read_comparison(file)
    outcome, studies = comparison.outcomes[0], comparison.load()[0]
    for model in comparison.models_of(outcome):
        if studies:
            posterior = bm.fit(model, studies[0])
        else:
            posterior = bm.from_published(outcome.published, model)
        assert posterior.ok, posterior.accuracy

assert read_style(), package
assert environment().get_template("template.html"), package

told = f"tables {', '.join(tables)}; publications {', '.join(publications)}"
print(f"bayesmeta {version('bayesmeta')}: {told}; {len(files)} comparison files")
