"""What `mkdocs build` asks this project: pages of the reference, of notebooks, and pages outside of `docs/`."""

from __future__ import annotations

import inspect
import os.path
import posixpath
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import griffe
import jupytext
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

import polykeras

ROOT = Path(__file__).parents[1]
OUTSIDE = (
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "backends/polykeras_jax/README.md",
    "backends/polykeras_tensorflow/README.md",
    "backends/polykeras_torch/compiler/README.md",
    "polykeras/backend/native/README.md",
    "tests/README.md",
)
"""Pages that keep their place in the repository; on the site they have the same path."""
NOTEBOOKS = ROOT / "examples" / "notebooks"
SPLIT = ("layers", "ops")
"""Modules with a page for each family."""
LINK = re.compile(r"(\]\()([^)#:\s]+)((?:#[^)\s]*)?\))")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put the pages of the reference into the menu."""
    reference = next(entry["Reference"] for entry in config.nav if "Reference" in entry)
    menus: dict[str, list[Any]] = {}
    for path in reference_pages():
        *module, name = Path(path).with_suffix("").parts[1:]
        entry = {name: path}
        if module and module[0] not in menus:
            menus[module[0]] = []
            reference.append({module[0]: menus[module[0]]})
        (menus[module[0]] if module else reference).append(entry)
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages of the reference, those of notebooks, and those outside of `docs/`."""
    for path, text in (reference_pages() | dict(notebook_files())).items():
        files.append(File.generated(config, path, content=text))
    for path in OUTSIDE:
        files.append(File.generated(config, path, abs_src_path=str(ROOT / path)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Let links that lead through the repository lead through the site."""
    here = page.file.src_uri
    if here == "reference/index.md":
        return markdown + "\n" + "\n".join(f"- [{title(path)}]({path[10:]})" for path in reference_pages())
    in_repository = here if here in OUTSIDE else f"docs/{here}"

    def moved(match: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(in_repository), match[2]))
        target = target.removeprefix("docs/")
        if here not in OUTSIDE and target not in OUTSIDE:
            return match[0]
        return match[1] + os.path.relpath(target, os.path.dirname(here) or ".").replace(os.sep, "/") + match[3]

    return LINK.sub(moved, markdown)


# Notebooks: each source is a page, with the pictures in `docs/pictures/notebooks`, and a file for Jupyter.


def notebook_files() -> Iterator[tuple[str, str]]:
    """Yield path and text of the pages of notebooks, and of the files for Jupyter."""
    for source in sorted(NOTEBOOKS.glob("*.py")):
        notebook = jupytext.read(source)
        notebook.metadata["kernelspec"] = {"name": "python3", "language": "python", "display_name": "Python 3"}
        yield f"notebooks/{source.stem}.ipynb", jupytext.writes(notebook, fmt="ipynb")
        yield f"notebooks/{source.stem}.md", notebook_page(source.stem, notebook)


def notebook_page(name: str, notebook: Any) -> str:
    """Return a notebook as Markdown."""
    parts, shown = [], 0
    for cell in notebook.cells:
        parts.append(cell.source if cell.cell_type == "markdown" else f"```python\n{cell.source}\n```")
        if "plt.show()" in cell.source:
            shown += 1
            parts.append(f"![what the code above draws](../pictures/notebooks/{name}_{shown}.png)")
    title, end, text = "\n\n".join(parts).partition("\n")
    return f"{title}\n\n[Download this notebook]({name}.ipynb) to run it in Jupyter.\n{end}{text}"


# The reference: a page for each module of the public API, from its `__all__`.


class Examples(griffe.Extension):
    """Lets examples in docstrings be read: our section `Example` is `Examples` in Google's style."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rename the section."""
        if obj.docstring:
            obj.docstring.value = obj.docstring.value.replace("\nExample:\n", "\nExamples:\n")


_PAGES: dict[str, str] = {}


def title(path: str) -> str:
    """Return the dotted name of what a page of the reference is about."""
    return ".".join(["polykeras", *Path(path).with_suffix("").parts[1:]]).replace("polykeras.polykeras", "polykeras")


def reference_pages() -> dict[str, str]:
    """Return the text of each page of the reference, by its path."""
    if not _PAGES:
        shown: dict[int, str] = {}
        for path, module, prefix, names in pages():
            text = "\n".join(entry(f"{prefix}.{name}", getattr(module, name), shown) for name in names)
            _PAGES[path] = f"# {title(path)}\n\n{inspect.getdoc(module) or ''}\n\n{text}"
    return _PAGES


def pages() -> Iterator[tuple[str, ModuleType, str, list[str]]]:
    """Yield path, module, public prefix and names of each page."""
    top = [name for name in polykeras.__all__ if not inspect.ismodule(getattr(polykeras, name))]
    modules = [name for name in polykeras.__all__ if inspect.ismodule(getattr(polykeras, name))]
    yield "reference/polykeras.md", polykeras, "polykeras", top  # first: modules then refer to the base classes here
    for public in modules:
        module = getattr(polykeras, public)
        prefix = f"polykeras.{public}"
        if public in SPLIT:
            families = sorted(path.stem for path in Path(module.__path__[0]).iterdir() if not path.stem.startswith("_"))
            for family in families:
                part = import_module(f"{prefix}.{family}")
                names = [name for name in getattr(part, "__all__", ()) if hasattr(module, name)]
                own = f"{prefix}.image" if (public, family) == ("ops", "image") else prefix
                if names := names or (part.__all__ if own != prefix else []):
                    yield f"reference/{public}/{family}.md", part, own, names
            continue
        yield f"reference/{public}.md", module, prefix, public_names(module)


def public_names(module: ModuleType) -> list[str]:
    """Return what a module offers: its `__all__`, or what is defined in it."""
    if hasattr(module, "__all__"):
        return sorted(module.__all__, key=str.lower)
    return sorted(
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == module.__name__
    )


def entry(name: str, value: Any, shown: dict[int, str]) -> str:
    """Return the lines of a page that show `value`, or where it is shown already under another name."""
    if id(value) in shown:
        return f"**`{name}`** is `{shown[id(value)]}`.\n"
    if inspect.ismodule(value):
        parts = [entry(f"{name}.{part}", getattr(value, part), shown) for part in public_names(value)]
        return "\n".join([f"**`{name}`**: {inspect.getdoc(value) or ''}\n", *parts])
    if not (inspect.isclass(value) or inspect.isfunction(value)):
        return f"**`{name}`** = `{value!r}`\n"
    shown[id(value)] = name
    anchor, short = f"[](){{ #{name} }}", name.rpartition(".")[2]
    source = inspect.unwrap(value)
    source = getattr(source, "__func__", source)  # an op is a method of the contract
    if "<locals>" in source.__qualname__ or (inspect.isfunction(source) and source.__code__.co_name != source.__name__):
        # Made by a call: it does not stand in the source.
        text = f"{short}{inspect.signature(value)}\n\n{inspect.getdoc(value)}"
        return f"{anchor}\n\n## `{name}`\n\n```text\n{text}\n```\n"
    inherited = name.count(".") == 1  # of the base classes, which are put together from several
    options = f"    options:\n      heading: {name}\n      toc_label: {short}\n      inherited_members: {inherited}\n"
    return f"{anchor}\n\n::: {source.__module__}.{source.__qualname__}\n{options}"
