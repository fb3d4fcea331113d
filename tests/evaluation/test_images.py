"""Frames of an episode, and images of moments next to their counterfactual."""

import dataclasses
import io

import imageio.v3 as imageio
import numpy as np
import pytest
from PIL import Image

from influence_jax.config import ConfigError
from influence_jax.evaluation import images
from influence_jax.evaluation.images import GAP


def test_frames_and_films(trace, tmp_path):
    first, last = trace.frame(0), trace.frame(20, views=[0], arrows=False, scale=20, title="it is over")
    assert first.width == 9 * 64 and last.width == 9 * 20
    with_arrows, without = (
        np.asarray(trace.frame(1 + trace.moments(1)[0].time, arrows=arrows)) for arrows in (True, False)
    )
    assert (with_arrows != without).any()
    video = trace.video(tmp_path / "new" / "video.gif", fps=5, start=3, stop=7, scale=12)
    assert imageio.imread(tmp_path / "new" / "video.gif", index=None, mode="RGB").shape[0] == len(video.frames) == 4
    np.testing.assert_array_equal(video.frames[2], trace.frame(5, scale=12))
    with pytest.raises(ConfigError, match="start is 9 with stop 9; allowed: parts of 0 to 21"):
        trace.video(start=9, stop=9)
    with pytest.raises(ConfigError, match="time is 21; allowed: whole numbers from 0 to 20"):
        trace.frame(21)


@pytest.mark.parametrize("model", ["moa", "basic", pytest.param("communication", marks=pytest.mark.slow)])
def test_both_worlds_are_shown(runs, model):
    moment = runs[model].trace(0).moments(1)[0]
    image = moment.image()
    width = (image.width - GAP) // 2
    left, right = (np.asarray(image)[:, start : start + width] for start in (0, width + GAP))
    assert (left != right).any()
    assert Image.open(io.BytesIO(moment._repr_png_())).size == image.size


def test_bars_are_as_high_as_probable(runs):
    moment = runs["basic"].trace(0).moments(1)[0]
    certain = np.eye(8)[2]
    sure = dataclasses.replace(moment, answer=certain, other_answer=certain)
    unsure = dataclasses.replace(moment, answer=certain / 2, other_answer=certain)
    ink = [(np.asarray(x.image())[-184:] != 255).any(axis=-1).sum() for x in (sure, unsure)]
    assert ink[0] > ink[1]


def test_a_moment_shows_what_both_agents_saw(trace, monkeypatch):
    """Both windows, and nothing beyond them, in both worlds at the same place and scale."""
    moment = trace.moments(1)[0]
    drawn = []

    def panel(moment, state, shown, *rest):
        drawn.append(shown)
        return original(moment, state, shown, *rest)

    original = images._panel
    monkeypatch.setattr(images, "_panel", panel)
    image = moment.image()
    assert len(drawn) == 2 and (drawn[0] == drawn[1]).all()
    (top, left), (bottom, right) = drawn[0]
    walls, radius = trace.env.walls, trace.env.view_radius
    seen = np.zeros(walls.shape, bool)
    for state in moment.worlds():
        for row, column in state.position[[moment.influencer, moment.influencee]]:
            seen[max(0, row - radius) : row + radius + 1, max(0, column - radius) : column + radius + 1] = True
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    assert (top, bottom, left, right) == (rows[0], rows[-1], columns[0], columns[-1])
    scale = images._cell_size((bottom - top + 1, right - left + 1), images.PANEL, 64)
    assert image.width == 2 * scale * (right - left + 1) + GAP
