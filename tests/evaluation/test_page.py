"""Pages of episodes: what is packed in them, what a browser does with them, and that foreign text stays text."""

import base64
import dataclasses
import gzip
import json
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import influence_jax
from influence_jax.config import ConfigError
from influence_jax.envs.harvest import Harvest
from influence_jax.envs.probes import Cue
from influence_jax.evaluation.page import TEMPLATE, packed
from tests.evaluation.browser import tab

HOSTILE = "</script><script>alert(1)</script><b>\"'&EPISODE"


def unpacked(page):
    """Return the facts and the arrays of a page."""
    (text,) = re.findall(r'<script id="episode" type="application/json">(.*?)</script>', page.html, re.DOTALL)
    facts = json.loads(text)
    data = gzip.decompress(base64.b64decode(facts["data"]))
    arrays = {
        name: np.frombuffer(data, f"<{x['kind']}", int(np.prod(x["shape"])), x["start"]).reshape(x["shape"])
        for name, x in facts["arrays"].items()
    }
    return facts, arrays


@pytest.fixture(scope="module")
def page(trace):
    return trace.page("three agents")


def test_it_holds_the_episode(trace, page):
    facts, arrays = unpacked(page)
    assert facts["title"] == "three agents" and facts["actions"] == list(trace.env.spec.action_names)
    np.testing.assert_array_equal(arrays["action"], trace.actions)
    np.testing.assert_array_equal(arrays["position"], trace.states.position)
    np.testing.assert_array_equal(arrays["heading"], trace.states.heading)
    np.testing.assert_array_equal(arrays["codes"], jax.vmap(trace.env.cell_codes)(trace.states))
    np.testing.assert_array_equal(arrays["beams"], trace.states.beams)
    np.testing.assert_array_equal(arrays["counts"][0], trace.rewards)
    np.testing.assert_array_equal(arrays["counts"][facts["counts"].index("fires")], trace.metrics["fires"])
    np.testing.assert_allclose(arrays["policy"] / 255, np.exp(trace.log_policy), atol=0.5001 / 255)
    assert facts["influences"] == ["found by trying every choice", "as agents measure it"]
    np.testing.assert_array_equal(arrays["influence"], [trace.real_influence, trace.influence])


def test_it_holds_how_agents_would_have_answered(trace, page):
    moment, arrays = trace.moments(1)[0], unpacked(page)[1]
    assert arrays["counted"].sum() == len(arrays["answers"])
    place = int(arrays["counted"].ravel()[: np.ravel_multi_index(
        (moment.time, moment.influencer, moment.influencee), arrays["counted"].shape)].sum())  # fmt: skip
    answers = arrays["answers"][place] / 255
    np.testing.assert_allclose(answers[moment.choice], moment.answer, atol=0.51 / 255)
    np.testing.assert_allclose(answers[moment.alternative], moment.other_answer, atol=0.51 / 255)
    assert (arrays["influence"][:, arrays["counted"] == 0] == 0).all()


def test_messages_are_in_it(runs):
    trace = runs["communication"].trace(0)
    facts, arrays = unpacked(trace.page())
    assert facts["channel"] == "message" and facts["messages"] == 3
    np.testing.assert_array_equal(arrays["message"], trace.messages)
    assert arrays["answers"].shape[1:] == (3, 8) and facts["influences"] == ["found by trying every choice"]


def test_a_game_without_a_map_and_players_without_a_policy():
    def player(key, env, state):
        return jnp.where(state.time < 5, state.cue, -1)

    facts, arrays = unpacked(influence_jax.play(player, Cue()).page())
    assert facts["title"] == "Cue" and not {"codes", "answers"} & arrays.keys()
    assert (arrays["action"][5:] == 3).all() and not arrays["policy"].any() and not arrays["influence"].any()
    np.testing.assert_array_equal(arrays["counts"][0].sum(axis=0), [5, 5])


class Hostile(Harvest):
    action_names = (HOSTILE, *Harvest.action_names[1:])


def test_foreign_text_stays_text(trace, page):
    env = Hostile(**{x.name: getattr(trace.env, x.name) for x in dataclasses.fields(trace.env) if x.init})
    hostile = dataclasses.replace(trace, env=env).page(HOSTILE)
    facts, _ = unpacked(hostile)
    assert facts["title"] == facts["actions"][0] == HOSTILE
    assert hostile.html.count("<script") == page.html.count("<script") == hostile.html.count("</script>") == 2
    assert "innerHTML" not in page.html  # text enters the document as text alone
    with pytest.raises(ConfigError, match="title is 3; allowed: a text"):
        trace.page(3)


def test_it_needs_no_network(page):
    assert not re.search(
        r"https?:|url\(|@import|\bfetch\(|<img|<link(?! rel=\"icon\" href=\"data:,\")| src=", page.html
    )
    assert "default-src 'none'" in page.html


def test_a_thousand_steps_of_five_agents_are_small():
    """Even where nothing repeats and everybody always sees everybody."""
    rng, steps, agents, actions = np.random.default_rng(0), 1000, 5, 9
    codes = rng.integers(256, size=(steps * agents * (agents - 1), actions, actions), dtype=np.uint8)
    influence = rng.random((2, steps, agents, agents)).astype(np.float32)
    maps = np.repeat(rng.integers(9, size=(1, 25, 38), dtype=np.uint8), steps, axis=0)
    policy, counts = codes[: steps * agents, 0], rng.random((5, steps, agents)).astype(np.float32)
    arrays = {"answers": codes, "influence": influence, "codes": maps, "policy": policy, "counts": counts}
    assert len(TEMPLATE.read_text()) + len(packed(arrays)[1]) < 5_000_000


def test_a_browser_plays_it(trace, page, tmp_path):
    page.save(tmp_path / "page.html")
    with tab(tmp_path / "profile") as browser:
        browser.resize(1200, 900)
        browser.open(tmp_path / "page.html")
        step = "now.step"
        assert browser.look("document.title") == "three agents" and browser.look(step) == 0
        browser.press("ArrowRight"), browser.press("ArrowRight"), browser.press("ArrowLeft")
        assert browser.look(step) == 1
        browser.press("ArrowRight", shift=True)
        assert browser.look(step) == 11
        browser.press("End")
        assert (
            browser.look(step) == 20 and browser.look("document.getElementById('step').textContent") == "step 20 of 20"
        )
        browser.press("Home")
        browser.look("document.getElementById('speed').value = 60")
        browser.press(" ")
        browser.wait_for("now.step > 2")
        browser.wait_for("now.step === 20 && !now.playing")
        browser.click("#lanes", across=7.5 / 21)
        assert browser.look(step) == 7
        browser.click("#play")
        browser.wait_for("now.step > 8")
        browser.press(" ")
        stopped = browser.look(step)
        assert not browser.look("now.playing")
        browser.click("#labels [data-k='2'][data-j='1']")
        assert browser.look("[now.agent, now.influencee, now.step]") == [2, 1, stopped]
        shown = browser.look("[...document.querySelectorAll('#agents tr')].map((x) => x.lastChild.textContent)")
        returns = trace.rewards[:stopped].sum(axis=0)
        browser.press(" ")  # which the button that was clicked does not keep for itself
        assert browser.look("now.playing")
        assert shown[0] == "return" and [float(x) for x in shown[1:]] == pytest.approx(returns.tolist())
        assert browser.problems == []


@pytest.mark.parametrize("model", ["communication", None])
def test_a_browser_shows_other_games_on_a_phone(runs, model, tmp_path):
    trace = runs[model].trace(0) if model else influence_jax.play(lambda key, env, state: state.cue, Cue())
    trace.page(HOSTILE + 200 * "x").save(tmp_path / "page.html")
    with tab(tmp_path / "profile") as browser:
        browser.resize(360, 700, dark=True)
        browser.open(tmp_path / "page.html")
        browser.press("End"), browser.press("ArrowLeft")
        assert browser.look("document.documentElement.scrollWidth") <= 360
        assert browser.look("[...document.querySelectorAll('.wide')].every((x) => x.scrollWidth <= x.clientWidth)")
        assert browser.look("document.getElementById('title').textContent").startswith(HOSTILE)
        assert browser.look("document.getElementById('stage').hidden") == (model is None)
        assert browser.problems == []
