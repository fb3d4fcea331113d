"""Custom influence models that wrap built-in ones."""

import dataclasses

from influence_jax import influence


def basic(*args):
    return dataclasses.replace(influence.MODELS["basic"](*args))


def moa(*args):
    return dataclasses.replace(influence.MODELS["moa"](*args))
