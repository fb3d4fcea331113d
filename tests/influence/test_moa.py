"""The model of other agents: counterfactuals against a naive rerun of the whole network, masks, timing, learning."""

import functools

import distrax
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from influence_jax import influence
from influence_jax.config import Hyperparams, InfluenceConfig
from influence_jax.influence import acting, axes, counterfactual
from influence_jax.influence.measures import jsd, kl
from influence_jax.influence.moa import moa, predictions
from influence_jax.types import ActorOutput, HeadSample, Trajectory
from tests.influence.worlds import A, E, N, V, divergence, network_of, random_agents, rollout_of, timestep


def build(measure=kl, train_only_visible=True, marginal="policy"):
    config = InfluenceConfig(model="moa", moa_train_only_visible=train_only_visible, moa_marginal=marginal)
    model = moa(config, N, A, measure)
    return model, network_of(model)


MODEL, NETWORK = build()


@pytest.fixture(scope="module")
def world():
    """Random parameters, recurrent states, previous actions and views in the middle of an episode."""
    params, carry = random_agents(NETWORK)
    previous = jax.random.randint(jax.random.key(1), (E, N), 0, A)
    return params, carry, previous, timestep(jax.random.key(2))


@functools.partial(jax.jit, static_argnames="model")
def decide(params, carry, previous, now, model=MODEL):
    return acting.decide(model, NETWORK, jax.random.key(7), params, carry, previous, now)


def naive_prediction(params, carry, observation, symbols):
    """An agent's prediction from pixels, recomputed from scratch."""
    gates = NETWORK.precompute(params, "moa", carry["moa"], NETWORK.encode(params, observation)["moa"])
    return jax.nn.log_softmax(NETWORK.resolve(params, "moa", carry["moa"], gates, symbols)[2]["prediction"])


def naive_policy(params, carry, observation, context):
    gates = NETWORK.precompute(params, "policy", carry["policy"], NETWORK.encode(params, observation)["policy"])
    return NETWORK.resolve(params, "policy", carry["policy"], gates, context)[2]["action"]


@pytest.fixture(scope="module")
def by_hand(world):
    """Influence [E,N,N], mutual information, surprisal [E,N] and influence by the released marginal [E,N,N], by loops."""
    action = np.asarray(decide(*world)[0].action)
    params, carry, previous, now = jax.device_get(world)
    predict, policy = jax.jit(naive_prediction), jax.jit(naive_policy)
    influence, information, surprisal = np.zeros((E, N, N)), np.zeros((E, N, N)), np.zeros((E, N))
    released = np.zeros((E, N, N))
    for e in range(E):
        for k in range(N):
            mine = jax.tree.map(lambda x, k=k: x[k], params)
            state = jax.tree.map(lambda x, k=k, e=e: x[k, e], carry)
            others = [j for j in range(N) if j != k]
            weights = np.asarray(
                distrax.Categorical(policy(mine, state, now.observation[e, k], previous[e, others])).probs
            )
            answers = [
                np.exp(predict(mine, state, now.observation[e, k], jnp.array([a, *action[e, others]])))
                for a in range(A)
            ]
            marginal = sum(w * p for w, p in zip(weights, answers, strict=True))
            each = [(p * (np.log(p) - np.log(marginal))).sum(-1) for p in answers]
            influence[e, k, others] = each[action[e, k]]
            information[e, k, others] = sum(w * d for w, d in zip(weights, each, strict=True))
            surprisal[e, k] = -np.log(weights[action[e, k]])
            for j, answer in zip(others, np.moveaxis(answers, 1, 0), strict=True):  # f[A,A], k's action and j's
                wrong = [weights[b] * sum(answer[a, b] for a in range(A)) for b in range(A)]
                released[e, k, j] = divergence(answer[action[e, k]], np.array(wrong) / sum(wrong))
    return influence, information, surprisal, released


def test_influence_is_the_naive_rerun(world, by_hand):
    output, _, _ = decide(*world)
    influence, information, surprisal, _ = by_hand
    assert influence.max() > 0.02, "the reference must have something to find"
    np.testing.assert_allclose(output.influence, influence, atol=2e-5)
    np.testing.assert_allclose(output.mutual_information, information, atol=2e-5)
    assert np.all(output.influence <= surprisal[..., None] + 1e-5)


def test_real_row_is_the_real_prediction_to_the_bit(world):
    params, carry, _, now = world
    symbols = jax.random.randint(jax.random.key(9), (E, N), 0, A)

    def one(params, carry, observation):
        features = NETWORK.encode(params, observation)["moa"]
        mask = jnp.ones((E, N - 1), bool)

        return predictions(NETWORK, params, carry["moa"], features, symbols, jnp.zeros((E, A)), mask)[1]

    batch = jax.jit(one)(*jax.tree.map(lambda x: x[0], (params, carry)), now.observation[:, 0])
    rows = jnp.take_along_axis(batch.alternatives, symbols[:, 0][:, None, None, None], axis=1)[:, 0]
    np.testing.assert_array_equal(rows, batch.factual)
    assert jnp.abs(batch.alternatives - batch.factual[:, None]).max() > 0.1


def test_state_advances_with_the_real_action_only(world):
    params, carry, _, now = world
    output, after, _ = decide(*world)
    symbols = axes.own_first(output.action)
    for k in range(N):
        mine, state = jax.tree.map(lambda x, k=k: x[k], (params, carry))
        gates = NETWORK.precompute(mine, "moa", state["moa"], NETWORK.encode(mine, now.observation[:, k])["moa"])
        stepped = NETWORK.resolve(mine, "moa", state["moa"], gates, symbols[:, k])[0]
        np.testing.assert_allclose(after["moa"].hidden[k], stepped.hidden, atol=1e-5)


def test_severed_channel_silences_its_agent_and_nobody_else(world):
    params, carry, previous, now = world
    rows = slice(6, 6 + A)  # agent 1's own block, after its 6 features
    kernel = params["moa"]["core"]["input_kernel"].at[1, rows].set(0.0)
    severed = params | {"moa": params["moa"] | {"core": params["moa"]["core"] | {"input_kernel": kernel}}}
    before, after = decide(*world)[0].influence, decide(severed, carry, previous, now)[0].influence
    np.testing.assert_allclose(after[:, 1], 0.0, atol=1e-6)
    np.testing.assert_array_equal(after[:, [0, 2]], before[:, [0, 2]])


def test_only_visible_agents_count(world):
    params, carry, previous, now = world
    hidden = now.replace(visible=now.visible.at[:, 0, 2].set(False))
    before, after = decide(*world)[0].influence, decide(params, carry, previous, hidden)[0].influence
    assert not after[:, 0, 2].any()
    np.testing.assert_array_equal(after.at[:, 0, 2].set(0), before.at[:, 0, 2].set(0))


def test_permuting_the_agents_permutes_the_influence(world, by_hand):
    """The same agents under other numbers: every block of symbols and every head moves with its agent."""
    params, carry, previous, now = world
    order = np.array([2, 0, 1])  # new agent i was order[i]
    action = decide(*world)[0].action

    def rearrange(k):
        """New agent k's parameters and inputs from those of order[k]."""
        old = order[k]
        mine = jax.tree.map(lambda x: x[old], params)
        old_others = [j for j in range(N) if j != old]
        blocks = [old_others.index(order[j]) for j in range(N) if j != k]
        index = np.concatenate([np.arange(6 + A), *(6 + A * (b + 1) + np.arange(A) for b in blocks)])
        mine["moa"]["core"]["input_kernel"] = mine["moa"]["core"]["input_kernel"][index]
        heads = np.concatenate([A * b + np.arange(A) for b in blocks])
        mine["moa_head"] = {"kernel": mine["moa_head"]["kernel"][:, heads], "bias": mine["moa_head"]["bias"][heads]}
        return mine

    influence = np.zeros((E, N, N))
    for k in range(N):
        mine = rearrange(k)
        state = jax.tree.map(lambda x, k=k: x[order[k]], carry)
        observation = now.observation[:, order[k]]
        symbols = axes.own_first(action[:, order])[:, k]
        weights = jax.nn.log_softmax(
            naive_policy(
                jax.tree.map(lambda x, k=k: x[order[k]], params), state, observation, axes.others(previous)[:, order[k]]
            )
        )
        mask = jnp.ones((E, N - 1), bool)
        features = NETWORK.encode(mine, observation)["moa"]
        _, batch = predictions(NETWORK, mine, state["moa"], features, symbols, weights, mask)
        influence[:, k, [j for j in range(N) if j != k]] = counterfactual.pairwise_influence(batch, kl)
    np.testing.assert_allclose(influence, by_hand[0][:, order][:, :, order], atol=2e-5)


def test_no_gradient_through_the_influence_reward(world):
    _, carry, previous, now = world
    paid = jax.grad(lambda p: decide(p, carry, previous, now)[0].influence.sum())(world[0])
    assert not any(np.any(x) for x in jax.tree.leaves(paid))
    policy = jax.grad(lambda p: decide(p, carry, previous, now)[0].samples["action"].value.sum())(world[0])
    assert any(np.any(x) for x in jax.tree.leaves(policy)), "the same path does carry other gradients"


def test_start_of_an_episode_forgets_and_its_end_is_idle(world):
    params, carry, previous, now = world
    fresh, _, _ = decide(params, NETWORK.zero_carry((N, E)), jnp.full((E, N), -1), now)
    reset, _, _ = decide(params, carry, previous, now.replace(first=jnp.ones(E, bool)))
    jax.tree.map(np.testing.assert_array_equal, fresh, reset)
    assert (reset.context == -1).all()
    over, _, _ = decide(params, carry, previous, now.replace(truncated=jnp.array([True, False, False, False])))
    assert not over.influence[0].any() and not over.mutual_information[0].any() and over.influence[1:].any()


def test_released_marginal_takes_the_other_axis(world, by_hand):
    """Public code's loop, step by step; the mutual information is that of the right marginal."""
    model, _ = build(marginal="released")
    output = decide(*world, model=model)[0]
    np.testing.assert_allclose(output.influence, by_hand[3], rtol=1e-4, atol=2e-5)
    np.testing.assert_allclose(output.mutual_information, by_hand[1], atol=2e-5)
    assert (output.influence > by_hand[2][..., None]).any(), "it is not below the surprisal"


def test_jsd_model_reports_jsd(world, by_hand):
    model, _ = build(jsd)
    values = decide(*world, model=model)[0].influence
    assert 0 <= values.min() and values.max() <= np.log(2)
    assert jnp.all(values <= by_hand[0] + 1e-5)


def test_no_influence_on_a_next_action_that_never_comes():
    model = influence.make(InfluenceConfig(model="moa"), 3, A)
    flags = {"truncated": jnp.array([[False], [True], [False]]), "discount": jnp.array([[1.0], [1.0], [0.0]])}
    credited = model.credited_influence(rollout_of(jnp.ones((3, 1, 3, 3)), **flags), None, Hyperparams())
    np.testing.assert_array_equal(credited[:, 0, 0, 1], [1, 0, 0])


def trajectory(actions, valid, first, visible) -> Trajectory:
    t, e, n = actions.shape
    nothing = jnp.zeros((t, e, n))
    output = ActorOutput(
        samples={"action": HeadSample(symbol=actions, log_prob=nothing, value=nothing, entropy=nothing)},
        log_policy=None,
        context=jnp.zeros((t, e, n, n - 1), jnp.int32),
        influence=jnp.zeros((t, e, n, n)),
        mutual_information=jnp.zeros((t, e, n, n)),
    )
    return Trajectory(
        time=None,
        observation=jnp.zeros((t, e, n, V, V, 3), jnp.uint8),
        first=first,
        valid=valid,
        visible=visible,
        actor_output=output,
        activity={},
        reward=jnp.zeros((t, e, n)),
        discount=jnp.ones((t, e)),
        truncated=jnp.zeros((t, e), bool),
        metrics={},
    )


def test_predictions_are_paired_with_the_next_actions():
    """Time index by time index: an episode ends at step 2 (idle), a new one starts at step 3."""
    actions = jnp.arange(5 * N).reshape(5, 1, N)
    valid = jnp.array([True, True, False, True, True])[:, None]
    first = jnp.array([False, False, False, True, False])[:, None]
    visible = jnp.broadcast_to(~jnp.eye(N, dtype=bool), (5, 1, N, N)).at[0, 0, 0, 1].set(False)
    seen = MODEL.auxiliary_batch(trajectory(actions, valid, first, visible))
    everyone = build(train_only_visible=False)[0].auxiliary_batch(trajectory(actions, valid, first, visible))
    np.testing.assert_array_equal(seen["symbols"][1, :, 0], [[3 * t + 1, 3 * t, 3 * t + 2] for t in range(5)])
    np.testing.assert_array_equal(seen["targets"][1, :4, 0], [[3 * t + 3, 3 * t + 5] for t in range(4)])
    # Step 1's partner is the idle step 2; step 2's would be the first action of another episode; step 4 has none.
    np.testing.assert_array_equal(everyone["mask"][:, :, 0].all(-1), [[True, False, False, True, False]] * N)
    np.testing.assert_array_equal(seen["mask"][0, 0, 0], [False, True])
    np.testing.assert_array_equal(seen["mask"][1:], everyone["mask"][1:])


def test_model_learns_a_partner_that_copies_and_influence_reaches_its_bound():
    """A partner that repeats k's last action: cross-entropy falls to 0 and KL rises to ``-log pi_k(a_k)``."""
    steps, envs = 8, 64
    params = NETWORK.init(jax.random.key(0), (V, V, 3))
    optimizer = optax.adam(1e-2)
    visible = jnp.broadcast_to(~jnp.eye(N, dtype=bool), (steps, envs, N, N))
    everything, nothing = jnp.ones((steps, envs), bool), jnp.zeros((steps, envs), bool)
    carry = NETWORK.zero_carry((envs,))
    blank = {"moa": jnp.zeros((steps, envs, 6))}

    def batch(key):
        own = jax.random.randint(key, (steps, envs), 0, A)
        echo = jnp.concatenate([jnp.zeros((1, envs), jnp.int32), own[:-1]])
        data = MODEL.auxiliary_batch(trajectory(jnp.stack([own, echo, echo], -1), everything, nothing, visible))
        return jax.tree.map(lambda x: x[0], data)

    def loss(params, key):
        return MODEL.auxiliary_loss(NETWORK, params, carry, blank, batch(key), nothing, Hyperparams())

    def learn(carried, key):
        params, state = carried
        (value, _), gradients = jax.value_and_grad(loss, has_aux=True)(params, key)
        updates, state = optimizer.update(gradients, state)
        return (optax.apply_updates(params, updates), state), value

    keys = jax.random.split(jax.random.key(1), 400)
    (params, _), losses = jax.jit(lambda p: jax.lax.scan(learn, (p, optimizer.init(p)), keys))(params)
    assert abs(losses[0] - np.log(A)) < 0.1 and losses[-20:].mean() < 0.02

    log_policy = jax.nn.log_softmax(jax.random.normal(jax.random.key(2), (envs, A)))
    own = jax.random.categorical(jax.random.key(3), log_policy)

    symbols = jnp.stack([own, jnp.zeros_like(own), jnp.zeros_like(own)], -1)
    _, answers = predictions(
        NETWORK, params, carry["moa"], jnp.zeros((envs, 6)), symbols, log_policy, jnp.ones((envs, N - 1), bool)
    )
    surprisal = -jnp.take_along_axis(log_policy, own[:, None], axis=-1)
    influence = counterfactual.pairwise_influence(answers, kl)
    assert jnp.all(influence <= surprisal + 1e-5)
    np.testing.assert_allclose(influence.mean(), surprisal.mean(), rtol=0.1)
