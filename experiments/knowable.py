"""How much of what others do next can be known from what an agent sees?

The agents are those of a run on Harvest, frozen. Networks of the size of their models of others, but without memory, learn
every other agent's next policy itself and not its draws, from three pictures of the same step: the agent's own view, that
view recentred on the other agent and turned to where that one looks, and, as a bound, the other agent's own view. The share of
the knowable is 0 for a model that knows action frequencies, and 1 for one that knows the policies.
"""

import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import optax
import tyro
from conditions import RUNS, finished
from flax import linen as nn
from items import RESULTS, write
from scipy.special import entr

import influence_jax
from influence_jax.networks.encoder import ConvEncoder
from influence_jax.networks.perspective import perspectives

PICTURES = ("own view", "own view, recentred and turned", "the other's own view")
BATCH, PASSES, RATE = 256, 4, 1e-3
TESTED = 1 / 8  # of the episodes


class Predictor(nn.Module):
    """The logits of one agent's next action, from a picture and from symbols."""

    sizes: influence_jax.NetworkConfig
    num_actions: int

    @nn.compact
    def __call__(self, image: jax.Array, symbols: jax.Array) -> jax.Array:
        """Return ``f32[B,A]`` from ``image u8[B,V,V,3]`` and ``symbols f32[B,X]``."""
        features = ConvEncoder(self.sizes.conv_channels)(image)
        for _ in range(2):
            features = nn.relu(nn.Dense(self.sizes.hidden_size)(features))
        hidden = nn.relu(nn.Dense(self.sizes.core_size)(jnp.concatenate([features, symbols], axis=-1)))
        return nn.Dense(self.num_actions)(hidden)


def recorded(run: influence_jax.Run, episodes: int) -> dict[str, np.ndarray]:
    """Return what all agents saw, did and would do, and who saw whom, leading episodes and steps."""
    traces = [run.trace(0, seed=seed) for seed in range(episodes)]
    names = ("observations", "actions", "log_policy", "visible")
    return {name: np.stack([getattr(trace, name) for trace in traces]) for name in names}


def pairs_of(data: dict[str, np.ndarray], viewer: int, colours: np.ndarray) -> dict[str, np.ndarray]:
    """Return pictures and symbols of a step and the policy of the next, for all pairs of a viewer and an agent in its view."""
    episode, step, other = np.nonzero(data["visible"][:, :-1, viewer])
    agents, (num_agents, num_actions) = range(data["actions"].shape[-1]), data["log_policy"].shape[-2:]
    own = data["observations"][episode, step, viewer]
    turned = jax.jit(lambda image, other: perspectives(image, colours)[jnp.arange(len(other)), other])
    acts = np.eye(num_actions, dtype=np.float32)[data["actions"][episode, step]]  # f32[P,N,A]
    who = np.eye(num_agents, dtype=np.float32)[other]
    symbols = [*(acts[:, n] for n in agents), acts[np.arange(len(other)), other], who]
    return {
        "own view": own,
        "own view, recentred and turned": np.asarray(turned(own, other)),
        "the other's own view": data["observations"][episode, step, other],
        "symbols": np.concatenate(symbols, axis=-1),
        "policy": np.exp(data["log_policy"][episode, step + 1, other]),
        "other": other,
        "tested": episode >= round((1 - TESTED) * len(data["actions"])),
    }


def share_known(pairs: dict[str, np.ndarray], picture: str, sizes: influence_jax.NetworkConfig) -> float:
    """Learn from most episodes, and return the share of the knowable in the others."""
    inputs = tuple(pairs[name] for name in (picture, "symbols", "policy"))
    train, test = (np.flatnonzero(pairs["tested"] == tested) for tested in (False, True))
    network = Predictor(sizes, pairs["policy"].shape[-1])
    params = jax.jit(network.init)(jax.random.key(0), *(x[:1] for x in inputs[:2]))
    batches = len(train) // BATCH
    optimizer = optax.adam(optax.linear_schedule(RATE, 0.0, PASSES * batches))

    def cross_entropy(params, image, symbols, policy):
        return -jnp.mean(jnp.sum(policy * jax.nn.log_softmax(network.apply(params, image, symbols)), axis=-1))

    @jax.jit
    def step(params, state, *batch):
        updates, state = optimizer.update(jax.grad(cross_entropy)(params, *batch), state)
        return optax.apply_updates(params, updates), state

    state, order = optimizer.init(params), np.random.default_rng(0)
    for _ in range(PASSES):
        for chosen in np.split(order.permutation(train)[: batches * BATCH], batches):
            params, state = step(params, state, *(x[chosen] for x in inputs))
    policy, other = pairs["policy"][test], pairs["other"][test]
    of_frequencies = sum(np.sum(other == n) * entr(policy[other == n].mean(axis=0)).sum() for n in np.unique(other))
    knowable = of_frequencies / len(test) - entr(policy).sum(axis=-1).mean()
    parts = np.array_split(test, max(1, len(test) // 2048))
    missed = sum(len(part) * float(cross_entropy(params, *(x[part] for x in inputs))) for part in parts) / len(test)
    return float((of_frequencies / len(test) - missed) / knowable)


def main(total_steps: int = 1_000_000, episodes: int = 48, out: pathlib.Path = RUNS / "knowable") -> None:
    """Train agents on Harvest or read them, and write what each can know of the others, by picture.

    Args:
        total_steps: of the agents.
        episodes: from which predictors learn, the last eighth excepted.
        out: directory of the run; an unfinished one is resumed, a finished one is read.
    """
    settings = {"env.headings_visible": True, "network.moa_encoder": "perspective"}
    config = influence_jax.presets.get("harvest-moa", "small", total_steps=total_steps, **settings)
    with influence_jax.Progress() as progress:
        run = finished(influence_jax.train(config, out=out, resume=True, callback=progress))
    data, colours = recorded(run, episodes), np.array(run.learner.env.spec.agent_colours, np.uint8)
    shares: dict[str, list[float]] = {name: [] for name in PICTURES}
    for viewer in range(len(colours)):
        pairs = pairs_of(data, viewer, colours)
        for picture in PICTURES:
            shares[picture].append(share_known(pairs, picture, config.network))
            print(viewer, picture, f"{shares[picture][-1]:.3f}", flush=True)
    write(RESULTS / "knowable.json", {"steps": total_steps, "episodes": episodes, "shares by agent": shares})


if __name__ == "__main__":
    tyro.cli(main)
