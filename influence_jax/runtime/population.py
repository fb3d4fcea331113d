"""A population: many members, with their own seeds and settings, in one program along one leading axis, S."""

import dataclasses
import functools
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from influence_jax.config import ConfigError, declared, refuse_unused
from influence_jax.envs import number_allowed
from influence_jax.learner import train
from influence_jax.learner.learner import Learner
from influence_jax.learner.state import LearnerState
from influence_jax.platforms import usual_tracing
from influence_jax.runtime.compilation import compiler_options
from influence_jax.settings import INT32_MAX, Integers, checked, nearest

Values = Mapping[str, Any]  # setting -> one value for each member [S], or for each member and agent [S,N]

_PARAMS, _OWN = "env.params.", "own."
_OF_STEPS = ("learning_rate", "learning_rate_end", "max_grad_norm")  # what gradient steps depend on beside gradients


def grid(seeds: int | Sequence[int] = 1, **settings: Sequence[Any]) -> dict[str, np.ndarray]:
    """Return one member for each combination of settings and each seed, for ``hyperparams=`` of `influence_jax.train`.

    Args:
        seeds: the number of seeds, or the seeds themselves; each combination is trained with all of them.
        **settings: values of each setting. A parameter of the game is given as ``**{"env.params.hit_penalty": [0, 50]}``.

    Returns:
        ``{name: values [S]}``, including ``"seed"``.

    Raises:
        ConfigError: a setting has no values.

    Example:
        >>> members = influence_jax.grid(seeds=4, learning_rate=[1e-3, 3e-4], influence_weight=[0, 1, 2])
        >>> len(members["seed"])
        24
    """
    if "seed" in settings:
        raise ConfigError("settings of grid has 'seed'; give `seeds` instead, their number or the seeds themselves.")
    if isinstance(seeds, int | np.integer):
        seeds = range(checked("seeds", seeds, Integers(1)))
    for name, column in {"seeds": seeds, **settings}.items():
        if isinstance(column, str) or not isinstance(column, Sequence | np.ndarray) or len(column) == 0:
            raise ConfigError(f"{name} is {column!r}; allowed: sequences of at least one value.")
    combinations = list(itertools.product(*settings.values(), seeds))
    return {
        name: np.array(column)
        for name, column in zip((*settings, "seed"), zip(*combinations, strict=True), strict=True)
    }


def with_members(learner: Learner, values: Values) -> Learner:
    """Return the learner with ``config.seeds`` set to the number of different seeds of the members in ``values``.

    Raises:
        ConfigError: a setting is unknown, unused or has a value that is not allowed, or the numbers of members or seeds differ.
    """
    if not isinstance(values, Mapping) or not all(isinstance(name, str) for name in values):
        raise ConfigError(f"hyperparams is {values!r}; allowed: settings by their names.")
    try:
        sizes = {name: np.shape(value)[0] if np.ndim(value) else 1 for name, value in values.items()}
    except ValueError as error:  # ragged
        raise ConfigError(f"hyperparams cannot be read: {error}; allowed: values [S] or [S,N].") from error
    members, config = max([learner.config.seeds, *sizes.values()]), learner.config
    for name, size in sizes.items():
        if size not in (1, members):
            raise ConfigError(
                f"hyperparams[{name!r}] has {size} members, where others have {members}; allowed: 1 or {members}."
            )
    check(learner, values)
    seeds = len(set(np.ravel(values["seed"]).tolist())) if "seed" in values else members
    if config.seeds not in (1, seeds):
        raise ConfigError(f"seeds is {config.seeds}, but the seeds in hyperparams are {seeds}; allowed: 1 or {seeds}.")
    return dataclasses.replace(learner, config=dataclasses.replace(config, seeds=seeds))


def population_size(learner: Learner, values: Values) -> int:
    """Return the number of members S: one for each seed, or more where they differ in other settings, too."""
    return max([learner.config.seeds, *(np.shape(value)[0] for value in values.values() if np.ndim(value))])


def check(learner: Learner, values: Values) -> None:
    """Raise a `ConfigError` for the first value that a member of this learner may not have."""
    members = population_size(learner, values)
    for name, value in values.items():
        _check(learner, members, name, value)
    _refuse_unused(learner, values)


def _refuse_unused(learner: Learner, values: Values) -> None:
    """Refuse settings that the same member's, or agent's, other settings leave unused."""
    shared = {path: value for path, _, value in declared(learner.config)}
    own = {path: name for path in shared if (name := path.removeprefix("hyperparams.")) in values}
    others = {
        path: {*field.metadata["used_with"], *field.metadata["unused_with"]}
        for path, field, _ in declared(learner.config)
    }
    depending = [
        (path, field)
        for path, field, _ in declared(learner.config)
        if others[path] and not own.keys().isdisjoint({path, *others[path]})
    ]
    if not depending:
        return
    columns = [np.asarray(values[name], float) for name in own.values()]
    shape = population_size(learner, values), learner.env.spec.num_agents
    columns = [np.broadcast_to(x.reshape(len(x), -1), shape).ravel() for x in columns]
    for row in np.unique(np.stack(columns, axis=1), axis=0).tolist():
        together = shared | dict(zip(own, row, strict=True))
        for path, field in depending:
            refuse_unused(path, field, together)


def _check(learner: Learner, members: int, name: str, value: Any) -> None:
    fields = {path: field for path, field, _ in declared(learner.config.hyperparams)}
    fields |= {_OWN + number: field for number, field in learner.numbers.items()}
    params = {field.name: field for field in dataclasses.fields(learner.env_params)}
    known = [*fields, *(_PARAMS + param for param in params), "seed"]
    if name not in known:
        raise ConfigError(f"hyperparams[{name!r}] is not a setting; allowed: {', '.join(known)}.{nearest(name, known)}")
    value, num_agents = as_array(value), learner.env.spec.num_agents
    if name == "seed":
        shapes, allowed = ((),), Integers(0, INT32_MAX)
    elif name in fields:
        shapes, allowed = ((), (num_agents,)), fields[name].metadata["allowed"]
    else:
        default = getattr(learner.env_params, name.removeprefix(_PARAMS))
        allowed = number_allowed(params[name.removeprefix(_PARAMS)], default)
        shapes, allowed = (np.shape(default),), dataclasses.replace(allowed, length=None)
    if value.ndim == 0 or value.shape[1:] not in shapes:
        wanted = " or ".join(str([members, *shape]) for shape in shapes)
        raise ConfigError(f"hyperparams[{name!r}] has shape {list(value.shape)}; allowed: {wanted}, members first.")
    for entry in value.ravel().tolist():
        checked(f"hyperparams[{name!r}]", entry, allowed)
    if learner.share_parameters and name in _OF_STEPS and value.ndim == 2 and (value != value[:, :1]).any():
        raise ConfigError(
            f"hyperparams[{name!r}] differs between agents, which share their parameters; allowed: one value for all."
        )


def as_array(values: Any) -> np.ndarray:
    """Return values as an array; numbers among strings keep their type."""
    array = np.asarray(values)
    return array if array.dtype.kind in "biuf" else np.asarray(values, object)


def member_settings(learner: Learner, values: Values) -> list[dict[str, Any]]:
    """Return each member's seed and its own settings from ``values``, as plain data."""
    members = population_size(learner, values)
    columns = {"seed": learner.config.seed + np.arange(members)} | {
        name: np.broadcast_to(np.asarray(value), (members, *np.shape(value)[1:])) for name, value in values.items()
    }
    return [{"member": m, **{name: column[m].tolist() for name, column in columns.items()}} for m in range(members)]


def values_of(members: list[dict[str, Any]]) -> dict[str, np.ndarray]:
    """Undo `member_settings`."""
    return {name: np.array([member[name] for member in members]) for name in members[0] if name != "member"}


@usual_tracing()
def init_population(learner: Learner, values: Values | None = None, places: Any = None) -> LearnerState:
    """Initialise every member; leading axis S. Member ``i`` equals a run of its own with seed ``seed + i``.

    ``places`` are the shardings of the state; without them it lies on the default device.
    """
    values = dict(values or {})
    members = population_size(learner, values)

    def column(value):
        value = np.asarray(value, np.float32)
        return np.broadcast_to(value, (members, *value.shape[1:]))

    seeds = np.asarray(values.pop("seed", learner.config.seed + np.arange(members)), np.uint32)
    hyperparams = jax.tree.map(lambda x: np.full((members,), x, np.float32), learner.config.hyperparams)
    env_params = jax.tree.map(lambda x: np.broadcast_to(x, (members, *np.shape(x))), _in_32_bits(learner.env_params))
    for name, value in values.items():
        if name.startswith(_PARAMS):
            env_params = dataclasses.replace(env_params, **{name.removeprefix(_PARAMS): column(value)})
        elif name.startswith(_OWN):
            hyperparams = hyperparams.replace(own=hyperparams.own | {name.removeprefix(_OWN): column(value)})
        else:
            hyperparams = hyperparams.replace(**{name: column(value)})

    leaves, structure = jax.tree.flatten(places)
    init = _init_members_at(learner.template, structure, tuple(leaves))
    return init(np.broadcast_to(seeds, (members,)), hyperparams, env_params)


@functools.lru_cache(maxsize=4)  # the next run of the same agents starts without compiling
def _init_members_at(learner: Learner, structure: Any, leaves: tuple) -> Callable:
    """Return `_init_members` for a state with these shardings, a flattened tree."""
    init = _init_members(learner)
    return jax.jit(init, out_shardings=jax.tree.unflatten(structure, leaves)) if leaves else init


@functools.lru_cache(maxsize=4)  # used for a run's shapes, then for its state, and again on loading
def _init_members(learner: Learner) -> Callable:
    """Return the function ``(seeds u32[S], hyperparams, env_params) -> state`` that initialises all members."""

    @jax.jit
    def init(seeds, hyperparams, env_params):
        keys = jax.vmap(jax.random.key)(seeds)
        return jax.vmap(functools.partial(train.init, learner))(keys, hyperparams, env_params)

    return init


def _in_32_bits(numbers: Any) -> Any:
    """Return numbers as NumPy arrays of 32 bits; Python's own would become 64 bits wide."""
    arrays = jax.tree.map(np.asarray, numbers)
    return jax.tree.map(lambda x: x.astype(np.float32) if x.dtype == np.float64 else x, arrays)


def compile_chunk(learner: Learner, places: Any = None, at_once: int | None = None) -> jax.stages.Wrapped:
    """Return ``(state, num_updates f32[]) -> (state, metrics [S, ...])`` for all members; the state is donated.

    ``places`` are the shardings of the state. Each device trains its own members, ``at_once`` of them at a time.
    """
    one = functools.partial(train.train_step, learner)

    def all_of_them(state, num_updates):
        if at_once is None:
            return jax.vmap(one, in_axes=(0, None))(state, num_updates)
        return jax.lax.map(lambda member: one(member, num_updates), state, batch_size=at_once)

    mesh, out, members = None, None, jax.sharding.PartitionSpec("member")
    if places is not None:
        mesh = jax.tree.leaves(places)[0].mesh
        out = (places, jax.sharding.NamedSharding(mesh, members))
    if mesh is not None and mesh.size > 1:
        all_of_them = jax.shard_map(
            all_of_them,
            mesh=mesh,
            in_specs=(members, jax.sharding.PartitionSpec()),
            out_specs=members,
            axis_names={"member"} if mesh.shape["env"] > 1 else {"member", "env"},
            check_vma=False,
        )
    return jax.jit(all_of_them, donate_argnums=0, out_shardings=out, compiler_options=compiler_options())
