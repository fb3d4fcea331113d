"""What a choice changes in the steps after it: the others' policies, rewards and values, with all other chance held fixed.

Every choice that an agent could have made is tried in the game itself, and each of these worlds goes on for some steps. They
share the game's noise and all agents' random draws, so they differ by the choice and by what follows from it. After some
steps any difference may have grown into a large one, however small it was. The null shows how much: its worlds share the choice,
too, and differ only in the random draws of that agent's later choices.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from influence_jax.analysis.tables import html_table
from influence_jax.evaluation.episodes import learner_and_state, mean_and_spread
from influence_jax.evaluation.intervention import NUM_ENVS, CounterfactualPolicies, at_moments, real_influence
from influence_jax.evaluation.programs import compiled
from influence_jax.influence.axes import agents_first
from influence_jax.learner.learner import Learner
from influence_jax.learner.rollout import act, observed_rewards
from influence_jax.learner.state import LearnerState, Member, RolloutState
from influence_jax.settings import INT32_MAX, ConfigError, Integers, checked


@dataclasses.dataclass(frozen=True, repr=False)
class Consequences:
    """What the choices of agent k changed for agent j, some steps later, from `influence_jax.consequences`.

    Leading axes are members ``S``, moments ``M`` and steps ``H``: entry 0 is one step after the choice. A change is what happened
    less its mean over k's alternatives, weighted by k's policy. On the diagonal it is what k changed for itself.

    >>> found = influence_jax.consequences(run, steps=3)
    >>> beyond_chance = (found.influence - found.null)[found.counted].mean()
    """

    influence: np.ndarray  # f32[S,M,H,N,N], on j's policy then, in nats or the measure's unit
    null: np.ndarray  # f32[S,M,H,N,N], the same for worlds that differ by the draws of k's later choices; 0 at first
    reward_change: np.ndarray  # f32[S,M,H,N,N], of j's rewards from the choice until then
    value_change: np.ndarray  # f32[S,M,H,N,N], of what j's critic expects then, in the unit of the losses
    counted: np.ndarray  # bool[S,M,H,N,N], j is another agent and the episode goes on
    visible: np.ndarray  # bool[S,M,N,N], k saw j when it chose

    def __repr__(self) -> str:
        members, moments, steps, agents = self.counted.shape[:4]
        played = f"{moments} moments of each of {members} members with {agents} agents"

        def after(steps: int) -> str:
            return mean_and_spread(np.array([row["influence"] for row in self.rows() if row["steps"] == steps]))

        return f"Consequences in {played}, influence {after(1)} after 1 step, {after(steps)} after {steps}"

    def rows(self) -> list[dict[str, Any]]:
        """Return a row for each member and step: the pairs that count, and the mean sizes of what changed for others."""

        def row(member: int, at: int) -> dict[str, Any]:
            count = self.counted[member, :, at]

            def mean(change: np.ndarray) -> float:
                return float(np.abs(change[member, :, at][count]).mean()) if count.any() else float("nan")

            return {
                "member": member,
                "steps": at + 1,
                "pairs": int(count.sum()),
                "influence": mean(self.influence),
                "null": mean(self.null),
                "reward_change": mean(self.reward_change),
                "value_change": mean(self.value_change),
            }

        members, _, steps = self.counted.shape[:3]
        return [row(member, at) for member in range(members) for at in range(steps)]

    def _repr_html_(self) -> str:
        return html_table(self.rows(), repr(self))


def consequences(
    run: Any, state: LearnerState | None = None, steps: int = 1, num_moments: int = 256, seed: int = 0
) -> Consequences:
    """Measure what every choice changes for the others in the next ``steps``, in at least ``num_moments`` moments.

    Each moment takes two worlds for every choice of every agent, one of them for the null. The moments are spread evenly over
    the episode.

    Args:
        run: a `influence_jax.Run`, or a learner.
        state: the learner's state; a run has its own.
        steps: how far to look, at most the steps of the episode less one.
        num_moments: minimum number of moments per member.
        seed: of the games.

    Raises:
        ConfigError: influence is not measured, or an episode has fewer steps.

    Example:
        >>> influence = influence_jax.consequences(run, steps=3, num_moments=64).influence  # f32[S,64,3,N,N]
    """
    learner, state = learner_and_state(run, state)
    checked("num_moments", num_moments, Integers(1))
    checked("seed", seed, Integers(0, INT32_MAX))
    if learner.env.spec.horizon < 2:
        raise ConfigError("env.horizon is 1; consequences show in the step after a choice; allowed: 2 or more.")
    checked("steps", steps, Integers(1, learner.env.spec.horizon - 1))
    if learner.model.measure is None:
        raise ConfigError("influence.measure is 'none'; consequences need one; allowed: any other measure.")
    rounds = -(-num_moments // NUM_ENVS)
    return Consequences(**jax.device_get(_moments(learner, steps, rounds, state.member, jax.random.key(seed))))


@compiled(num_static=3)
def _moments(learner: Learner, steps: int, rounds: int, members: Member, key: jax.Array) -> dict[str, jax.Array]:
    return at_moments(learner, rounds, functools.partial(of_moment, learner, steps), members, key)


def of_moment(
    learner: Learner, steps: int, member: Member, rollout_state: RolloutState, key: jax.Array
) -> dict[str, jax.Array]:
    """Let every choice of every agent have its consequences; the result, with leading E, is as in `Consequences`."""
    channel, timestep = learner.model.channel, rollout_state.timestep
    start, luck_key = Start(learner, member, rollout_state, steps, *jax.random.split(key)), jax.random.fold_in(key, 2)
    output, _, _ = start.act(rollout_state, 0)
    chosen, weights = output.samples[channel].symbol, agents_first(output.log_policy[channel])  # i32[E,K], f32[K,E,C]
    num_agents, _, num_choices = weights.shape

    def after_choice(agent, choice):
        return start.play({channel: jnp.full_like(chosen, -1).at[:, agent].set(choice)})

    def after_luck(agent, number):
        """Play on with other luck of the agent, except where its choice has this number: one world in C is the real one."""
        other = chosen[:, agent] != number
        return start.play(later=functools.partial(start.redrawn, agent, other, jax.random.fold_in(luck_key, number)))

    def worlds(of):
        """Return the futures ``[K,C,...]`` of every choice of every agent."""
        of_agent = jax.vmap(of, in_axes=(None, 0))
        return jax.vmap(of_agent, in_axes=(0, None))(
            *(jnp.arange(n, dtype=jnp.int32) for n in (num_agents, num_choices))
        )

    real, tried, lucky = start.play(), worlds(after_choice), worlds(after_luck)
    goes_on = ~real.over[:, :, None, None]
    counted = goes_on & ~jnp.eye(num_agents, dtype=bool)  # bool[H,E,K,J]

    def influence(log_policy):
        def at_step(factual, alternatives, over, realised, counted):
            policies = CounterfactualPolicies(weights, factual, alternatives, over)
            return real_influence(learner, policies, realised, counted)

        by_step = jax.vmap(at_step, in_axes=(0, 2, 0, 0, 0))
        return by_step(real.log_policy, log_policy, real.over, real.action, counted)

    def change(really, alternatives):
        mean = jnp.einsum("kec,kchej->hekj", jnp.exp(weights), alternatives)
        return jnp.where(goes_on, really[:, :, None] - mean, 0.0)

    found = {
        "influence": influence(tried.log_policy),
        "null": influence(lucky.log_policy),
        "reward_change": change(real.reward, tried.reward),
        "value_change": change(real.value, tried.value),
        "counted": counted,
    }
    return {name: jnp.swapaxes(x, 0, 1) for name, x in found.items()} | {"visible": timestep.visible}


@struct.dataclass
class Future:
    """The steps after a choice, in one world."""

    log_policy: jax.Array  # f32[H,J,E,A], over actions
    action: jax.Array  # i32[H,E,J]
    value: jax.Array  # f32[H,E,J]
    reward: jax.Array  # f32[H,E,J], from the choice until then
    over: jax.Array  # bool[H,E], the episode is over by then


@dataclasses.dataclass(frozen=True)
class Start:
    """A moment from which worlds go on, all by the same chance."""

    learner: Learner
    member: Member
    rollout_state: RolloutState
    steps: int
    act_key: jax.Array  # the agents' random draws
    noise_key: jax.Array  # the game's

    def act(self, rollout_state: RolloutState, number: int | jax.Array, forced: dict[str, jax.Array] | None = None):
        """Let all agents act ``number`` steps after the start, as `influence_jax.learner.rollout.act` does."""
        return act(self.learner, self.member, rollout_state, jax.random.fold_in(self.act_key, number), forced)

    def redrawn(
        self, agent: jax.Array, where: jax.Array, key: jax.Array, rollout_state: RolloutState, number: jax.Array
    ) -> dict[str, jax.Array]:
        """Return the symbols to force if one agent is to draw with another key ``where bool[E]`` holds."""
        log_policy = self.act(rollout_state, number)[0].log_policy
        key = jax.random.fold_in(key, number)

        def forced(stream, of_head):
            symbol = jax.random.categorical(jax.random.fold_in(key, stream), of_head[:, agent]).astype(jnp.int32)
            return jnp.full(of_head.shape[:2], -1, jnp.int32).at[:, agent].set(jnp.where(where, symbol, -1))

        return {head: forced(stream, of_head) for stream, (head, of_head) in enumerate(sorted(log_policy.items()))}

    def play(self, forced: dict[str, jax.Array] | None = None, later: Callable[..., Any] | None = None) -> Future:
        """Play on from here.

        Args:
            forced: symbols of the first step, as in `influence_jax.influence.acting.decide`.
            later: ``(rollout_state, number) -> forced``, those of the following steps.
        """
        env, env_params = self.learner.env, self.member.env_params

        def step(playing, number):
            now, (action, carry, memory), reward, over = playing
            keys = jax.random.split(jax.random.fold_in(self.noise_key, number), len(over))
            noise = jax.vmap(env.sample_noise, in_axes=(0, None))(keys, env_params)
            env_state, after = jax.vmap(env.transition, in_axes=(0, 0, 0, None))(
                now.env_state, action, noise, env_params
            )
            shaper_state = observed_rewards(self.learner, self.member, now, after.reward)
            now = RolloutState(env_state, after, carry, memory, shaper_state)
            output, carry, memory = self.act(now, number, None if later is None else later(now, number))
            reward, over = reward + jnp.where(over[:, None], 0.0, after.reward), over | after.last
            future = Future(
                log_policy=agents_first(output.log_policy["action"]),
                action=output.action,
                value=output.samples["action"].value,
                reward=reward,
                over=over,
            )
            return (now, (output.action, carry, memory), reward, over), future

        output, carry, memory = self.act(self.rollout_state, 0, forced)
        now = self.rollout_state.timestep
        start = self.rollout_state, (output.action, carry, memory), jnp.zeros_like(now.reward), now.last
        return jax.lax.scan(step, start, 1 + jnp.arange(self.steps, dtype=jnp.uint32))[1]
