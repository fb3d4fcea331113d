"""Pictures of two worlds."""

import dataclasses
import io

import numpy as np
import pytest
from PIL import Image

from influence_jax.evaluation.moment import GAP


@pytest.mark.parametrize("model", ["moa", "basic", "communication"])
def test_both_worlds_are_shown(runs, model):
    moment = runs[model].trace(0).moments(1)[0]
    image = moment.image()
    width, scale = (image.width - GAP) // 2, 40
    assert width == 9 * scale
    left, right = (np.asarray(image)[:, start : start + width] for start in (0, width + GAP))
    assert (left != right).any()
    assert Image.open(io.BytesIO(moment._repr_png_())).size == image.size


def test_bars_are_as_high_as_probable(runs):
    moment = runs["basic"].trace(0).moments(1)[0]
    certain = np.eye(8)[2]
    sure = dataclasses.replace(moment, answer=certain, other_answer=certain)
    unsure = dataclasses.replace(moment, answer=certain / 2, other_answer=certain)
    ink = [(np.asarray(x.image())[-170:] != 255).any(axis=-1).sum() for x in (sure, unsure)]
    assert ink[0] > ink[1]
