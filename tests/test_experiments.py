"""The scripts in experiments/ run at their smallest scale, on runs that they share."""

import dataclasses
import importlib
import json
import pathlib
import re
import types

import numpy as np
import pytest

import influence_jax
from influence_jax.sweeps.space import make_space

EXPERIMENTS = pathlib.Path(__file__).parents[1] / "experiments"


@pytest.fixture
def driver(monkeypatch):
    """Import a script as when it is run, with its folder first on the path."""
    monkeypatch.syspath_prepend(EXPERIMENTS)
    return importlib.import_module


@pytest.fixture
def alike(driver, monkeypatch):
    """Let agents of every condition talk, so that there is one program to compile instead of nine."""
    conditions = driver("conditions")
    for name, condition in conditions.CONDITIONS.items():
        talking = conditions.influence("communication", condition.settings.get("income_share", 0.0))
        monkeypatch.setitem(conditions.CONDITIONS, name, dataclasses.replace(condition, settings=talking))


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A directory of the runs in which all conditions are alike, and one of the others; each is trained once."""
    return {alike: tmp_path_factory.mktemp("runs") for alike in (True, False)}


@pytest.fixture
def out(folders, request):
    """The directory of a test's runs."""
    return folders["alike" in request.fixturenames]


@pytest.fixture
def found(out):
    """Read a result by its item and the end of its name, and check that there is a figure beside it."""

    def read(item, name="smoke_harvest", figure=".png"):
        where = out / "results" / item
        assert all(path.stat().st_size > 1000 for path in [where / f"{name}{figure}"] if figure)
        return json.loads((where / f"{name}.json").read_text())

    return read


def test_every_script_and_figure_is_where_the_pages_say():
    page, results = (EXPERIMENTS / "README.md").read_text(), (EXPERIMENTS.parent / "RESULTS.md").read_text()
    scripts = set(re.findall(r"python experiments/(\w+\.py)", page))
    assert scripts | {"items.py"} >= {path.name for path in EXPERIMENTS.glob("*.py")} >= scripts
    figures = [EXPERIMENTS.parent / path for path in re.findall(r"\]\((experiments/[^)#]*)", results)]
    assert len(figures) >= 5 and all(path.exists() for path in figures)


def test_every_condition_can_be_trained_and_searched_at_every_scale(driver):
    """With the paper's weights at its scale, and elsewhere with the same pay for a reward and its control."""
    conditions, tables = driver("conditions"), driver("tables1to3")
    assert len(tables.CONDITIONS) == 9
    for game in conditions.GAMES:
        for scale in conditions.SIZES:
            for name in conditions.OF_THE_PAPER if scale == "paper" else conditions.CONDITIONS:
                config = influence_jax.make_learner(conditions.configured(name, game, scale)).config
                assert config.num_updates * config.steps_per_update >= conditions.SIZES[scale].total_steps
                if name in tables.CONDITIONS:
                    make_space(config, random=tables.space(name, scale), trials=2)
        paid, control = (conditions.configured(name, game, "small") for name in ("basic", "basic, shuffled"))
        assert paid.hyperparams.income_share == control.hyperparams.income_share == 1
        assert control == paid.override(control="shuffled") and control != paid
    with pytest.raises(SystemExit, match="the paper does not have"):
        conditions.configured("beam bonus", "harvest", "paper")


@pytest.mark.usefixtures("alike")
@pytest.mark.parametrize(
    ("item", "paid", "blocks"), [("fig1", "basic", 1), ("fig4", "communication", 1), ("fig7", "modelled", 2)]
)
def test_influence_stands_beside_its_ablation_and_its_control(item, paid, blocks, driver, out, found):
    driver(item).main("smoke", ("harvest",), blocks, out)
    results = found(item, f"smoke_harvest_{paid}")
    first, unpaid, alone, control = results["scores"]
    assert (
        first == paid
        and alone == "unpaid"
        and control == f"{paid}, shuffled"
        and unpaid in ("visible actions", f"{paid}, unpaid")
    )
    seeds = 2 * blocks
    assert all(len(results[each][paid]) == seeds for each in ("scores", "all_eat"))
    assert {name: np.shape(x) for name, x in results["gate"][paid].items()} == {
        "sight": (seeds, 3),
        "saturated": (seeds, 3),
        "influence": (seeds,),
    }
    rows = results["rows"][1:]
    np.testing.assert_allclose([row["p_holm"] for row in rows], holm([row["p"] for row in rows]), rtol=1e-3)


def holm(p_values):
    """Multiply the smallest of m values by m, the next by m - 1, and so on; none ends below a smaller one, or above 1."""
    corrected = {}
    for rank, place in enumerate(np.argsort(p_values)):
        corrected[place] = min(1, max([(len(p_values) - rank) * p_values[place], *corrected.values()]))
    return [corrected[place] for place in range(len(p_values))]


def test_a_score_is_the_mean_of_the_last_fifth_of_a_run(driver):
    conditions = driver("conditions")
    first = np.arange(24.0).reshape(12, 2)
    first[-1, 0] = np.nan
    runs = [types.SimpleNamespace(metrics={"x": block}) for block in (first, 2 * first)]
    np.testing.assert_allclose(conditions.late(conditions.joined(runs), "x"), [20, 22, 40, 44])


def test_seeds_in_which_an_agent_hardly_eats_count_in_cleanup_alone(driver):
    eaters = driver("items").eaters
    metrics = {"env_steps": np.ones((5, 3)), "agent_apples": np.array([[[9.0, 9], [9, 1], [9, 0.1]]] * 5)}
    assert eaters(metrics, "cleanup", "small").tolist() == [True] * 3
    assert eaters(metrics, "harvest", "small").tolist() == [True, True, False]
    assert eaters(metrics, "harvest", "paper").tolist() == [True, False, False]


def test_tiny_corrects_its_two_primary_tests_and_no_other(driver):
    returns = {"unpaid": [1, 2, 3, 4], "prosocial": [7, 8, 9, 9], "real": [3, 4, 5, 7], "shuffled": [0, 0, 1, 1]}
    tested = driver("tiny").tested({name: {"collective_return": values} for name, values in returns.items()})
    rows = {row["against"]: row for row in tested}
    assert list(rows) == ["unpaid", "prosocial", "shuffled"] and "p_holm" not in rows["prosocial"]
    assert [row["difference"][0] for row in rows.values()] == [2.25, -3.5, 4.25]
    primary = [rows[name] for name in ("unpaid", "shuffled")]
    assert primary[1]["p"] == pytest.approx(2 / 70)  # of the ways to choose four of eight, those that differ as much
    np.testing.assert_allclose([row["p_holm"] for row in primary], holm([row["p"] for row in primary]))


@pytest.mark.usefixtures("alike")
def test_messages_have_nulls(driver, out, found, monkeypatch):
    """In one condition, since each compiles agents who hear random messages."""
    fig5 = driver("fig5")
    monkeypatch.setattr(fig5, "CONDITIONS", fig5.CONDITIONS[:1])
    fig5.main("smoke", ("harvest",), out)
    results = found("fig5")
    assert list(results) == ["communication"]
    value, null, p = results["communication"][0]["symbol_action"]
    assert value > 0 and null > 0 and 0 < p <= 1 and len(results["communication"]) == 2


@pytest.mark.usefixtures("alike")
def test_a_moment_of_influence(driver, out, found):
    driver("fig2").main("smoke", ("harvest",), out)
    assert set(found("fig2", figure="_basic.png")) == {"basic", "modelled"}


@pytest.mark.usefixtures("alike")
def test_returns_of_all_conditions(driver, out, found):
    driver("table4").main("smoke", ("harvest",), out)
    rows = found("table4")["rows"]
    assert [row["paper"] for row in rows if row["paper"]] == [485, 1073, 951, 588, 750] and len(rows) == 12


@pytest.mark.usefixtures("alike")
def test_prosocial_agents(driver, out, found):
    driver("fig15").main("smoke", ("harvest",), out)
    results = found("fig15")
    assert (
        set(results["seeds_in_which_all_earn"]) == {"prosocial", "unpaid"}
        and len(results["agent_returns"]["unpaid"]) == 2
    )


@pytest.mark.usefixtures("alike")
def test_weighted_returns(driver, out, found):
    driver("fig16").main("smoke", ("harvest",), out)
    assert found("fig16", "smoke_harvest_communication")["metric"] == "weighted_return"


@pytest.mark.usefixtures("alike")
def test_sight_with_an_apple_in_view_and_without(driver, out, found):
    field = driver("empty_field")
    field.main(("unpaid",), "smoke", out)
    (first, _) = found("empty_field")["unpaid"]
    assert first["apples left"][0] == 20 and len(first["apples left"]) == 100 and len(first["sight"]) == 3
    views = np.zeros((2, 2, 5, 5, 3), np.uint8)
    views[0, 1, 4, 4] = 0, 255, 0
    views[1, 0, :, :] = 180, 180, 180
    assert field.apple_in_view(views).tolist() == [[False, True], [False, False]]


@pytest.mark.usefixtures("alike")
def test_search_the_best_again_and_correlation(driver, out, found, monkeypatch):
    names = ("communication", "communication, unpaid")
    driver("tables1to3").main(names, "smoke", ("harvest",), out)
    paid, unpaid = (
        found("tables1to3", f"smoke_harvest_{name}", "")["trials"] for name in ("communication", "communication-unpaid")
    )
    assert [trial["learning_rate"] for trial in paid] == [trial["learning_rate"] for trial in unpaid]
    fig17, correlation = driver("fig17"), driver("correlation")
    monkeypatch.setattr(fig17, "PANELS", [("communication", "communication, shuffled")])
    fig17.main(("communication",), "smoke", ("harvest",), out)
    assert all(len(scores) == 2 for scores in found("fig17", "smoke_harvest_communication")["scores"].values())
    paid, control = (fig17.retrained(name, "harvest", "smoke", out) for name in fig17.PANELS[0])
    assert paid.space.settings() == control.space.settings() and paid.runs[0].config.seed == 100
    monkeypatch.setattr(correlation, "CONDITIONS", names)
    correlation.main("smoke", ("harvest",), out)
    received, returns = found("correlation")["points"]["communication"]
    assert [len(received), len(returns), len(received[0])] == [2, 2, 3]


def test_schelling_diagrams(driver, out, found):
    driver("schelling").main("smoke", out)
    assert set(found("schelling", "smoke")["games"]) == {"cleanup", "harvest"}


def test_agreement_of_an_estimate(driver):
    """By hand: the strongest of a hundred pairs by the estimate holds a fifth of the real influence."""
    real = np.full(100, 0.8 / 99)
    real[7] = 0.2
    found = driver("model_of_others").agreement(3 * real, real)
    np.testing.assert_allclose([found[x] for x in ("correlation", "rank", "slope")], [1, 1, 1 / 3])
    np.testing.assert_allclose([found["held by its strongest"], found["mean"]], [0.2, 0.03])
    blind = driver("model_of_others").agreement(np.zeros(100), real)
    assert np.isnan(blind["correlation"]) and blind["held by its strongest"] == real[0]


@pytest.mark.slow
def test_models_of_others_beside_real_influence(driver, out, found):
    driver("model_of_others").main("smoke", "harvest", out)
    results = found("model_of_others", "smoke_harvest")
    assert np.shape(results["share of the knowable"]) == (2, 3) and len(results["trained on"]) == 2
    assert {row["real"]["rank"] for row in results["as trained"]} == {1}
    (origins,) = results["origins"]
    shares = [[part["of the influence"] for part in origins[by].values()] for by in ("by action", "by distance")]
    np.testing.assert_allclose([sum(x) for x in shares], 1, atol=0.01)


def test_what_another_agent_sees_can_be_known_from_its_view_alone(driver, monkeypatch):
    """An agent whose next action is the brightness of a pixel is known from its own view, and not from that of its viewer."""
    knowable = driver("knowable")
    monkeypatch.setattr(knowable, "BATCH", 8)
    monkeypatch.setattr(knowable, "RATE", 0.01)
    draws = np.random.default_rng(0)
    bright = draws.integers(2, size=(16, 100, 2))
    observations = np.broadcast_to(255 * bright[..., None, None, None], (*bright.shape, 5, 5, 3)).astype(np.uint8)
    policy = np.where(np.eye(2)[np.roll(bright, 1, axis=1)] > 0, 0.9, 0.1)  # of the action after each view
    sees = np.broadcast_to([[False, True], [False, False]], (16, 100, 2, 2))
    data = {
        "observations": observations,
        "actions": np.zeros_like(bright),
        "log_policy": np.log(policy),
        "visible": sees,
    }
    pairs = knowable.pairs_of(data, 0, np.ones((2, 4, 3), np.uint8))
    assert len(pairs["other"]) == 16 * 99 and pairs["tested"].sum() == 2 * 99
    sizes = influence_jax.NetworkConfig(conv_channels=4, hidden_size=16, core_size=16)
    known = {name: knowable.share_known(pairs, name, sizes) for name in ("own view", "the other's own view")}
    assert known["the other's own view"] > 0.5 and known["own view"] < 0.1


@pytest.mark.slow
def test_what_agents_do_who_are_paid(driver, out, found):
    driver("paid_for").main("smoke", "harvest", ("modelled", "modelled, unpaid"), out)
    results = found("paid_for")
    for seed in (seed for seeds in results.values() for seed in seeds):
        assert seed["reward so far"][-1] == pytest.approx(seed["return"]) and len(seed["reward so far"]) == 100
        acts = seed["by action"].values()
        assert sum(act["share of actions"] for act in acts) == pytest.approx(1, abs=1e-3)
        for kind in ("modelled influence", "real influence"):
            by_action = [act[kind] for act in acts if act[kind] is not None]
            assert min(by_action) <= seed[kind] <= max(by_action)


@pytest.mark.slow
def test_schelling_diagrams_of_trained_players(driver, out, found):
    driver("schelling_learned").main("smoke", ("harvest",), out)
    results = found("schelling_learned", "smoke_harvest")
    assert results["cooperators"] == [0, 0, 1, 1, 2, 2, 3, 3] and np.shape(results["returns"]) == (8, 3)


@pytest.mark.slow
def test_the_small_harvest_is_a_dilemma(driver):
    """For scripted players: sparing pays more if all do it, and eating everything pays more whatever the others do."""
    returns, cooperates = driver("schelling").returns_of("harvest", "small")
    diagram = influence_jax.analysis.schelling_diagram(returns, cooperates)
    assert diagram.is_dilemma and diagram.cooperator.value[-1] > 1.5 * diagram.defector.value[0]


@pytest.mark.slow
def test_all_conditions_of_both_games(driver, tmp_path):
    """With their own models, controls and shapers, which the tests above leave out."""
    for item in ("table4", "fig2", "fig5"):
        driver(item).main("smoke", out=tmp_path)
    assert len(list(tmp_path.glob("tiny_*/smoke/*/block-0/config.json"))) == 24


@pytest.mark.slow
def test_box_trapped(driver, out, found):
    driver("box_trapped").main("smoke", out)
    assert len(found("box_trapped", "table", "")["conditions"]) == 7


@pytest.mark.slow
@pytest.mark.parametrize("game", ["cleanup", "harvest"])
def test_tiny_trains_tests_and_draws(game, tmp_path, driver):
    """Three of its conditions; conditions that are added later stand beside those that are there."""
    tiny = driver("tiny")
    tiny.main(("real", "unpaid"), game, "smoke", tmp_path)
    tiny.main(("shuffled",), game, "smoke", tmp_path)
    results = tmp_path / "results" / f"tiny_{game}"
    table, rows = (json.loads((results / name).read_text()) for name in ("seeds.json", "tests.json"))
    assert list(table) == ["unpaid", "real", "shuffled"]
    assert all(len(columns["collective_return"]) == 4 for columns in table.values())  # two blocks of two seeds
    assert [row["against"] for row in rows] == ["unpaid", "shuffled"] and all(row["p_holm"] >= row["p"] for row in rows)
    assert (results / "figure.png").stat().st_size > 1000
