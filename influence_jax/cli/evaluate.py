"""``influence-jax evaluate``: play whole episodes with the trained agents and report returns."""

import dataclasses
import json
import pathlib
from typing import Annotated, Any

import numpy as np
import rich.box
import tyro
from rich.table import Table

from influence_jax.cli.options import check, parse, whole
from influence_jax.evaluation.episodes import Evaluation, evaluate
from influence_jax.evaluation.intervention import intervene
from influence_jax.runtime import run
from influence_jax.runtime.compilation import keep_compiled_programs
from influence_jax.runtime.progress import Terminal
from influence_jax.settings import INT32_MAX, ConfigError, counted


@dataclasses.dataclass(frozen=True)
class EvaluateOptions:
    """Play whole episodes with the trained agents, print a table and write evaluation.json into the run's directory."""

    directory: tyro.conf.Positional[pathlib.Path]
    """Directory of a run."""
    episodes: Annotated[int, *whole(1, 10**6, "Episodes per member.")] = 20
    seed: Annotated[
        int, *whole(0, INT32_MAX, "Seed of the games; the same seed gives every member and every run the same games.")
    ] = 0
    greedy: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Take the most probable actions and messages instead of sampling them."""
    interventions: Annotated[
        int,
        *whole(
            0,
            10**6,
            "Moments at which to compare modelled with real influence, by trying every action of each agent.",
        ),
    ] = 0
    update: Annotated[
        int | None,
        *whole(0, INT32_MAX, "Checkpoint to load, by number of updates; default: the newest.", optional=True),
    ] = None
    trust: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Import code outside the package that the run names."""
    json: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Print one line of JSON instead of a table."""


def main(arguments: list[str]) -> int:
    """Evaluate a run."""
    options = parse(EvaluateOptions, arguments, "influence-jax evaluate")
    options = dataclasses.replace(options, directory=options.directory.expanduser())
    check(options)
    keep_compiled_programs()
    trained = run.load(options.directory, options.update, trust=options.trust)
    results = {
        "update": trained.update,
        "episodes": options.episodes,
        "seed": options.seed,
        "greedy": options.greedy,
    }
    found = None
    if options.interventions:
        found = intervene(trained.learner, trained.state, options.interventions, options.seed)
        correlation = _plain(found.correlation.tolist())
        results |= {"intervention_correlation": correlation, "intervention_pairs": found.pairs.tolist()}
    evaluation = evaluate(trained.learner, trained.state, options.episodes, options.seed, options.greedy)
    values = {field.name: getattr(evaluation, field.name) for field in dataclasses.fields(evaluation)}
    results |= {name: _plain(x.tolist()) for name, x in (values | values.pop("metrics")).items()}
    path = options.directory / "evaluation.json"
    try:
        path.write_text(json.dumps(results) + "\n")
    except OSError as error:
        raise ConfigError(f"{str(path)!r} cannot be written: {error}; allowed: files.") from error
    if options.json:
        print(json.dumps(results))
        return 0
    if found is not None:
        print("influence in the models of others against real influence, by member:")
        for member, (x, pairs) in enumerate(zip(results["intervention_correlation"], found.pairs, strict=True)):
            shown = (
                f"{x:.3f}" if x is not None else "undefined" + (", because one of the two is constant" if pairs else "")
            )
            print(f"  member {member}: correlation {shown}, over {pairs:,} valid pairs")
    played = counted(options.episodes, "episode")
    for table in evaluation_tables(evaluation, f"{played} after {trained.update:,} updates"):
        Terminal().print(table)
    print(f"every episode: {path}")
    return 0


def _plain(values: list) -> list:
    """Return nested numbers with None for NaN, which JSON does not have."""
    return [_plain(x) if isinstance(x, list) else x if np.isfinite(x) else None for x in values]


def evaluation_tables(evaluation: Evaluation, title: str) -> list[Table]:
    """Return what `Evaluation.rows` has as two tables for a terminal: of all games, and the events of this one."""
    rows, events = evaluation.rows(), list(evaluation.metrics)
    return [
        _table(rows, [name for name in rows[0] if name not in events], title),
        _table(rows, ["member", *events], "events per episode, all agents together"),
    ]


def _table(rows: list[dict[str, Any]], columns: list[str], title: str) -> Table:
    table = Table(title=title, box=rich.box.SIMPLE, pad_edge=False)
    for column in columns:
        table.add_column(column, justify="right")
    digits = {"member": "d", "return": ".1f", "std": ".1f"}
    for row in rows:
        table.add_row(*(format(row[name], digits.get(name, ".3g")) for name in columns))
    return table
