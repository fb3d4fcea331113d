"""The loss for listeners, against a loop over steps, speakers and messages that runs the network again for each."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from influence_jax.config import Hyperparams, InfluenceConfig
from influence_jax.influence.communication import communication
from influence_jax.influence.measures import kl
from influence_jax.types import ActorOutput
from tests.influence.worlds import A, N, network_of, random_agents, rollout_of

T, E, M, J = 4, 2, 3, 1  # steps, environments, messages, the listener
MODEL = communication(InfluenceConfig(model="communication", num_messages=M, listening_loss=True), N, A, kl)
NETWORK = network_of(MODEL)
WEIGHT = 0.5
VALID = np.array([[True, True, True, True], [True, False, True, True]]).T  # in environment 1 an episode ends at step 1
FIRST = np.array([[False] * 4, [False, False, True, False]]).T


@pytest.fixture(scope="module")
def world():
    """One agent's parameters, state and features; a rollout of messages; and the agent's batch of it."""
    keys = jax.random.split(jax.random.key(4), 3)
    params, carry = jax.tree.map(lambda x: x[J], random_agents(NETWORK))
    carry = jax.tree.map(lambda x: x[:E], carry)
    heard = jax.random.randint(keys[0], (T, E, N), 0, M).at[2, 1].set(-1)
    said_by = jax.nn.log_softmax(jax.random.normal(keys[1], (T, E, N, M)))
    output = ActorOutput(
        samples={},
        log_policy={"message": said_by},
        context=jnp.broadcast_to(heard[:, :, None], (T, E, N, N)),
        influence=None,
        mutual_information=None,
    )
    batch = MODEL.auxiliary_batch(
        rollout_of(jnp.zeros(0), actor_output=output, valid=jnp.asarray(VALID), first=jnp.asarray(FIRST))
    )
    features = {"policy": jax.random.normal(keys[2], (T, E, 6))}
    return params, carry, features, heard, said_by, jax.tree.map(lambda x: x[J], batch)


def loss(params, world):
    _, carry, features, _, _, batch = world
    hparams = Hyperparams(listening_weight=WEIGHT)
    return MODEL.auxiliary_loss(NETWORK, params, carry, features, batch, jnp.asarray(FIRST), hparams)


def by_hand(params, world):
    """The loss by its definition; a message counts if it was said in the same rollout and the listener still acts."""
    _, start, features, heard, said_by, _ = world
    distances = []
    for e in range(E):
        carry = jax.tree.map(lambda x, e=e: x[e], start["policy"])
        for t in range(T):
            carry = jax.tree.map(jnp.zeros_like, carry) if FIRST[t, e] else carry

            def hears(context, carry=carry, t=t, e=e):
                gates = NETWORK.precompute(params, "policy", carry, features["policy"][t, e])
                after, _, heads = NETWORK.resolve(params, "policy", carry, gates, context)
                return after, jax.nn.softmax(heads["action"])

            after, policy = hears(heard[t, e])
            for k in range(N):
                if k == J or t == 0 or not VALID[t, e] or FIRST[t, e]:
                    continue
                shares = jnp.exp(said_by[t - 1, e, k])
                average = sum(shares[m] * hears(heard[t, e].at[k].set(m))[1] for m in range(M))
                distances.append(jnp.abs(policy - jax.lax.stop_gradient(average)).sum())
            carry = after
    return -WEIGHT * sum(distances) / len(distances)


def test_value_and_gradient_are_those_of_a_loop(world):
    (value, metrics), gradient = jax.jit(jax.value_and_grad(lambda p: loss(p, world), has_aux=True))(world[0])
    expected, slope = jax.jit(jax.value_and_grad(lambda p: by_hand(p, world)))(world[0])
    assert expected < -0.01, "the reference must have something to find"
    np.testing.assert_allclose(value, expected, rtol=1e-4)
    np.testing.assert_allclose(metrics["listening"], -expected / WEIGHT, rtol=1e-4)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), gradient, slope)
    assert np.abs(slope["policy"]["core"]["input_kernel"]).max() > 1e-3


def test_a_deaf_listener_has_no_distance(world):
    params = world[0]
    core = params["policy"]["core"]
    deaf = core | {"input_kernel": core["input_kernel"].at[6:].set(0.0)}
    metrics = jax.jit(lambda p: loss(p, world))(params | {"policy": params["policy"] | {"core": deaf}})[1]
    np.testing.assert_allclose(metrics["listening"], 0.0, atol=1e-6)
