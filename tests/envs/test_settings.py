"""Wrong settings are refused when the environment is made, in one sentence that says what is allowed."""

import pytest

from influence_jax.envs import Cleanup, Harvest, make, registered

ROOM = ("@@@@@", "@PA @", "@@@@@")


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("clean-up", {}, ["'clean-up'", "Did you mean 'cleanup'?", "harvest-mp"]),
        ("xyz", {}, ["'xyz'", "allowed: box-trapped, cleanup"]),
        ("no_such_module:Game", {}, ["'no_such_module:Game'", "cannot be loaded"]),
        ("influence_jax.envs:Missing", {}, ["'influence_jax.envs:Missing'", "cannot be loaded"]),
        ("harvest", {"colour": 1}, ["env.colour is not a setting", "num_agents", "regrowth"]),
        ("harvest", {"drawing": 1}, ["env.drawing is not a setting"]),
        ("harvest", {"layout": ROOM}, ["num_agents is 5", "1 start cells"]),
        ("cleanup", {"num_agents": 11}, ["num_agents is 11", "10 start cells"]),
        ("harvest", {"num_agents": 0}, ["num_agents is 0", "from 1"]),
        ("harvest", {"num_agents": 2.0}, ["num_agents is 2.0", "whole numbers"]),
        ("harvest", {"num_agents": True}, ["num_agents is True", "whole numbers"]),
        ("harvest", {"view_radius": -1}, ["view_radius is -1", "from 0"]),
        ("harvest", {"horizon": 0}, ["horizon is 0", "from 1"]),
        ("harvest", {"view": "top"}, ["view is 'top'", "egocentric, reference"]),
        ("harvest", {"view": "reference", "beams_visible": True}, ["beams_visible is True", "view 'reference'"]),
        ("harvest", {"beams_visible": "yes"}, ["beams_visible is 'yes'", "True, False"]),
        ("harvest", {"regrowth": "ring"}, ["regrowth is 'ring'", "square, disc"]),
        ("cleanup", {"waste_rule": "none"}, ["waste_rule is 'none'", "lottery, bernoulli"]),
        ("harvest", {"layout": ()}, ["layout is empty"]),
        ("harvest", {"layout": ""}, ["layout is empty"]),
        ("harvest", {"layout": ("@@@", "@P@@", "@@@")}, ["layout is ragged", "row 1 has 4", "row 0 has 3"]),
        ("harvest", {"layout": ("@@@", "@PH", "@@@")}, ["'H' at row 1, column 2", "'A' (apple)"]),
        ("cleanup", {"layout": ("@P", "A@")}, ["'A' at row 1, column 0", "'H' (waste)", "'B' (apple site)"]),
    ],
)
def test_wrong_settings(name, options, words):
    with pytest.raises(ValueError) as error:
        make(name, **options)
    message = str(error.value)
    assert "\n" not in message and message.endswith((".", "?"))
    for word in words:
        assert word in message


def test_names():
    assert registered() == ("box-trapped", "cleanup", "cleanup-mp", "harvest", "harvest-mp")
    assert make("cleanup").waste_rule == "lottery"
    assert make("cleanup-mp").waste_rule == "bernoulli"
    assert make("harvest").regrowth == "square"
    assert make("harvest-mp").regrowth == "disc"
    assert make("influence_jax.envs:Harvest", num_agents=3) == Harvest(num_agents=3)
    assert make("cleanup-mp", waste_rule="lottery") == Cleanup()


def test_layout_may_be_rows_or_one_text():
    text = "\n".join(ROOM)
    assert make("harvest", layout=text, num_agents=1) == make("harvest", layout=list(ROOM), num_agents=1)


def test_every_start_cell_may_be_taken():
    assert make("cleanup", num_agents=10).spec.num_agents == 10
    assert make("harvest", num_agents=20).spec.num_agents == 20


def test_defaults():
    env = make("cleanup")
    assert (env.num_agents, env.view_radius, env.horizon, env.view, env.beams_visible) == (
        5,
        7,
        1000,
        "egocentric",
        True,
    )
    assert make("cleanup", view="reference").beams_visible is False
    assert make("cleanup", beams_visible=False).beams_visible is False
