"""Any argument that a person may try gives a number, or one sentence that names the argument."""

import inspect
import pathlib
import types

import numpy as np
import pytest
from matplotlib.figure import Figure

from influence_jax import analysis
from influence_jax.analysis.arguments import booleans, numbers, short_repr, symbols, whole
from influence_jax.settings import ConfigError
from tests.analysis.rows import METRICS, recorded

MEMBERS = [{"member": 0, "seed": 0}, {"member": 1, "seed": 1}]
RUNS = {"alone": recorded(200, points=3), "influence": recorded(400, points=3, seed=1)}
PAIRS = np.random.default_rng(0).random((110, 2, 2)) * (1 - np.eye(2))
SYMBOLS = np.random.default_rng(0).integers(3, size=(110, 2))
EVEN, FEW = np.full((110, 3, 3), -np.log(3)), {"draws": 2, "seed": 0}
SHOWN = {"ax": None, "title": ""}
BEST = {"by": None, "confidence": 0.9, "window": 1}

# A call of every public function, with every argument that it has.
CALLS = {
    "compare": {"runs": RUNS, "metric": "apples", "summarise": "auc", "seed": 0} | BEST,
    "coordination_in_moments": {
        "messages": SYMBOLS,
        "actions": SYMBOLS,
        "influence": PAIRS,
        "speaker": 0,
        "listener": 1,
    }
    | FEW,
    "efficiency": {"rewards": SYMBOLS},
    "equality": {"returns": SYMBOLS},
    "equality_by_luck": {"returns": SYMBOLS} | FEW,
    "event_locked": {"values": PAIRS[:, 0, 1], "events": SYMBOLS[:, 0] == 1, "around": 2, "confidence": 0.9} | FEW,
    "final_rows": {"metrics": METRICS, "members": MEMBERS},
    "gini": {"returns": SYMBOLS},
    "hedges_g": {"x": [1, 2], "y": [3, 5]},
    "holm": {"p_values": [0.01, 0.5]},
    "influence_and_reward": {"received": SYMBOLS, "returns": PAIRS[:, 0], "weights": None, "confidence": 0.9} | FEW,
    "influence_by_action": {"influence": PAIRS, "actions": SYMBOLS, "num_actions": 3},
    "influence_statistics": {"influence": PAIRS, "log_policy": EVEN[:, :2]},
    "influential_moments": {"influence": PAIRS},
    "instantaneous_coordination": {"sent": SYMBOLS, "actions": SYMBOLS} | FEW,
    "iqm": {"scores": [1, 2, 3], "axis": None},
    "iqm_interval": {"scores": np.arange(7), "confidence": 0.9, "resamples": 100, "seed": 0},
    "learning_curve": {"env_steps": [1, 2], "values": [[1], [2]], "window": 1, "confidence": 0.9},
    "load_metrics": {"directory": "nowhere"},
    "mutual_information": {"x": SYMBOLS[:, 0], "y": SYMBOLS[:, 1]},
    "peace": {"hits": SYMBOLS},
    "permutation_test": {"x": [1, 2], "y": [3, 5], "statistic": np.mean, "resamples": 9, "seed": 0},
    "plot_comparison": {"comparison": analysis.compare(RUNS)} | SHOWN,
    "plot_cross_play": {"cross_play": analysis.CrossPlay(("a",), np.ones((1, 1, 2, 3)), np.ones((1, 1, 2, 3)))} | SHOWN,
    "plot_event_locked": {
        "locked": analysis.event_locked(PAIRS[:, 0, 1], SYMBOLS[:, 0] == 1),
        "event": "shot",
        "quantity": "nats",
    }
    | SHOWN,
    "plot_influence": {"runs": RUNS, "by": None} | SHOWN,
    "plot_influence_in_time": {"trace": types.SimpleNamespace(influence=PAIRS)} | SHOWN,
    "plot_learning_curves": {"runs": RUNS, "metrics": ["apples"], "each": None} | BEST | SHOWN,
    "plot_schelling": {"schelling": analysis.schelling_diagram(SYMBOLS, SYMBOLS > 1)} | SHOWN,
    "probability_of_improvement": {"x": [1, 2], "y": [3, 5]},
    "run_table": {"metrics": METRICS, "members": MEMBERS},
    "schelling_diagram": {"returns": SYMBOLS, "cooperates": SYMBOLS > 1, "confidence": 0.9},
    "seeds_in_which_all_eat": {"apples": PAIRS, "share": 0.05, "least": 5.0},
    "selection_null": {
        "messages": SYMBOLS[:, 0],
        "actions": SYMBOLS[:, 1],
        "log_answers": EVEN,
        "log_policy": EVEN[:, 0],
    }
    | FEW,
    "smoothed": {"values": PAIRS, "window": 2},
    "speaker_consistency": {
        "messages": SYMBOLS,
        "actions": SYMBOLS,
        "num_messages": 3,
        "num_actions": 3,
        "min_count": 5,
    }
    | FEW,
    "strongest_moments": {"influence": PAIRS, "k": 2},
    "summary": {"env_steps": [1, 2], "values": [[1], [2]]},
    "sustainability": {"apples": SYMBOLS},
    "t_interval": {"values": [1, 2], "confidence": 0.9, "axis": 0},
    "top_settings": {"scores": PAIRS[:, 0], "k": 2} | FEW,
    "value_of_messages": {"returns": [1, 2], "scrambled_returns": [3, 5], "confidence": 0.9},
    "weighted_return": {"returns": SYMBOLS},
    "welch_interval": {"x": [1, 2], "y": [3, 5], "confidence": 0.9},
    "wilson_interval": {"successes": 1, "trials": 3, "confidence": 0.9},
}
WRONG = (
    *(None, True, 0, -1, 2.5, float("nan"), float("inf"), 10**12, 1j, "abc", "", b"abc", pathlib.Path("nowhere")),
    *([], {}, {"a": 1}, [1, "a"], [[1], [1, 2]], [None, None], [{"a": 1}], [2, -1, 10**10], object(), lambda: 0, print),
    *(np.zeros((2, 0)), np.full((3, 4), np.nan), np.array("abc"), np.ones((2, 2, 2, 2)), range(3), Figure()),
)


@pytest.mark.parametrize(
    "name", [name for name in analysis.__all__ if name not in ("Comparison", "CrossPlay", "Schelling")]
)
def test_every_argument_is_checked(name):
    function, call = getattr(analysis, name), CALLS[name]
    assert set(inspect.signature(function).parameters) == set(call)
    if name != "load_metrics":
        function(**call)
    for argument in call:
        for value in WRONG:
            try:
                function(**call | {argument: value})
            except (ConfigError, TypeError, ValueError) as error:
                assert argument in str(error) and len(str(error).splitlines()) == 1, (argument, value, error)
            except Exception as error:
                raise AssertionError(f"{argument} {value!r}") from error


def test_arrays_are_what_they_should_be():
    assert numbers("x", [[1, 2]], "[U,S]").dtype == np.float64 and symbols("x", [True, 3], "[T]").tolist() == [1, 3]
    assert numbers("x", np.ones((2, 3, 4)), "[...,N]").shape == (2, 3, 4) and numbers("x", 3, "[]") == 3
    assert booleans("x", [0, 1.0, True], "[T]").tolist() == [False, True, True]
    for refused, sentence in (
        (lambda: numbers("x", [1, 2], "[U,S]"), r"x has shape \[2\]; allowed: numbers \[U,S\]\."),
        (lambda: numbers("x", ["1"], "[U]"), r"x is \['1'\]; allowed: numbers \[U\]\."),
        (lambda: numbers("x", [], "[U]"), r"x is empty, of shape \[0\]; allowed: numbers \[U\]\."),
        (lambda: symbols("x", [1.0], "[U]"), r"x is \[1.0\]; allowed: whole numbers \[U\]\."),
        (
            lambda: symbols("x", [1, 7], "[U]", 0, 3),
            r"x has values from 1 to 7; allowed: whole numbers from 0 to 3 \[U\]",
        ),
        (lambda: booleans("x", [2], "[U]"), r"x is \[2\]; allowed: true or false \[U\]\."),
        (lambda: whole("x", 3, 1, 2), r"x is 3; allowed: whole numbers from 1 to 2\."),
    ):
        with pytest.raises(ConfigError, match=sentence):
            refused()


def test_values_are_described_in_a_few_words():
    assert short_repr(np.ones((1000, 3))) == "an array of float64 of shape [1000, 3]"
    assert short_repr("x" * 100) == "'" + "x" * 55 + " ..."
