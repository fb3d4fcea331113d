"""The same games in plain C, compiled on demand.

`player` returns the function to be timed; `NativeGame` takes single steps, to be checked against the JAX environments.
"""

import ctypes
import functools
import os
import pathlib
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

import influence_jax
from influence_jax.config import ConfigError
from influence_jax.envs import Cleanup, Harvest
from influence_jax.envs.grid import vision

FLAGS = ("-O3", "-march=native")
SOURCE = pathlib.Path(__file__).with_name("games.c")
RADIUS = 7  # of the view, fixed in games.c; the map is padded by the same number
METRICS = ("apples", "fires", "hits", "cleans")

_INT, _FLOAT, _POINTER = ctypes.c_int32, ctypes.c_float, ctypes.c_void_p


class _Game(ctypes.Structure):
    _fields_ = [
        *((name, _INT) for name in ("num_cells", "width", "num_agents", "horizon")),
        *((name, _INT) for name in ("num_starts", "num_apple_sites", "num_river", "apples_need_apples")),
        *((name, _POINTER) for name in ("background", "blocked", "starts", "apple_cells", "apple_site", "river_cells")),
        *((name, _POINTER) for name in ("initial_apples", "initial_waste", "palette")),
        *((name, _POINTER) for name in ("apple_probability", "waste_probability")),
        *((name, _FLOAT) for name in ("fire_cost", "hit_penalty")),
        ("regrowth", _FLOAT * 4),
        *((name, _FLOAT) for name in ("apple_rate", "waste_rate", "depletion_threshold")),
    ]


class _Noise(ctypes.Structure):
    _fields_ = [
        *((name, _POINTER) for name in ("move_rank", "beam_rank", "apple")),
        *((name, _FLOAT) for name in ("waste_coin", "waste_pick")),
    ]


class _Output(ctypes.Structure):
    _fields_ = [(name, _POINTER) for name in ("observation", "visible", "reward", "metrics")]


class Outcome(NamedTuple):
    """The outputs of a step, or with a leading axis of a step of many games."""

    observation: np.ndarray  # u8[N,15,15,3]
    visible: np.ndarray  # bool[N,N]
    reward: np.ndarray  # f32[N]
    metrics: np.ndarray  # f32[4,N], in the order of METRICS


class NativeGame:
    """Cleanup or Harvest in C, with the map and the parameters of a JAX environment.

    Args:
        env: an environment with default rules.
        params: its parameters; None for the defaults.
        flags: for the compiler, in addition to those that make a library.

    Raises:
        ConfigError: the environment has other rules than the C code or is too large for it, or there is no compiler.
        RuntimeError: the code cannot be compiled.
    """

    def __init__(self, env: Cleanup | Harvest, params: Any = None, flags: Sequence[str] = FLAGS) -> None:
        _check_rules(env)
        params = env.default_params if params is None else params
        self.env = env
        self._library = _library(tuple(flags))
        self._river = env.river if isinstance(env, Cleanup) else np.zeros_like(env.walls)
        self._shape = tuple(size + 2 * RADIUS for size in env.walls.shape)
        apple_cells, river_cells = _cells(env.apple_sites), _cells(self._river)
        apple_site = np.zeros(self._shape, np.uint16)
        apple_site.flat[apple_cells] = np.arange(len(apple_cells))
        if isinstance(env, Cleanup):
            initial_apples, initial_waste = np.zeros(len(apple_cells), np.uint8), env.drawing[self._river] == "H"
            background, numbers = env.background, ("apple_rate", "waste_rate", "depletion_threshold")
        else:
            initial_apples, initial_waste = np.ones(len(apple_cells), np.uint8), np.zeros(0, bool)
            background, numbers = np.where(env.walls, vision.WALL, vision.EMPTY), ()
        arrays = {
            "background": np.pad(background.astype(np.uint8), RADIUS),
            "blocked": np.pad(env.walls, RADIUS, constant_values=True).astype(np.uint8),
            "starts": _cells(env.drawing == "P"),
            "apple_cells": apple_cells,
            "apple_site": apple_site,
            "river_cells": river_cells,
            "initial_apples": initial_apples,
            "initial_waste": initial_waste.astype(np.uint8),
            "palette": np.pad(vision.PALETTE, ((0, 0), (0, 1))),
            "apple_probability": np.zeros(len(river_cells) + 1, np.float32),
            "waste_probability": np.zeros(len(river_cells) + 1, np.float32),
        }
        self._arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}  # outlive the pointers
        self._game = _Game(
            num_cells=apple_site.size,
            width=self._shape[1],
            num_agents=env.num_agents,
            horizon=env.horizon,
            num_starts=len(env.start_cells),
            num_apple_sites=len(apple_cells),
            num_river=len(river_cells),
            apples_need_apples=isinstance(env, Harvest),
            **{name: array.ctypes.data for name, array in self._arrays.items()},
            **{name: float(getattr(params, name)) for name in ("fire_cost", "hit_penalty", *numbers)},
        )
        if isinstance(env, Harvest):
            self._game.regrowth[:] = np.asarray(params.regrowth).tolist()
        if not self._library.prepare(ctypes.byref(self._game)):
            raise ConfigError("the map or num_agents is too large for the C code; raise the maxima in games.c.")

    def load(self, state: Any) -> ctypes.Array:
        """Return a C state equal to a JAX state, except for its beams, which the next step replaces."""
        cells = np.asarray(state.position) + RADIUS
        position = np.ascontiguousarray(cells[:, 0] * self._shape[1] + cells[:, 1], np.int32)
        heading = np.ascontiguousarray(state.heading, np.int32)
        apples = np.asarray(state.apples)[self.env.apple_sites].astype(np.uint8)
        waste = np.asarray(getattr(state, "waste", self._river))[self._river].astype(np.uint8)
        native = self._states(1)
        self._library.load(
            ctypes.byref(self._game), native, *map(_pointer, (position, heading, apples, waste)), int(state.time)
        )
        return native

    def save(self, states: ctypes.Array, index: int = 0) -> dict[str, np.ndarray]:
        """Return the fields of the JAX state that equals one of the C states."""
        state = ctypes.byref(states, index * self._library.state_bytes())
        position, heading = np.zeros((2, self.env.num_agents), np.int32)
        codes, beams = np.zeros(self._shape, np.uint8), np.zeros(self._shape, np.uint8)
        time = self._library.save(ctypes.byref(self._game), state, *map(_pointer, (position, heading, codes, beams)))
        inside = (slice(RADIUS, -RADIUS),) * 2
        codes, beams = codes[inside], beams[inside]
        fields = {
            "position": np.stack(np.divmod(position, self._shape[1]), axis=-1) - RADIUS,
            "heading": heading,
            "apples": codes == vision.APPLE,
            "beams": np.where(beams > 0, beams - (vision.FIRE - 1), 0).astype(np.uint8),
            "time": np.int32(time),
        }
        return fields | ({"waste": codes == vision.WASTE} if isinstance(self.env, Cleanup) else {})

    def step(self, native: ctypes.Array, actions: np.ndarray, noise: Any) -> Outcome:
        """Step a C state with ``actions i32[N]`` and the noise of the JAX environment; return the outputs."""
        arrays = [
            np.ascontiguousarray(noise.move_rank, np.int32),
            np.ascontiguousarray(noise.beam_rank, np.int32),
            np.ascontiguousarray(noise.apple, np.float32),
        ]
        chance = _Noise(
            *(array.ctypes.data for array in arrays),
            float(getattr(noise, "waste_coin", 0)),
            float(getattr(noise, "waste_pick", 0)),
        )
        actions = np.ascontiguousarray(actions, np.int32)
        outcome = self._outcome(())
        self._library.step(
            ctypes.byref(self._game), native, _pointer(actions), ctypes.byref(chance), _pointers(outcome)
        )
        return outcome

    def reset(self, num_envs: int, seed: int) -> tuple[ctypes.Array, Outcome]:
        """Start ``num_envs`` episodes; return their states and the output buffers for `play`."""
        states = self._states(num_envs)
        self._library.reset(ctypes.byref(self._game), states, num_envs, seed)
        return states, self._outcome((num_envs,))

    def play(self, states: ctypes.Array, outcome: Outcome, actions: np.ndarray) -> tuple[float, np.ndarray]:
        """Take ``actions i32[T,E,N]`` in all games; return the sum of all rewards and the sums f64[4] of the metrics.

        A game at its horizon restarts in place of its next step, as in ``step_or_reset``. ``outcome`` receives the last step.

        Raises:
            ValueError: the shape of the actions does not match the games and agents.
        """
        if actions.shape[1:] != outcome.reward.shape:
            raise ValueError(f"actions is of shape {actions.shape}; allowed: (steps, {str(outcome.reward.shape)[1:]}.")
        totals, actions = np.zeros(len(METRICS)), np.ascontiguousarray(actions, np.int32)
        steps, num_envs, _ = actions.shape
        reward = self._library.play(
            ctypes.byref(self._game), states, num_envs, steps, _pointer(actions), _pointers(outcome), _pointer(totals)
        )
        return reward, totals

    def _states(self, count: int) -> ctypes.Array:
        return (ctypes.c_uint64 * (count * self._library.state_bytes() // 8))()

    def _outcome(self, leading: tuple[int, ...]) -> Outcome:
        n = self.env.num_agents
        side = 2 * RADIUS + 1
        return Outcome(
            np.zeros((*leading, n, side, side, 3), np.uint8),
            np.zeros((*leading, n, n), bool),
            np.zeros((*leading, n), np.float32),
            np.zeros((*leading, len(METRICS), n), np.float32),
        )


def player(
    game: str, num_agents: int, num_envs: int, steps: int, flags: Sequence[str] = FLAGS
) -> Callable[[], tuple[float, np.ndarray]]:
    """Return a function that steps ``num_envs`` games ``steps`` times on one core, with random actions and pixel observations.

    The games continue from call to call, and have been stepped once before.

    Args:
        game: ``"cleanup"`` or ``"harvest"``.
        num_agents: N.
        num_envs: E.
        steps: steps of each game per call.
        flags: for the compiler.
    """
    env: Any = influence_jax.make(game, num_agents=num_agents)
    native = NativeGame(env, flags=flags)
    states, outcome = native.reset(num_envs, seed=0)
    actions = np.random.default_rng(0).integers(0, native.env.spec.num_actions, (steps, num_envs, num_agents), np.int32)
    native.play(states, outcome, actions)
    return functools.partial(native.play, states, outcome, actions)


def compiler() -> list[str] | None:
    """Return the command of the C compiler from the environment variable CC, or ``cc``; None if there is none."""
    command = shlex.split(os.environ.get("CC", "")) or ["cc"]
    return command if shutil.which(command[0]) else None


@functools.cache
def _library(flags: tuple[str, ...]) -> ctypes.CDLL:
    command = compiler()
    if command is None:
        raise ConfigError("there is no C compiler; install one as 'cc' or name it in the environment variable CC.")
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "games.so")
        # ISO mode keeps GCC from fusing multiplications and additions, which would round differently from JAX.
        command = [*command, "-std=c99", *flags, "-shared", "-fPIC", "-o", str(path), str(SOURCE)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"the C compiler failed: {shlex.join(command)}\n{done.stderr}")
        library = ctypes.CDLL(str(path))
    library.state_bytes.restype = ctypes.c_size_t
    library.prepare.restype = ctypes.c_bool
    library.prepare.argtypes = [_POINTER]
    library.reset.restype = None
    library.reset.argtypes = [_POINTER, _POINTER, _INT, ctypes.c_uint64]
    library.load.restype = None
    library.load.argtypes = [*[_POINTER] * 6, _INT]
    library.save.restype = _INT
    library.save.argtypes = [_POINTER] * 6
    library.step.restype = None
    library.step.argtypes = [_POINTER] * 5
    library.play.restype = ctypes.c_double
    library.play.argtypes = [_POINTER, _POINTER, _INT, _INT, _POINTER, _POINTER, _POINTER]
    return library


def _check_rules(env: Any) -> None:
    rules = {"view": "egocentric", "shows_beams": True, "view_radius": RADIUS}
    if isinstance(env, Cleanup):
        rules["waste_rule"] = "lottery"
    elif isinstance(env, Harvest):
        rules["regrowth"] = "square"
    else:
        raise ConfigError(f"the environment is {type(env).__name__}; the C code has Cleanup and Harvest.")
    for name, value in rules.items():
        if getattr(env, name) != value:
            raise ConfigError(f"{name} is {getattr(env, name)!r}; the C code has {value!r} only.")


def _cells(mask: np.ndarray) -> np.ndarray:
    """Return i32[K]: the cells of ``mask bool[H,W]`` in the padded map, row-major."""
    return np.flatnonzero(np.pad(mask, RADIUS)).astype(np.int32)


def _pointer(array: np.ndarray) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)


def _pointers(outcome: Outcome) -> Any:
    return ctypes.byref(_Output(*(array.ctypes.data for array in outcome)))
