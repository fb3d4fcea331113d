"""Real influence: how others would react if an agent had acted differently in the game itself, without any model.

In every step of every environment one agent k is drawn, and all its actions are tried in the same game, with the same random
draws and the same actions of all others. For an agent j in k's view, the policy is evaluated on what j would see next, with
j's real recurrent state. Influence compares j's actual policy with the average over k's actions, weighted by k's policy. It
is exactly 0 if nothing that j perceives depends on k's action, and it is known one step after the action.

The drawn agent is paid N times its influence, so that the expected payment is each agent's influence; trying all agents in
every step would cost N times as much. Without access to the game, as in `influence_jax.evaluation.policy.Policy.step`,
nothing can be tried and influence is 0.
"""

import dataclasses
import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import struct

from influence_jax.config import InfluenceConfig
from influence_jax.influence.acting import Transition
from influence_jax.influence.axes import agents_first
from influence_jax.influence.independent import independent
from influence_jax.influence.measures import Measure
from influence_jax.influence.model import (
    INFLUENCE_LIMIT,
    InfluenceModel,
    Memory,
    influence_measured_next,
    require_others,
)
from influence_jax.types import CounterfactualBatch, TimeStep


@struct.dataclass
class TriedActions:
    """The actions of the last step, and the responses to one drawn agent's alternatives; leading axis E."""

    action: jax.Array  # i32[E,N], all agents' actions; -1 before the first
    drawn: jax.Array  # bool[E,K], the agent drawn, if any
    log_policy: jax.Array  # f32[E,C], its policy, with the action that it took first
    answers: jax.Array  # f32[E,J,C-1,A], all agents' log policies after each other action, in the same order
    reached: jax.Array  # bool[E,J], agents in its view whose input depends on its action


def intervention(config: InfluenceConfig, num_agents: int, num_actions: int, measure: Measure) -> InfluenceModel:
    """Return the model of real influence; its agents are otherwise those of `independent`.

    Raises:
        ConfigError: there is only one agent, and so nobody to influence.
    """
    require_others("intervention", num_agents)
    agents = independent(config, num_agents, num_actions, measure)
    context = agents.memory.context  # of actions i32[E,N]

    def init(num_envs):
        return TriedActions(
            action=agents.memory.init(num_envs),
            drawn=jnp.zeros((num_envs, num_agents), bool),
            log_policy=jnp.zeros((num_envs, num_actions), jnp.float32),
            answers=jnp.zeros((num_envs, num_agents, num_actions - 1, num_actions), jnp.float32),
            reached=jnp.zeros((num_envs, num_agents), bool),
        )

    def remember(memory, acting, step):
        return memory.replace(action=agents.memory.remember(memory.action, acting, step))

    def intervene(network, params, transition, world):
        def draw(key):
            return jnp.arange(num_agents, dtype=jnp.int32) == jax.random.randint(key, (), 0, num_agents, jnp.int32)

        return try_actions(network, params, transition, world, context, jax.vmap(draw)(transition.keys))

    def counterfactuals(network, params, step):
        """Compare the policies of this step with those after the tried actions; leading axes are influencees and environments."""
        del network, params
        memory, factual = step.memory, step.policy.log_policy["action"][:, :, None]  # f32[J,E,1,A]
        answers = jnp.concatenate([factual, agents_first(memory.answers)], axis=2)
        batch = CounterfactualBatch(
            factual=factual,
            alternatives=answers[..., None, :],
            weights=jnp.broadcast_to(memory.log_policy, answers.shape[:-1]),
            realised=step.policy.samples["action"].symbol[..., None],
            mask=(agents_first(memory.reached) & ~step.timestep.last)[..., None],
        )
        return batch, {}

    def place(pairs, step):
        """Assign the pairs ``[J,E,1]`` to the drawn agents."""
        return jnp.where(step.memory.drawn[..., None], pairs[..., 0].T[:, None], 0.0)

    return dataclasses.replace(
        agents,
        memory=Memory(init, lambda memory: context(memory.action), remember),
        counterfactuals=counterfactuals,
        place=place,
        intervene=intervene,
        influence_of_choices=influence_measured_next,
        credit=lambda trajectory, bootstrap, hparams: num_agents * influence_measured_next(trajectory, bootstrap),
        limit=num_agents * INFLUENCE_LIMIT,
    )


def try_actions(
    network, params, transition: Transition, world: Callable[[jax.Array], TimeStep], context, drawn: jax.Array
) -> TriedActions:
    """Try all actions of the agents ``drawn bool[E,K]``, one per environment; see `InfluenceModel.intervene`.

    ``context`` maps actions i32[E,N] to the symbols i32[E,N,L] that enter the policies.
    """
    action, log_policy = transition.output.action, transition.output.log_policy["action"]
    turn = jnp.arange(log_policy.shape[-1], dtype=jnp.int32)
    taken = jnp.sum(jnp.where(drawn, action, 0), axis=1, keepdims=True)
    choices = (taken + turn) % len(turn)  # i32[E,C], the action that was taken comes first
    instead = jax.vmap(lambda choice: jnp.where(drawn, choice[:, None], action))(choices[:, 1:].T)  # i32[C-1,E,N]
    seen, told = jax.vmap(world)(instead).observation, jax.vmap(context)(instead)

    def differs(other, real):  # bool[E,J]
        return jnp.any(other != real, axis=(0, *range(3, other.ndim)))

    changed = jax.tree.map(differs, (seen, told), (transition.after.observation, context(action)))

    def answer(params, carry, features, context):
        gates = network.precompute(params, "policy", carry, features)
        return jax.nn.log_softmax(network.resolve(params, "policy", carry, gates, context)[2]["action"])

    seen, told = jax.tree.map(lambda x: jnp.moveaxis(x, 2, 0), (seen, told))  # [J,C-1,E,...]
    features = jax.vmap(network.encode)(params, seen)["policy"]
    after_each = jax.vmap(answer, in_axes=(None, None, 0, 0))
    answers = jax.vmap(after_each)(params, transition.carry["policy"], features, told)
    return TriedActions(
        action=action,
        drawn=drawn,
        log_policy=jnp.take_along_axis(jnp.where(drawn[..., None], log_policy, 0.0).sum(axis=1), choices, axis=-1),
        answers=jnp.moveaxis(answers, 2, 0),
        reached=jnp.any(transition.timestep.visible & drawn[..., None], axis=1)
        & functools.reduce(jnp.logical_or, jax.tree.leaves(changed)),
    )
