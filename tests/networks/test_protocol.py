"""Our network implements the protocol's functions under the same names, and no others that callers could come to rely on."""

import dataclasses
import inspect

from influence_jax.networks.agent import NetworkFunctions
from influence_jax.networks.protocol import Network


def offered(kind):
    """The public functions of a class, and the names of what they take."""
    functions = inspect.getmembers(kind, inspect.isfunction)
    return {name: list(inspect.signature(f).parameters) for name, f in functions if not name.startswith("_")}


def test_our_network_is_the_protocol():
    assert offered(NetworkFunctions) == offered(Network) and len(offered(Network)) == 9
    assert all(getattr(Network, name).__doc__ for name in offered(Network))
    assert {field.name for field in dataclasses.fields(NetworkFunctions)} == {"module", "cached"}
