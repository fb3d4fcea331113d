"""Influence models of one's own around those that are built in."""

import dataclasses

from influence_jax import influence


def basic(*args):
    return dataclasses.replace(influence.MODELS["basic"](*args))


def moa(*args):
    return dataclasses.replace(influence.MODELS["moa"](*args))
