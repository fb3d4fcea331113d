"""The directory of a run: which configuration it belongs to, and on what it was run."""

import dataclasses
import datetime
import json
import pathlib
import platform
import sys
from importlib import metadata
from typing import Any

import jax

from influence_jax.config import ConfigError, ExperimentConfig, from_json, to_json

FORMAT_VERSION = 1  # of everything in the directory; raise it when older files can no longer be read


def claim(directory: pathlib.Path, config: ExperimentConfig) -> None:
    """Make the directory that of a new run; refuse one that holds a run."""
    if any((directory / name).exists() for name in ("config.json", "checkpoints", "metrics.jsonl")):
        raise ConfigError(f"out is {str(directory)!r}, which holds a run; allowed are another directory, or to resume.")
    if directory.exists() and not directory.is_dir():
        raise ConfigError(f"out is {str(directory)!r}, which is a file; allowed are directories.")
    directory.mkdir(parents=True, exist_ok=True)
    save_config(config, directory)


def reclaim(directory: pathlib.Path, config: ExperimentConfig) -> None:
    """Refuse to go on with a run under another configuration."""
    saved, given = (_flatten(dataclasses.asdict(c)) for c in (load_config(directory), config))
    different = [f"{path} is {given[path]!r}, was {saved[path]!r}" for path in saved if saved[path] != given[path]]
    if different:
        raise ConfigError(f"{str(directory)!r} holds a run under another configuration: {'; '.join(different)}.")


def save_config(config: ExperimentConfig, directory: pathlib.Path) -> None:
    """Write ``config.json``."""
    text = json.dumps({"format_version": FORMAT_VERSION} | json.loads(to_json(config)), indent=2) + "\n"
    (directory / "config.json").write_text(text)


def load_config(directory: pathlib.Path) -> ExperimentConfig:
    """Read ``config.json``; refuse a directory without a run and a format that this version does not know."""
    path = directory / "config.json"
    if not path.exists():
        raise ConfigError(f"{str(directory)!r} holds no run; allowed is a directory that `train` wrote.")
    values = json.loads(path.read_text())
    version = values.pop("format_version", None)
    if version != FORMAT_VERSION:
        raise ConfigError(f"format_version of {str(path)!r} is {version!r}; this version reads {FORMAT_VERSION}.")
    return from_json(json.dumps(values))


def stamp(directory: pathlib.Path, update: int) -> None:
    """Add to ``run.json`` when, from where and on what this part of the run was done."""
    path = directory / "run.json"
    parts = json.loads(path.read_text()) if path.exists() else []
    device = jax.devices()[0]
    parts.append(
        {
            "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "from_update": update,
            "command": sys.argv,
            "platform": device.platform,
            "device": device.device_kind,
            "machine": platform.machine(),
            "python": platform.python_version(),
        }
        | {name: _version(name) for name in ("influence_jax", "jax", "jaxlib", "flax", "optax", "numpy")}
    )
    path.write_text(json.dumps(parts, indent=2) + "\n")


def _version(package: str) -> str | None:
    """Return the installed version; None for a source tree that was not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _flatten(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat = {}
    for name, value in values.items():
        flat |= _flatten(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}
    return flat
