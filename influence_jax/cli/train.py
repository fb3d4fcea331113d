"""``influence-jax train``: train agents and record the run in a directory."""

import argparse
import contextlib
import dataclasses
import itertools
import json
import pathlib
import shlex
import sys
from collections.abc import Mapping
from typing import Annotated, Any

import tyro

from influence_jax import presets
from influence_jax.cli import presets as list_presets
from influence_jax.cli.devices import DeviceOptions, chosen, connect
from influence_jax.cli.options import check, in_full, only, option_names, parse, parse_some, section, setting
from influence_jax.config import EnvConfig, ExperimentConfig, code_paths, foreign_names, validate
from influence_jax.settings import ConfigError, file_path


def main(arguments: list[str]) -> int:
    """Train a preset or a configuration file, with some settings changed."""
    given = read(arguments, "train")
    return run(given, as_config(given))


def read(arguments: list[str], command: str) -> Any:
    """Parse the options of ``train``, or of another ``command`` that takes them."""
    early, preset = _early(arguments)
    if preset is None and early.config is None and early.start_from is None and not early.help:
        raise ConfigError(
            f"{command} needs a preset before its options, or --config FILE; allowed: {', '.join(presets.names())}."
        )
    config = ExperimentConfig() if preset is None else presets.get(preset, early.profile)
    connect(early)
    if early.config is not None:
        if preset is not None or early.profile is not None:
            raise ConfigError(
                f"config is {str(early.config)!r} together with a preset or a profile; allowed: one of them."
            )
        config = _read(file_path("config", early.config), early.trust)
    elif preset is None and early.start_from is not None:
        if early.profile is not None:
            raise ConfigError(
                f"profile is {early.profile!r} with the settings of a run (--from); allowed with a preset only."
            )
        config = _read(file_path("from", early.start_from) / "config.json", early.trust)
    if preset is None and early.help:
        list_presets.main([])
        print("\nThe settings, with the defaults of the package; `train PRESET --help` shows the values of a preset.\n")
    arguments = arguments if preset is None else arguments[1:]
    try:
        kind = train_options(config, early.env_name, _own_numbers(config, early.env_name, arguments))
        arguments = in_full(arguments, option_names(kind))
        return parse(kind, arguments, f"influence-jax {command} {preset or 'PRESET'}")
    except ConfigError as error:
        _refuse_more_values(arguments, str(error))
        raise


def _own_numbers(config: ExperimentConfig, env_name: str | None, arguments: list[str]) -> dict[str, dataclasses.Field]:
    """Return the numbers that parts of the user's own declare, which the arguments or the configuration name."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--learner.shaper", "--shaper", default=config.learner.shaper)
    parser.add_argument("--influence.model", "--model", default=config.influence.model)
    if not any(foreign_names(path, name) for path, name in vars(parse_some(parser, arguments)[0]).items()):
        return {}
    from influence_jax.learner.learner import numbers_of

    settings = section("Settings", _settings(config, env_name, {}))
    known = option_names(settings)
    return numbers_of(as_config(parse(settings, only(in_full(arguments, known), known), "influence-jax")))


def _refuse_more_values(arguments: list[str], said: str) -> None:
    """Raise a `ConfigError` if one option got several values; ``said`` is the parser's message, which does not name it."""
    for place, name in enumerate(arguments):
        values = list(itertools.takewhile(lambda text: not text.startswith("--"), arguments[place + 1 :]))
        if name.startswith("--") and len(values) > 1 and f"Unrecognized options: {' '.join(values[1:])}" in said:
            short = name.rpartition(".")[2].removeprefix("--")
            raise ConfigError(
                f"{name.removeprefix('--')} has {len(values)} values, {' '.join(values)}; allowed: one. To try several, use "
                f"`influence-jax sweep` with --grid {short}={','.join(values)}."
            )


def _early(arguments: list[str]) -> tuple[argparse.Namespace, str | None]:
    """Return the options that other options depend on, and the preset."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--profile")
    parser.add_argument("--config", type=pathlib.Path)
    parser.add_argument("--from", type=pathlib.Path, dest="start_from")
    parser.add_argument("--env.name", dest="env_name")
    parser.add_argument("--trust", action="store_true")
    parser.add_argument("--distributed", action="store_true")
    parser.add_argument("--coordinator")
    parser.add_argument("--process-id", type=int)
    parser.add_argument("--num-processes", type=int)
    parser.add_argument("-h", "--help", action="store_true")
    preset = arguments[0] if arguments and not arguments[0].startswith("-") else None
    return parse_some(parser, arguments)[0], preset


def _read(path: pathlib.Path, trust: bool) -> ExperimentConfig:
    from influence_jax.runtime.directory import read_config

    config, replaced = read_config(path)
    if replaced:
        raise ConfigError(
            f"config {str(path)!r} belongs to a run with replaced parts ({', '.join(replaced)}), which it does not describe; "
            "allowed: configurations of runs without."
        )
    foreign = code_paths(config)
    if foreign and not trust:
        named = ", ".join(f"{setting} {name!r}" for setting, name in foreign.items())
        raise ConfigError(f"config {str(path)!r} names code outside of this package ({named}); allowed: --trust.")
    members = path.with_name("members.json")
    if members.exists() and any(set(member) - {"member", "seed"} for member in json.loads(members.read_text())):
        raise ConfigError(
            f"config {str(path)!r} belongs to a run whose members differ in their settings, which it does not describe; "
            "allowed: configurations of runs with the same settings for all members."
        )
    return validate(config)


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainOptions(DeviceOptions):
    """Train agents and record the run in a directory. Settings that you do not give are those of the preset."""

    out: pathlib.Path
    """Directory of the new run."""
    profile: str | None = None
    """Settings of the learner that the paper does not state: paper (the default), large (accelerators) or small (CPU)."""
    config: pathlib.Path | None = None
    """Configuration file, such as a run's config.json, instead of a preset."""
    start_from: Annotated[pathlib.Path | None, tyro.conf.arg(name="from")] = None
    """Directory of a run to start from: its parameters, and without a preset or --config also its settings."""
    trust: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Import code outside the package that --from or --config names."""
    quiet: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Do not show progress."""
    json: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Do not show progress, and end with one line of JSON."""


FEW_STEPS = 1000
FEW_UPDATES = 100  # of PPO, whose clip bounds what one rollout changes
_PARTS = ("network", "influence", "learner", "hyperparams")


def train_options(
    config: ExperimentConfig, env_name: str | None, numbers: Mapping[str, dataclasses.Field]
) -> type[TrainOptions]:
    """Return the class of all options of `train`, with the values of a configuration as defaults.

    ``numbers`` are those that parts of the user's own declare.
    """
    fields = _settings(config, env_name, numbers)
    kind = dataclasses.make_dataclass("TrainOptions", fields, bases=(TrainOptions,), frozen=True, kw_only=True)
    kind.__doc__ = TrainOptions.__doc__
    return kind


def _settings(
    config: ExperimentConfig, env_name: str | None, numbers: Mapping[str, dataclasses.Field]
) -> list[tuple[str, Any, Any]]:
    """Return an option for each setting of an experiment."""
    parts = {name: _declared(getattr(config, name)) for name in _PARTS}
    own = [
        setting(
            name, field.metadata["allowed"], field.metadata["help"], config.hyperparams.own.get(name, field.default)
        )
        for name, field in numbers.items()
    ]
    undeclared = sorted(config.hyperparams.own.keys() - numbers.keys())  # which `make_learner` refuses
    own += [setting(name, None, "", config.hyperparams.own[name]) for name in undeclared]
    parts["hyperparams"] += [_subsection("own", own)] if own else []
    sections = [_subsection(name, fields) for name, fields in parts.items()]
    return [*_declared(config), _env_section(config.env, env_name), *sections]


def _subsection(name: str, fields: list[tuple[str, Any, Any]]) -> tuple[str, Any, Any]:
    kind = section(name, fields)
    return name, kind, dataclasses.field(default_factory=kind)


def _declared(part: Any) -> list[tuple[str, Any, Any]]:
    return [
        setting(field.name, field.metadata["allowed"], field.metadata["help"], getattr(part, field.name))
        for field in dataclasses.fields(part)
        if "allowed" in field.metadata
    ]


def _env_section(config: EnvConfig, name: str | None) -> tuple[str, Any, Any]:
    from influence_jax import envs

    name = config.name if name is None else name
    given = config if name == config.name else EnvConfig(name)
    fields = envs.option_fields(name)
    options = [
        setting(
            field.name,
            field.metadata.get("allowed"),
            field.metadata.get("help", ""),
            given.options.get(field.name, field.default),
        )
        for field in fields
    ]
    _, params, complete = envs.configured(given)
    numbers = [
        setting(
            field.name,
            envs.number_allowed(field, getattr(params, field.name)),
            field.metadata.get("help", ""),
            complete.params[field.name],
        )
        for field in (dataclasses.fields(params) if dataclasses.is_dataclass(params) else ())
    ]
    parts = [
        setting("name", None, f"The game: {', '.join(envs.registered())} or 'package.module:Class'.", name),
        *options,
    ]
    return _subsection("env", [*parts, _subsection("params", numbers)])


def as_config(given: Any) -> ExperimentConfig:
    """Return the configuration that the options describe."""
    env = {field.name: getattr(given.env, field.name) for field in dataclasses.fields(given.env)}
    changes: dict[str, Any] = {field.name: getattr(given, field.name) for field in dataclasses.fields(ExperimentConfig)}
    for name in _PARTS:
        changes[name] = type(getattr(ExperimentConfig, name))(**vars(changes[name]))
    if "own" in vars(given.hyperparams):
        changes["hyperparams"] = changes["hyperparams"].replace(own=vars(given.hyperparams.own))
    name, params = env.pop("name"), vars(env.pop("params"))
    changes["env"] = EnvConfig(name, env, params)
    return ExperimentConfig(**changes)


def too_short(config: ExperimentConfig) -> str:
    """Return a sentence if agents hardly learn in so few updates or gradient steps, otherwise nothing."""
    updates, steps = config.num_updates, config.num_updates * config.learner.gradient_steps
    if steps >= FEW_STEPS and (updates >= FEW_UPDATES or config.learner.algorithm != "ppo"):
        return ""
    return (
        f"this run takes {updates} updates and {steps} gradient steps; agents hardly learn in fewer than {FEW_UPDATES} updates "
        f"of PPO or {FEW_STEPS} gradient steps. The numbers follow from total_steps, learner.num_envs, learner.rollout_length, "
        "learner.ppo_epochs and learner.ppo_minibatches."
    )


def run(given: Any, config: ExperimentConfig) -> int:
    """Train, and report how the run ended."""
    from influence_jax.learner.learner import make_learner
    from influence_jax.runtime import run as runs
    from influence_jax.runtime.compilation import keep_compiled_programs
    from influence_jax.runtime.directory import checked_path, refuse_taken

    check(given)
    keep_compiled_programs()
    learner = make_learner(config)
    refuse_taken(checked_path(given.out))
    if (short := too_short(config)) and not (given.quiet or given.json):
        print(f"influence-jax: {short}", file=sys.stderr)
    with progress(given.quiet or given.json) as callback:
        result = runs.train(
            learner,
            out=given.out,
            start_from=given.start_from,
            trust=given.trust,
            devices=chosen(given),
            callback=callback,
        )
    return print_outcome(result, given.out, given.json)


@contextlib.contextmanager
def progress(quiet: bool):
    """Yield a callback that shows progress, or None."""
    from influence_jax.runtime.devices import is_first_process

    if quiet or not is_first_process():
        yield None
        return
    from influence_jax.runtime.progress import Progress

    with Progress() as shown:
        yield shown


def warn_of_blind_agents(result: Any) -> None:
    """Warn if agents hardly use what they see; then their influence means nothing, whatever their returns."""
    from influence_jax.analysis.curves import BLIND, final_sight

    blind = final_sight(result.metrics) < BLIND
    if blind.any():
        print(
            f"influence-jax: {blind.sum()} of {blind.size} agents are blind: their actions hardly depend on what they see (sight "
            f"below {BLIND} nats). Nobody can influence them, whatever their returns; see docs/learner.md.",
            file=sys.stderr,
        )


STOPPED = 75  # EX_TEMPFAIL, "try again later": lets a script tell a stopped run from a failed one


def print_outcome(result: Any, out: pathlib.Path, as_json: bool) -> int:
    """Print how a run ended; return the exit status."""
    if as_json:
        returns = result.metrics["collective_return"][-1].tolist() if result.metrics else []
        last = [x if x == x else None for x in returns]  # NaN where no episode ended; JSON has none
        about = {"out": str(out), "update": result.update, "num_updates": result.config.num_updates}
        about |= {"finished": result.finished, "saved": result.saved, "failures": result.failures}
        print(json.dumps(about | {"collective_return": last}))
    elif not result.update:
        print(f"Stopped before the first update of {result.config.num_updates:,}; nothing was written.")
    else:
        print(f"{result.update:,} of {result.config.num_updates:,} updates done; see {out}")
        warn_of_blind_agents(result)
        if not result.finished:
            how = "Stopped and saved" if result.saved == result.update else "Stopped"
            print(f"{how}. Continue with: influence-jax resume {shlex.quote(str(out))}")
    if result.saved != result.update and result.update:
        newest = f"the one after {result.saved} updates" if result.saved else "none"
        print(
            f"influence-jax: the state after {result.update} updates could not be saved; the newest checkpoint in {str(out)!r} "
            f"is {newest}.",
            file=sys.stderr,
        )
        return 1
    return 0 if result.finished else STOPPED
