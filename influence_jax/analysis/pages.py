"""Pages for a browser, each one file that needs neither a network nor a server."""

import dataclasses
import html
import pathlib

from influence_jax.settings import file_path


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Page:
    """A page to look at in a browser or a notebook, from `influence_jax.report` or `Trace.page`."""

    html: str

    def __repr__(self) -> str:
        return f"Page of {len(self.html) / 1e6:.1f} MB; a notebook shows it, and save(path) writes it"

    def save(self, path: str | pathlib.Path) -> None:
        """Write the page, which a browser opens from disk."""
        path = file_path("path", path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.html, encoding="utf-8")

    def _repr_html_(self) -> str:
        frame = "width:100%;height:56rem;border:0"
        return f'<iframe sandbox="allow-scripts" style="{frame}" srcdoc="{html.escape(self.html)}"></iframe>'
