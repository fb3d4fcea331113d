# %% [markdown]
# # Influence by hand
#
# From two agents' logits to influence, its bound and the mutual information, first in NumPy and then as the package
# computes it (equations 1 and 3 of Jaques et al. 2019). Nothing is trained here; it takes seconds.

# %%
import jax.numpy as jnp
import numpy as np

from influence_jax.influence.counterfactual import log_marginal, mutual_information, pairwise_influence
from influence_jax.influence.measures import kl
from influence_jax.types import CounterfactualBatch

# %% [markdown]
# ## Two agents
#
# Agent k samples one of three actions, `left`, `right` and `stay`, from its policy. Agent j sees k's action, and j's policy is
# the corresponding row of a matrix: after `right`, it tends to go right as well.

# %%
k_policy = np.array([0.2, 0.3, 0.5])
j_logits = np.array([[1.0, 0.0, 0.0], [0.0, 3.0, 0.0], [0.0, 0.0, 0.0]])  # row: what k did, column: what j does
j_policy = np.exp(j_logits) / np.exp(j_logits).sum(axis=1, keepdims=True)
print(j_policy.round(3))

# %% [markdown]
# ## The marginal policy
#
# The *marginal* is j's policy averaged over k's actions, weighted by k's own policy. It includes k's real action.

# %%
marginal = k_policy @ j_policy
print(marginal.round(3))

# %% [markdown]
# ## The influence of k's action
#
# Influence is the Kullback-Leibler divergence of j's real policy from the marginal, in nats.

# %%
influence = (j_policy * np.log(j_policy / marginal)).sum(axis=1)
for action, nats in zip(("left", "right", "stay"), influence, strict=True):
    print(f"{action:>5}: {nats:.3f} nats")

# %% [markdown]
# ## The bound
#
# The marginal includes the real action with k's own probability of it, so influence is at most k's surprisal,
# `-log pi_k(a_k)`. An agent that always does the same thing influences nobody, however attentive the other is. The rarer an
# action, the more influence it can have.

# %%
surprise = -np.log(k_policy)
print("influence", influence.round(3))
print("bound    ", surprise.round(3))
assert (influence <= surprise).all()

# %% [markdown]
# A listener that copies k reaches the bound:

# %%
copies = np.full((3, 3), 1e-12) + np.eye(3) * (1 - 3e-12)
bound = (copies * np.log(copies / (k_policy @ copies))).sum(axis=1)
print(bound.round(3), surprise.round(3))

# %% [markdown]
# ## On average: mutual information
#
# Averaged over k's actions, influence is the mutual information of the two actions, which is at most the entropy of k's policy.
# Always read influence next to that entropy: the same number may be all that is possible, or next to nothing.


# %%
def entropy(p):
    """Return the entropy over the last axis, nats."""
    return -(p * np.log(p)).sum(axis=-1)


information = entropy(marginal) - k_policy @ entropy(j_policy)
print(f"mean influence     {k_policy @ influence:.4f}")
print(f"mutual information {information:.4f}")
print(f"entropy of k       {entropy(k_policy):.4f}")

# %% [markdown]
# ## The same with the package
#
# The package uses logarithms, for any number of environments and agents at once. Here there is one of each:
# `alternatives[c, j]` is j's response to each action c of k.

# %%
done = 1  # right
batch = CounterfactualBatch(
    factual=jnp.log(jnp.asarray(j_policy[done], jnp.float32))[None],
    alternatives=jnp.log(jnp.asarray(j_policy, jnp.float32))[:, None],
    weights=jnp.log(jnp.asarray(k_policy, jnp.float32)),
    realised=jnp.zeros(1, jnp.int32),
    mask=jnp.ones(1, bool),
)
print("marginal          ", np.exp(np.asarray(log_marginal(batch)[0])).round(3))
print("influence         ", float(pairwise_influence(batch, kl)[0]))
print("mutual information", float(mutual_information(batch)[0]))
np.testing.assert_allclose(pairwise_influence(batch, kl)[0], influence[done], rtol=1e-5)
np.testing.assert_allclose(mutual_information(batch)[0], information, rtol=1e-5)

# %% [markdown]
# ## Untrained agents have no influence
#
# Policies start nearly uniform, whatever the other agent did. Influence is then about 1e-5 nats, and it only matters once
# listeners have learned to look. That is why its weight grows during training (`influence_curriculum`).

# %%
rng = np.random.default_rng(0)
logits = 0.01 * rng.normal(size=(3, 8))
untrained = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
print((untrained * np.log(untrained / (k_policy @ untrained))).sum(axis=1))
