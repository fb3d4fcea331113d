"""Tests of influence on the others' real policies, against a naive rerun of the whole network, for every model that has it."""

import dataclasses
import functools
from collections.abc import Callable

import jax
import numpy as np

from influence_jax.influence.acting import decide
from tests.influence.worlds import E, N, compare, naive_heads, network_of, random_agents, timestep


@functools.cache
def jitted(model, network):
    return jax.jit(lambda *args: decide(model, network, jax.random.key(7), *args))


@dataclasses.dataclass(frozen=True)
class World:
    """A model in the middle of an episode, and its rules, written from section A of the paper's description."""

    model: object
    network: object
    arguments: tuple  # of decide: params, carry, memory, timestep
    symbols: int  # actions or messages
    contexts: Callable  # (memory, action) -> i32[E,N,L], what each agent is told
    # (arguments, heads, contexts, action, e, j) -> the influencers of j in e: (k, block of j's context, policy, taken)
    influencers: Callable

    def decide(self, **changes):
        params, carry, memory, now = self.arguments
        return jitted(self.model, self.network)(
            changes.get("params", params), carry, changes.get("memory", memory), changes.get("now", now)
        )


def make_world(model, remembered, **rules) -> World:
    """Return random agents in a random state; ``remembered`` samples the memory from two keys."""
    network = network_of(model)
    params, carry = random_agents(network)
    keys = jax.random.split(jax.random.key(1), 3)
    return World(model, network, (params, carry, remembered(keys[0], keys[1]), timestep(keys[2])), **rules)


def by_hand(world):
    """Influence and mutual information ``[E,N,N]``, surprisal ``[E,N]``, by loops."""
    action = np.asarray(world.decide()[0].action)
    arguments = params, carry, memory, now = jax.device_get(world.arguments)
    heads = naive_heads(world.network)
    contexts = world.contexts(memory, action)
    influence, information, surprisal = np.zeros((E, N, N)), np.zeros((E, N, N)), np.zeros((E, N))
    for e in range(E):
        for j in range(N):
            agent = jax.tree.map(lambda x, j=j: x[j], params)
            state = jax.tree.map(lambda x, j=j, e=e: x[j, e], carry)
            told = contexts[e, j]
            for k, block, weights, taken in world.influencers(arguments, heads, contexts, action, e, j):
                answers = []
                for symbol in range(len(weights)):
                    otherwise = told.copy()
                    otherwise[block] = symbol
                    answers.append(np.asarray(heads(agent, state, now.observation[e, j], otherwise)["action"]))
                influence[e, k, j], information[e, k, j] = compare(answers, weights, taken)
                surprisal[e, k] = -np.log(weights[taken])
    return influence, information, surprisal


class Listeners:
    """The tests; a test module derives from this class and has a fixture ``world``."""

    def test_agents_are_told_what_the_rules_say(self, world):
        memory = world.arguments[2]
        output, _, _ = world.decide()
        np.testing.assert_array_equal(output.context, world.contexts(jax.device_get(memory), np.asarray(output.action)))

    def test_influence_is_the_naive_rerun_and_below_the_surprisal(self, world):
        output, _, _ = world.decide()
        influence, information, surprisal = by_hand(world)
        assert influence.max() > 0.02, "the reference must have something to find"
        np.testing.assert_allclose(output.influence, influence, atol=2e-5)
        np.testing.assert_allclose(output.mutual_information, information, atol=2e-5)
        assert np.all(output.influence <= surprisal[..., None] + 1e-5)

    def test_severed_channel_silences_that_pair_alone(self, world):
        """Agent 2 cannot hear agent 0: the rows of that block of its kernel are zero."""
        params = world.arguments[0]
        kernel = params["policy"]["core"]["input_kernel"].at[2, 6 : 6 + world.symbols].set(0.0)
        severed = params | {"policy": params["policy"] | {"core": params["policy"]["core"] | {"input_kernel": kernel}}}
        before, after = world.decide()[0].influence, world.decide(params=severed)[0].influence
        assert before[:, 0, 2].min() > 0
        np.testing.assert_allclose(after[:, 0, 2], 0.0, atol=1e-6)
        np.testing.assert_array_equal(after[:, :, :2], before[:, :, :2])

    def test_no_gradient_through_the_influence_reward(self, world):
        params, carry, memory, now = world.arguments
        run = jitted(world.model, world.network)
        paid = jax.grad(lambda p: run(p, carry, memory, now)[0].influence.sum())(params)
        assert not any(np.any(x) for x in jax.tree.leaves(paid))
