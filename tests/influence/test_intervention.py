"""Real influence as a reward, against loops over games, actions and agents, and in cases with known answers."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from influence_jax import influence, presets
from influence_jax.config import (
    ConfigError,
    EnvConfig,
    ExperimentConfig,
    Hyperparams,
    InfluenceConfig,
    LearnerConfig,
    NetworkConfig,
)
from influence_jax.envs.grid import vision
from influence_jax.evaluation.intervention import counterfactual_policies, real_influence
from influence_jax.influence.independent import independent
from influence_jax.influence.intervention import intervention, try_actions
from influence_jax.influence.measures import kl
from influence_jax.influence.model import INFLUENCE_LIMIT, without_measure
from influence_jax.learner import train
from influence_jax.learner.learner import make_learner
from influence_jax.learner.rollout import init_rollout, rollout
from influence_jax.learner.state import Member
from influence_jax.types import Observation
from tests.influence.worlds import bootstrap_of, compare, divergence, louder, naive_heads, rollout_of

N, HORIZON = 3, 5
WALLED_IN = (1, 1)  # a cell that nobody can leave, or fire out of
MAPS = {
    "harvest": ("@@@@@@@@", "@P@ A P@", "@@ A  A@", "@ P  A @", "@@@@@@@@"),
    "cleanup": ("@@@@@@@@", "@P@ B P@", "@@ HR B@", "@ P SB @", "@@@@@@@@"),
}


@dataclasses.dataclass(frozen=True)
class Step:
    """A step of acting on the host, with the influence ``pairs`` f32[E,K,J] of its actions, and its information."""

    key: jax.Array
    now: object  # RolloutState
    actions: np.ndarray  # i32[E,N]
    then: object  # RolloutState
    pairs: tuple[np.ndarray, np.ndarray]

    @property
    def drawn(self):
        """i32[E]: the agent whose actions were tried."""
        assert (self.then.memory.drawn.sum(axis=1) == 1).all()
        return self.then.memory.drawn.argmax(axis=1)

    @property
    def goes_on(self):
        """bool[E]: whether anyone acts after it."""
        return ~(self.now.timestep.last | self.then.timestep.last)


@dataclasses.dataclass(frozen=True)
class Game:
    """A game of agents with non-uniform policies, and some of its steps: of an episode, its last, the idle and the first one."""

    learner: object
    member: Member
    steps: list

    @functools.cached_property
    def heads(self):
        return naive_heads(self.learner.network)

    @functools.cached_property
    def move(self):
        return jax.jit(self.learner.env.transition)

    @functools.cached_property
    def draw(self):
        return jax.jit(self.learner.env.sample_noise)

    def noise_keys(self, step):
        return jax.random.split(jax.random.split(jax.random.fold_in(step.key, 0))[1], len(step.actions))


@functools.cache
def played(name, informed):
    """Play a game; ``informed`` agents are told the others' actions and observe all rewards."""
    rules = {"shaper": "inequity_averse", "observe_rewards": True} if informed else {}
    learner = make_learner(
        ExperimentConfig(
            env=EnvConfig(name, num_agents=N, horizon=HORIZON, view_radius=2, layout=MAPS[name]),
            network=NetworkConfig(conv_channels=2, hidden_size=6, core_size=8),
            influence=InfluenceConfig(model="intervention", visible_actions=informed),
            learner=LearnerConfig(num_envs=40, rollout_length=4, **rules),
            hyperparams=Hyperparams(influence_weight=1.0),
        )
    )
    state = jax.jit(functools.partial(train.init, learner))(jax.random.key(0))
    member, now = state.replace(params=louder(state.params)).member, state.rollout_state
    one_step = jax.jit(lambda now, key: rollout(learner, member, now, 1, key))
    steps = []
    for t in range(9):
        then, trajectory, bootstrap = one_step(now, jax.random.key(t))
        pairs = bootstrap.influence, bootstrap.mutual_information
        steps.append(Step(jax.random.key(t), *jax.device_get((now, trajectory.actor_output.action[0], then, pairs))))
        now = then
    return Game(learner, jax.device_get(member), steps[3:])


def by_hand(game, step, e, k):
    """Influence and mutual information ``[J]`` of what agent k did in environment e, by loops."""
    env, member, now, then = game.learner.env, game.member, step.now, step.then
    informed, first = game.learner.config.influence.visible_actions, now.timestep.first[e]
    noise = game.draw(game.noise_keys(step)[e], member.env_params)
    here = jax.tree.map(lambda x: x[e], now.env_state)

    def policy(agent, carry, observation, levels, actions):
        others = [i for i in range(N) if i != agent]
        params, carry = jax.tree.map(lambda x: x[agent], member.params), jax.tree.map(lambda x: x[agent, e], carry)
        seen = observation[agent]
        if informed:
            seen = Observation(image=seen, extra=jnp.asarray(levels[[agent, *others]] / 10))
        context = jnp.asarray([actions[i] for i in others] if informed else [], jnp.int32)
        return np.asarray(game.heads(params, carry, seen, context)["action"])

    levels = np.where(first, 0, now.shaper_state[e]) if informed else None
    carry = jax.tree.map(lambda x: np.where(now.timestep.first[None, :, None], 0, x), now.carry)
    said = np.where(first, -1, now.memory.action[e])
    weights = policy(k, carry, now.timestep.observation[e], levels, said)
    answers = []
    for action in range(env.spec.num_actions):
        actions = step.actions[e].copy()
        actions[k] = action
        _, after = game.move(here, actions, noise, member.env_params)
        if action == step.actions[e, k] and not now.timestep.last[e]:
            np.testing.assert_array_equal(after.observation, then.timestep.observation[e])
        felt = np.float32(0.99 * 0.975) * levels + np.asarray(after.reward) if informed else None
        answers.append([policy(j, then.carry, after.observation, felt, actions) for j in range(N)])
    found = np.zeros((2, N))
    for j in range(N):
        if now.timestep.visible[e, k, j] and step.goes_on[e]:
            found[:, j] = compare([answer[j] for answer in answers], weights, step.actions[e, k])
    return found


GAMES = pytest.mark.parametrize(
    ("name", "informed"), [("harvest", False), pytest.param("cleanup", True, marks=pytest.mark.slow)]
)


@GAMES
def test_influence_is_that_of_the_agent_drawn_by_loops(name, informed):
    """Loops over games, actions and agents, each run separately."""
    game = played(name, informed)
    kinds, largest = set(), 0
    for step in game.steps:
        for e in {0, 17, int(step.pairs[0].max(axis=(1, 2)).argmax())}:
            kinds.add((bool(step.now.timestep.last[e]), bool(step.then.timestep.last[e])))
            drawn = step.drawn[e]
            for found, expected in zip(step.pairs, by_hand(game, step, e, drawn), strict=True):
                np.testing.assert_allclose(found[e, drawn], expected, atol=1e-6, rtol=1e-4)
                assert not np.delete(found[e], drawn, axis=0).any()
            largest = max(largest, step.pairs[0][e].max())
    assert largest > 0.02, "the reference must have something to find"
    assert kinds == {(False, False), (False, True), (True, False)}


@GAMES
def test_an_action_without_consequence_has_no_influence(name, informed):
    """A walled-in agent's heading and beam are invisible to the others, but they may be told its action."""
    counted = 0
    for step in played(name, informed).steps:
        drawn = step.drawn
        at = step.now.env_state.position[np.arange(len(drawn)), drawn]
        for e in np.flatnonzero((at == WALLED_IN).all(axis=-1) & step.goes_on):
            seen = step.now.timestep.visible[e, drawn[e]]
            influence = step.pairs[0][e, drawn[e]]
            assert (influence[seen] > 0).all() if informed else not influence.any()
            counted += seen.sum()
    assert counted > 5


def test_draws_are_uniform():
    drawn = np.concatenate([step.drawn for step in played("harvest", False).steps])
    counts = np.bincount(drawn, minlength=N)
    assert len(counts) == N and abs(counts - len(drawn) / N).max() < 4 * np.sqrt(len(drawn) * (N - 1)) / N


def test_pay_is_in_expectation_that_of_everybody():
    """Averaged over all draws, pay equals the influence of all agents as computed by evaluation, in another way."""
    game = played("harvest", False)
    learner, step = game.learner, game.steps[0]
    num_envs, nothing = len(step.actions), independent(InfluenceConfig(), N, 8, kl).memory.context

    def paid(member, now, agent):
        """The pay of all agents if this agent is drawn in all environments."""

        drawn = jnp.broadcast_to(jnp.arange(N) == agent, (num_envs, N))

        def intervene(network, params, transition, world):
            return try_actions(network, params, transition, world, nothing, drawn)

        model = dataclasses.replace(learner.model, intervene=intervene)
        _, *played = rollout(dataclasses.replace(learner, model=model), member, now, 1, step.key)
        return model.credited_influence(*played, member.hyperparams)[0]

    noise = jax.vmap(learner.env.sample_noise, in_axes=(0, None))(game.noise_keys(step), game.member.env_params)
    found = counterfactual_policies(learner, game.member, step.now, {"action": step.actions}, noise)
    real = real_influence(learner, found, None, step.now.timestep.visible & step.goes_on[:, None, None])
    expected = jax.jit(jax.vmap(paid, in_axes=(None, None, 0)))(game.member, step.now, jnp.arange(N)).mean(axis=0)
    assert real.max() > 0.02
    np.testing.assert_allclose(expected, real, atol=2e-6, rtol=1e-4)


@dataclasses.dataclass(frozen=True)
class Watchers:
    """A network without memory; params f32[] are added to the logit of its first action when no door is in view."""

    num_actions: int

    def init(self, key, observation_shape):
        return jnp.float32(0)

    def zero_carry(self, shape):
        return {"policy": jnp.zeros((*shape, 1), jnp.float32)}

    def hidden(self, carry):
        return carry

    def encode(self, params, observation):
        closed = (observation == vision.PALETTE[vision.DOOR]).all(axis=-1).any(axis=(-2, -1))
        return {"policy": closed[..., None].astype(jnp.float32)}

    def precompute(self, params, branch, carry, features):
        return jnp.where(features > 0, 0.0, params)

    def resolve(self, params, branch, carry, gates, context):
        first = jnp.arange(self.num_actions) == 0
        return carry, gates, {"action": jnp.where(first, gates, 0.0), "action_value": gates[..., 0]}


def test_box_trapped_spikes_when_the_door_opens():
    """The opener acts at random. So does the trapped agent behind a closed door; with the door open, it mostly steps ahead."""
    config = presets.get("box-trapped", num_envs=32, **{"influence.model": "intervention", "env.view_radius": 12})
    learner = make_learner(config)
    num_actions = learner.env.spec.num_actions
    learner = dataclasses.replace(learner, network=Watchers(num_actions))
    member = Member(jnp.array([0.0, 4.0]), learner.env_params, learner.config.hyperparams)
    start = init_rollout(learner, learner.env_params, jax.random.key(0), 32, staggered=False)
    _, trajectory, bootstrap = jax.jit(lambda: rollout(learner, member, start, 12, jax.random.key(1)))()
    paid = np.asarray(learner.model.influence_reward(trajectory, bootstrap, member.hyperparams))
    pairs = np.asarray(learner.model.influence_of_choices(trajectory, bootstrap))

    even = np.full(num_actions, 1 / num_actions)
    ahead = np.exp([4.0, *[0.0] * (num_actions - 1)])
    ahead /= ahead.sum()
    average = even + (ahead - even) / num_actions
    opens = np.asarray(trajectory.metrics["opens"][..., 0]) > 0
    closed = np.cumsum(opens, axis=0) - opens == 0  # before the step
    expected = np.where(opens, divergence(ahead, average), np.where(closed, divergence(even, average), 0.0))
    drawn = pairs[..., 0, 1] > 1e-6
    assert expected.max() > 0.7 and (opens & drawn).sum() > 5
    assert not (drawn & ~closed).any() and abs(drawn[closed].mean() - 0.5) < 0.15
    np.testing.assert_allclose(pairs[..., 0, 1], np.where(drawn, expected, 0.0), atol=1e-6)
    np.testing.assert_allclose(pairs[..., 1, 0], 0.0, atol=1e-6)
    np.testing.assert_allclose(paid[..., 0], 2 * pairs[..., 0, 1], atol=1e-6)


MODEL = intervention(InfluenceConfig(model="intervention"), N, 8, kl)


def test_influence_is_credited_to_the_action_and_paid_for_all_draws():
    pairs = jnp.zeros((3, 1, N, N)).at[:, 0, 0, 1].set(jnp.array([0.1, 0.2, 50.0]))
    reward = MODEL.influence_reward(
        rollout_of(pairs), bootstrap_of(jnp.zeros((1, N, N)).at[0, 2, 0].set(0.3)), Hyperparams()
    )
    expected = [[N * 0.2, 0, 0], [N * INFLUENCE_LIMIT, 0, 0], [0, 0, N * 0.3]]
    np.testing.assert_allclose(reward[:, 0], expected, rtol=1e-6)


def test_no_game_is_tried_where_nobody_measures():
    assert without_measure(MODEL).intervene is None


def test_nobody_alone_has_influence():
    with pytest.raises(ConfigError, match=r"influence\.model is 'intervention' with one agent"):
        influence.make(InfluenceConfig(model="intervention"), 1, 8)
