"""Runs, sweeps, their directories, or their metrics, as named groups of members."""

import collections
import dataclasses
import json
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from influence_jax.analysis.labels import distinct, labels
from influence_jax.analysis.load import load_metrics
from influence_jax.log_format import SHARED
from influence_jax.settings import ConfigError, file_path, nearest, short_repr

Metrics = Mapping[str, np.ndarray]  # [U,S], or [U,S,N] for metrics per agent
ALLOWED = "a run, a sweep, a directory of one, metrics, or several of them in a sequence or a mapping with names"


@dataclasses.dataclass(frozen=True)
class MemberMetrics:
    """The metrics of one program's members."""

    metrics: Metrics
    members: Sequence[Mapping[str, Any]] | None  # each member's number or trial, settings and seed; None if unknown
    hyperparams: Mapping[str, Any]  # values for members that do not set them

    @property
    def shared(self) -> dict[str, Any]:
        """These values by the names that members use."""
        own = {f"own.{name}": value for name, value in self.hyperparams.get("own", {}).items()}
        return {name: value for name, value in self.hyperparams.items() if name != "own"} | own


def name_of(run: Any) -> str:
    """Return the name of a run: its game and its influence model, such as ``harvest-moa``."""
    config = run.config
    names = config.env.name, config.influence.model, config.learner.shaper
    game, model, shaper = (name.rpartition(":")[2] for name in names)  # of parts of one's own, without their module
    model = {"independent": "a3c"}.get(model, model)
    shaper = "" if shaper == "individual" else f"-{shaper}"
    return f"{game}-{model}{shaper}".replace("_", "-")


def groups(runs: Any, by: str | Sequence[str] | None = None) -> dict[str, Metrics]:
    """Return the metrics of groups of members by label; labels are distinct.

    Args:
        runs: runs, sweeps, directories of either, or metrics: one, several in a sequence, or a mapping with names of your own.
        by: one or more settings; members with equal values form a group. By default each run and each trial of a sweep is one.

    Raises:
        ConfigError: there is nothing, or a setting is unknown.
    """
    settings = _settings(by)
    found: dict[tuple, list[Metrics]] = collections.defaultdict(
        list
    )  # keyed by what a group has in common, not by its label
    described: dict[tuple, dict[str, Any]] = {}
    named = _named(runs)
    for name, run in named.items():
        parts = _parts(name, run)
        for part in parts:
            for key, chosen, about in _groups_of(part, settings):
                whole = chosen.all()
                found[name, key].append(part.metrics if whole else {n: x[:, chosen] for n, x in part.metrics.items()})
                described[name, key] = about
        if not parts:
            raise ConfigError(f"runs has {name!r}, which has no log points yet; allowed: runs that have begun.")
    return dict(zip(_labels(named, described), (joined(parts) for parts in found.values()), strict=True))


def _settings(by: Any) -> list[str] | None:
    if by is None:
        return None
    found = [by] if isinstance(by, str) else by
    if not isinstance(found, Sequence) or not found or not all(isinstance(name, str) for name in found):
        raise ConfigError(f"by is {short_repr(by)}; allowed: the name of a setting, or several.")
    return [name.removeprefix("hyperparams.").replace("-", "_") for name in found]


def _named(runs: Any) -> dict[str, Any]:
    """Return runs by distinct names."""
    if isinstance(runs, Mapping) and not _is_metrics(runs):
        if not all(isinstance(name, str) for name in runs):
            raise ConfigError(f"runs is {short_repr(runs)}; allowed as names are texts.")
        named = dict(runs)
    else:
        several = list(runs) if isinstance(runs, list | tuple) else [runs]
        named = dict(zip(distinct([_name(run, number) for number, run in enumerate(several)]), several, strict=True))
    if not named:
        raise ConfigError(f"runs is {short_repr(runs)}, without anything in it; allowed: {ALLOWED}.")
    return named


def _name(run: Any, number: int) -> str:
    if isinstance(run, str | os.PathLike):
        return os.fspath(run)
    return name_of(run) if hasattr(run, "config") else f"run {number}"


def _is_metrics(runs: Mapping) -> bool:
    return bool(runs) and all(isinstance(value, np.ndarray) for value in runs.values())


def _parts(name: str, run: Any) -> list[MemberMetrics]:
    """Return the programs of a run or a sweep that have log points."""
    if isinstance(run, str | os.PathLike):
        parts = _read(name, run)
    elif hasattr(run, "member_metrics"):  # a sweep
        parts = run.member_metrics
    elif hasattr(run, "metrics") and hasattr(run, "members"):
        parts = [MemberMetrics(run.metrics, run.members, vars(run.config.hyperparams))]
    elif isinstance(run, Mapping) and _is_metrics(run):
        parts = [MemberMetrics(run, None, {})]
    else:
        raise ConfigError(f"runs has {short_repr(run)}; allowed: {ALLOWED}.")
    for part in parts:
        shapes = {column: np.shape(x) for column, x in part.metrics.items()}
        steps = shapes.get("env_steps", ())
        if part.metrics and (len(steps) != 2 or any(shape[:2] != steps for shape in shapes.values())):
            raise ConfigError(
                f"runs has {name!r}, whose metrics have the shapes {shapes}; allowed: env_steps and others, all [U,S,...]."
            )
    return [part for part in parts if part.metrics and len(part.metrics["env_steps"])]


def _read(name: str, directory: str | os.PathLike) -> list[MemberMetrics]:
    """Read the programs of a run or a sweep from a directory, without parameters."""
    path = file_path("runs", directory)
    try:
        if (path / "sweep.json").exists():
            about = json.loads((path / "sweep.json").read_text())
            space, programs = about["space"], about["programs"]
            varied = [*space.get("listed", [{}])[0], *space.get("grid", {}), *space.get("random", {})]
            places = [path / "programs" / f"{number:03}" for number in range(len(programs))]
            both = zip(places, programs, strict=True)
            return [_read_run(place, program, varied) for place, program in both if (place / "config.json").exists()]
        if (path / "config.json").exists():
            return [_read_run(path)]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        problem = f"{type(error).__name__}: {error}".replace("\n", " ")
        raise ConfigError(f"runs has {name!r}, which cannot be read ({problem}); allowed: {ALLOWED}.") from error
    raise ConfigError(f"runs has {name!r}, which holds no run and no sweep; allowed: {ALLOWED}.")


def _read_run(
    path: pathlib.Path, program: Mapping[str, Any] | None = None, varied: Sequence[str] = ()
) -> MemberMetrics:
    """Read the members of a run's directory; for a program of a sweep, with their trials and the settings that it varies."""
    config, members = (json.loads((path / f"{name}.json").read_text()) for name in ("config", "members"))
    if program is not None:
        settings = [program["settings"] | member for member in members]
        members = [
            {"trial": trial, **{name: about[name] for name in varied}, "seed": about["seed"]}
            for trial, about in zip(program["trials"], settings, strict=True)
        ]
    return MemberMetrics(load_metrics(path), members, config["hyperparams"])


def _groups_of(part: MemberMetrics, by: Sequence[str] | None) -> list[tuple[Any, np.ndarray, dict[str, Any]]]:
    """Return for each group what its members have in common, which members these are, and the settings to label it with."""
    if by is None:
        if not part.members or "trial" not in part.members[0]:
            return [((), np.ones(part.metrics["env_steps"].shape[1], bool), {})]
        trials = [member["trial"] for member in part.members]
        about = {
            member["trial"]: {name: x for name, x in member.items() if name not in ("trial", "seed")}
            for member in part.members
        }
        return [(trial, np.array(trials) == trial, about[trial]) for trial in dict.fromkeys(trials)]
    if part.members is None:
        raise ConfigError(
            f"by is {', '.join(map(repr, by))} with metrics alone; allowed: runs, which know their settings."
        )
    shared = part.shared
    known = sorted({*part.members[0], *shared} - {"member", "trial"})
    for name in by:
        if name not in known:
            raise ConfigError(f"by is {name!r}; allowed: {', '.join(known)}.{nearest(name, known)}")
    keys = [tuple(_plain(member.get(name, shared.get(name))) for name in by) for member in part.members]
    return [
        (key, np.array([other == key for other in keys]), dict(zip(by, key, strict=True)))
        for key in dict.fromkeys(keys)
    ]


def _plain(value: Any) -> Any:
    return tuple(map(_plain, value)) if isinstance(value, list | tuple) else value


def _labels(named: Mapping[str, Any], described: Mapping[tuple, Mapping[str, Any]]) -> list[str]:
    """Return the label of each group: the name of its run, if there are several, and its settings."""
    found = {}
    for name in named:
        keys = [key for key in described if key[0] == name]
        found |= dict(zip(keys, labels([described[key] for key in keys]), strict=True))
    parts = [
        ", ".join(filter(None, [key[0] if len(named) > 1 or not found[key] else "", found[key]])) for key in described
    ]
    return distinct(parts)


def joined(parts: Sequence[Metrics]) -> Metrics:
    """Return the members of several programs side by side; NaN for metrics that a program did not record."""
    if len(parts) == 1:
        return parts[0]
    first = max(parts, key=lambda part: len(part["env_steps"]))
    parts = [_continued(part, first) for part in parts]
    if any(not np.array_equal(part["env_steps"][:, 0], first["env_steps"][:, 0]) for part in parts):
        raise ConfigError(
            "members of one group, or trial, have other log points than the rest; allowed: programs that have come equally far "
            "(resume the sweep), or more settings in by."
        )
    shapes = {name: x.shape[2:] for part in parts for name, x in part.items()}
    return {
        name: np.concatenate(
            [part.get(name, np.full((*part["env_steps"].shape, *shape), np.nan)) for part in parts], axis=1
        )
        for name, shape in shapes.items()
    }


def _continued(part: Metrics, longest: Metrics) -> Metrics:
    """Extend a program that ended because all its members failed to the log points of a longer one."""
    points, missing = part["env_steps"].shape, len(longest["env_steps"]) - len(part["env_steps"])
    if missing <= 0 or "failed" not in part or not (part["failed"][-1] > 0).all():
        return part
    known = {
        name: np.broadcast_to(longest[name][-missing:, :1], (missing, points[1])) for name in SHARED if name in part
    }
    known["failed"] = np.ones((missing, points[1]))
    nothing = {name: np.full((missing, *x.shape[1:]), np.nan) for name, x in part.items() if name not in known}
    return {name: np.concatenate([x, (known | nothing)[name]]) for name, x in part.items()}
