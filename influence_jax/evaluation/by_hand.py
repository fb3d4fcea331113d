"""A person at one seat of a game: keys, one step at a time, and a map in letters and colours."""

import dataclasses
import string
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from rich.text import Text

from influence_jax.envs.base import Environment
from influence_jax.envs.grid import render, vision
from influence_jax.envs.grid.world import GridWorld
from influence_jax.evaluation.play import Now, begin, env_params_of, stepper
from influence_jax.evaluation.policy import Policy
from influence_jax.evaluation.programs import compiled
from influence_jax.evaluation.seating import Player, Seating, seated
from influence_jax.learner.state import Member
from influence_jax.settings import Integers, checked

QUIT = "q"
USUAL_KEYS = {
    "forward": "w",
    "up": "w",
    "left": "a",
    "backward": "s",
    "down": "s",
    "right": "d",
    "stay": " ",
    "turn_counterclockwise": "j",
    "turn_clockwise": "l",
}
TILES = {  # two characters and a colour for each code
    vision.EMPTY: ("  ", render.FLOOR),
    vision.WALL: ("##", render.WALL),
    vision.APPLE: ("()", render.APPLE),
    vision.WASTE: ("%%", render.WASTE),
    vision.RIVER: ("~~", render.WATER),
    vision.STREAM: ("~ ", render.STREAM),
    vision.FIRE: ("**", "#c1121f"),
    vision.CLEAN: ("::", "#ffffff"),
    vision.DOOR: ("[]", "#a9713d"),
}


def keys_of(action_names: Sequence[str]) -> dict[str, int]:
    """Return the action of each key: keys that games usually have, else a letter of the action's name."""
    keys: dict[str, int] = {}
    for action, name in enumerate(action_names):
        wanted = (*USUAL_KEYS.get(name, ""), *name.lower(), *string.digits, *string.ascii_letters)
        keys[next(key for key in wanted if key not in (*keys, QUIT, "_"))] = action
    return keys


class Session:
    """An episode in which a person plays at ``seat``, and ``others`` at all other seats.

    It is the episode of `influence_jax.play` with the same seed and a player that does what the person does.

    Raises:
        ConfigError: the others cannot play in this game, or there is no such seat.
    """

    def __init__(self, others: Policy | Player, env: Environment, seat: int = 0, seed: int = 0):
        agents: list[Policy | Player] = [others] * env.spec.num_agents
        agents[checked("agent", seat, Integers(0, len(agents) - 1))] = _person
        self._seating, members = seated(agents, env)
        self._env_params = env_params_of(env, members, None)
        self._members = tuple(dataclasses.replace(member, env_params=self._env_params) for member in members)
        self._key = jax.random.key(seed)
        self._now = _begin(self._seating, self._env_params, self._key)
        self.env, self.seat, self.time = env, seat, 0
        self.actions = np.full(len(agents), -1)  # i32[N], of the last step
        self.returns = np.zeros(len(agents))  # f64[N]

    @property
    def over(self) -> bool:
        """Whether the episode has ended."""
        return bool(self._now[1].last)

    def step(self, action: int) -> None:
        """Let the person do ``action``, and the others what they do."""
        rest = self._members, self._env_params, self._key, self._now, jnp.uint32(self.time), jnp.int32(action)
        self._now, actions = _step(self._seating, *rest)
        self.time, self.actions = self.time + 1, np.asarray(actions)
        self.returns = self.returns + np.asarray(self._now[1].reward)

    def picture(self) -> Text:
        """Return the map, if the game has one, what everybody did and has earned so far, and the keys."""
        text = draw(self.env, self._now[0]) if isinstance(self.env, GridWorld) else Text()
        names = self.env.spec.action_names
        text.append(f"step {self.time} of {self.env.spec.horizon}\n")
        for agent, (action, earned) in enumerate(zip(self.actions, self.returns, strict=True)):
            text.append(f"agent {agent}", _style(render.agent_colour(agent)))
            done = names[action] if 0 <= action < len(names) else "nothing"
            text.append(f" return {earned:g}, did {done}{' (you)' if agent == self.seat else ''}\n")
        keys = {"space" if key == " " else key: names[action] for key, action in keys_of(names).items()}
        return text.append(", ".join(f"{key} {what}" for key, what in (keys | {QUIT: "quit"}).items()))


def draw(env: GridWorld, state: Any) -> Text:
    """Return a map as text, two characters per cell: an agent is an arrow along its heading and its number."""
    codes, beams = jax.device_get(_layers(env, state))
    codes = np.where(beams > 0, beams + vision.FIRE - 1, codes)
    own = ((2 * chr(ord("a") + n), f"#{bytes(colour).hex()}") for n, colour in enumerate(env.palette[vision.OWN :]))
    tiles = TILES | dict(enumerate(own, vision.OWN))
    agents = {
        tuple(place): ("^>v<"[heading] + str(agent % 10), render.agent_colour(agent))
        for agent, (place, heading) in enumerate(zip(state.position.tolist(), state.heading.tolist(), strict=True))
    }
    text = Text()
    for row, column in np.ndindex(codes.shape):
        characters, colour = agents.get((row, column)) or tiles[int(codes[row, column])]
        text.append(characters, _style(colour))
        text.append("\n" if column == codes.shape[1] - 1 else "")
    return text


def _style(colour: str) -> str:
    return f"{render.ink_on(colour)} on {colour}"


def _person(key: jax.Array, env: Environment, state: Any) -> jax.Array:
    """Hold a seat until `_step` seats the person's action there."""
    raise NotImplementedError


@compiled()
def _begin(seating: Seating, env_params: Any, key: jax.Array) -> Now:
    return begin(seating, env_params, key)


@compiled()
def _step(
    seating: Seating,
    members: tuple[Member, ...],
    env_params: Any,
    key: jax.Array,
    now: Now,
    time: jax.Array,
    action: jax.Array,
) -> tuple[Now, jax.Array]:
    """Return what comes after a step in which the person did ``action i32[]``, and the actions of all."""

    def person(key: jax.Array, env: Environment, state: Any) -> jax.Array:
        del key, state
        return jnp.full(env.spec.num_agents, action)

    players = tuple(person if player is _person else player for player in seating.players)
    seating = dataclasses.replace(seating, players=players)
    now, record = stepper(seating, np.array(seating.owner), members, env_params, key)(now, time)
    return now, record.actions


@compiled()
def _layers(env: GridWorld, state: Any) -> tuple[jax.Array, jax.Array]:
    return env.cell_codes(state), env.beam_map(state)
