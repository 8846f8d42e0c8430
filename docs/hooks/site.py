# SPDX-License-Identifier: Apache-2.0
"""What MkDocs does beyond copying Markdown: a page per problem, and outputs that are really printed."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import entry_points

import console
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

RESULTS = """
## Latest results

A first look, made together with this page: a few solvers on the shipped workload. [Its report]({name}/report.html)
has the intervals drawn, the costs, and every instance; without `--quick` it is all solvers and all instances.

```console
$ trimtab run {name} --quick --out run
```
"""


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Give every problem its line in the navigation."""
    assert config.nav is not None
    for entry in config.nav:
        if "Problems" in entry:
            entry["Problems"] += [f"problems/{name}.md" for name in problems()]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    for name in problems():
        card = (console.SOURCE / "problems" / name / "README.md").read_text()
        page = filled(card.rstrip() + "\n" + RESULTS.format(name=name), f"problem-{name}")
        report = console.KEPT / f"problem-{name}" / "work" / "run" / "report.html"
        files.append(File.generated(config, f"problems/{name}.md", content=page))
        files.append(File.generated(config, f"problems/{name}/report.html", abs_src_path=str(report)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    if page.file.generated_by:
        return markdown
    return filled(markdown, page.file.src_uri.removesuffix(".md").replace("/", "-"))


def filled(markdown: str, name: str) -> str:
    try:
        return console.fill(markdown, name)
    except console.Failed as error:
        raise PluginError(f"{name}: {error}") from error


def problems() -> list[str]:
    """trimtab's own, by their entry points; a plugin that happens to be installed has its own site."""
    return sorted(_built_in())


def _built_in() -> Iterator[str]:
    for entry in entry_points(group="trimtab.problems"):
        if entry.value.startswith("trimtab."):
            yield entry.name
