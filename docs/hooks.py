"""How mkdocs builds the site: it has the paths of the repository, so a relative link works there as on GitHub."""

import pathlib
import re
from collections.abc import Iterator
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.plugins import event_priority
from mkdocs.structure.files import File, Files

LINK = re.compile(r'(?:\]\(|src=")(?!\w+:)([^)#"\s]+)')


@event_priority(100)  # before the plugin that converts notebooks
def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Replace the files of `docs_dir` by the pages of the navigation and the files that these link to."""
    root = pathlib.Path(config.config_file_path).parent
    for file in list(files):
        if file.src_dir == config.docs_dir:
            files.remove(file)
    pages = set(leaves(config.nav))
    for path in pages | {link for page in pages for link in links(root, page)} | {"docs/site.css"}:
        files.append(File(path, str(root), config.site_dir, config.use_directory_urls))
    return files


def leaves(nav: Any) -> Iterator[str]:
    """Yield the paths of a navigation, which mappings give titles and lists nest."""
    if isinstance(nav, str):
        yield nav
    else:
        for part in nav.values() if isinstance(nav, dict) else nav:
            yield from leaves(part)


def links(root: pathlib.Path, page: str) -> Iterator[str]:
    """Yield the paths, from the root of the repository, of the files that a page links to."""
    for target in LINK.findall((root / page).read_text()) if page.endswith(".md") else ():
        path = (root / page).parent.joinpath(target).resolve()
        if path.is_file():
            yield path.relative_to(root).as_posix()
