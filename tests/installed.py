"""Packages as if they were installed."""

import importlib
import sys
import tomllib

from influence_jax import settings


def install(monkeypatch, place, sources, project):
    """Let Python find a project's packages in ``sources``, and its entry points as an installer notes them in ``place``."""
    about = tomllib.loads(project)["project"]
    info = place / f"{about['name'].replace('-', '_')}-{about['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {about['name']}\nVersion: {about['version']}\n")
    lines = [
        line
        for group, entries in about["entry-points"].items()
        for line in (f"[{group}]", *(f"{name} = {path}" for name, path in entries.items()))
    ]
    (info / "entry_points.txt").write_text("\n".join(lines))
    for path in (place, sources):
        monkeypatch.syspath_prepend(str(path))
    importlib.invalidate_caches()
    settings.plugins.cache_clear()


def uninstall(package):
    """Forget what was imported from a package, and every entry point; what was on the path goes with the monkeypatch."""
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        del sys.modules[name]
    settings.plugins.cache_clear()
