"""Single rules at their borders: movement, chance, growth."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from influence_jax.envs import cleanup, make
from influence_jax.envs.grid import beams, cells, movement, random_bits

LAST = np.float32(1 - 2**-24)  # the largest uniform number


# Movement


@functools.partial(jax.jit, static_argnums=0)
def move(env, position, heading, actions, rank):
    return env.move(position, heading, actions, rank)


def step_all(env, position, heading, actions, rank=None):
    n = len(position)
    rank = range(n) if rank is None else rank
    arrays = (jnp.array(value, jnp.int32) for value in (position, heading, actions, rank))
    position, heading = jax.device_get(move(env, *arrays))
    return [tuple(cell) for cell in position.tolist()], heading.tolist()


FIELD = ("PPPP", "PPPP", "PP@P")


@pytest.mark.parametrize(
    ("heading", "action", "cell"),
    [(h, a, c) for h, cells in enumerate(
        [[(1, 0), (1, 2), (0, 1), (2, 1)], [(0, 1), (2, 1), (1, 2), (1, 0)],
         [(1, 2), (1, 0), (2, 1), (0, 1)], [(2, 1), (0, 1), (1, 0), (1, 2)]]) for a, c in enumerate(cells)],
)  # fmt: skip
def test_steps_are_relative_to_the_heading(heading, action, cell):
    env = make("harvest", layout=FIELD, num_agents=1)
    assert step_all(env, [(1, 1)], [heading], [action]) == ([cell], [heading])


def test_turns():
    env = make("harvest", layout=FIELD, num_agents=4)
    corners = [(0, 0), (0, 3), (2, 0), (2, 3)]
    assert step_all(env, corners, [0, 1, 2, 3], [5, 5, 5, 5]) == (corners, [1, 2, 3, 0])
    assert step_all(env, corners, [0, 1, 2, 3], [6, 6, 6, 6]) == (corners, [3, 0, 1, 2])


def test_walls_and_edges_stop():
    env = make("harvest", layout=FIELD, num_agents=3)
    cells = [(0, 0), (1, 2), (2, 3)]
    assert step_all(env, cells, [0, 2, 1], [2, 2, 2])[0] == cells


def test_exchange_is_refused_and_a_ring_of_four_rotates():
    env = make("harvest", layout=FIELD, num_agents=2)
    assert step_all(env, [(0, 0), (0, 1)], [1, 3], [2, 2])[0] == [(0, 0), (0, 1)]
    env = make("harvest", layout=FIELD, num_agents=4)
    ring = [(0, 0), (0, 1), (1, 1), (1, 0)]
    assert step_all(env, ring, [1, 2, 3, 0], [2, 2, 2, 2])[0] == ring[1:] + ring[:1]


def test_chain_moves_as_one_or_not_at_all():
    env = make("harvest", layout=("P" * 9,), num_agents=8)
    chain = [(0, column) for column in range(8)]
    assert step_all(env, chain, [1] * 8, [2] * 8)[0] == [(0, column + 1) for column in range(8)]
    assert step_all(env, chain, [1] * 8, [2] * 7 + [7])[0] == chain


@pytest.mark.parametrize("winner", [0, 1, 2])
def test_lowest_rank_wins_a_contested_cell(winner):
    env = make("harvest", layout=FIELD, num_agents=3)
    cells = [(0, 1), (1, 0), (1, 2)]
    rank = [(agent - winner) % 3 for agent in range(3)]
    moved = step_all(env, cells, [2, 1, 3], [2, 2, 2], rank)[0]
    assert moved == [(1, 1) if agent == winner else cell for agent, cell in enumerate(cells)]


def test_a_turning_agent_does_not_compete():
    """Its rank is the lowest, but it asks for nothing."""
    env = make("harvest", layout=FIELD, num_agents=2)
    assert step_all(env, [(0, 0), (0, 2)], [1, 3], [5, 2], [0, 1])[0] == [(0, 0), (0, 1)]


def test_two_agents_never_share_a_cell():
    """18 agents on 20 cells, all pushing: conflicts of every kind, with the ranks of all agents at random."""
    env = make("harvest", layout=("PPPPP", "PP@PP", "PPPPP", "PPPPP", "PPPP@"), num_agents=18)
    starts = env.start_cells
    rng = np.random.default_rng(0)
    trials = 3000
    position = np.stack([rng.permutation(starts)[:18] for _ in range(trials)])
    heading = rng.integers(0, 4, (trials, 18))
    actions = rng.choice(9, (trials, 18), p=[0.1, 0.1, 0.6, 0.05, 0.05, 0.05, 0.05, 0, 0])
    rank = np.stack([rng.permutation(18) for _ in range(trials)])
    moved, _ = jax.jit(jax.vmap(env.move))(*(jnp.asarray(x, jnp.int32) for x in (position, heading, actions, rank)))
    cells = np.asarray(moved) @ [100, 1]
    assert all(len(set(row)) == 18 for row in cells.tolist())
    assert (moved != position).any(axis=(1, 2)).mean() > 0.9


# Beams and marking


def test_clear_runs_count_free_cells():
    walls = np.array([list(row) for row in ("....@..", ".......")]) == "@"
    runs = beams.clear_runs(walls)
    np.testing.assert_array_equal(runs[1, 1, 1:-1], [4, 3, 2, 1, 0, 2, 1])
    np.testing.assert_array_equal(runs[3, 1, 1:-1], [1, 2, 3, 4, 0, 1, 2])
    np.testing.assert_array_equal(runs[3, 2, 1:-1], [1, 2, 3, 4, 5, 5, 5])
    np.testing.assert_array_equal(runs[0, 2, 1:-1], [2, 2, 2, 2, 1, 2, 2])
    np.testing.assert_array_equal(runs[2, 2, 1:-1], 1)
    assert not runs[:, 0].any() and not runs[:, -1].any() and not runs[:, :, 0].any() and not runs[:, :, -1].any()


def test_a_beam_of_many_agents_keeps_the_order():
    """Two of 12 agents fire, the next two clean, and so on, so that every crossing is of both kinds."""
    env = make("cleanup", layout=("P" * 12, " " * 12, " " * 12, " " * 12), num_agents=12)
    position = jnp.array([(0, column) for column in range(12)])
    fires = np.arange(12) // 2 % 2 == 0
    rank = np.random.default_rng(1).permutation(12)
    actions = jnp.where(fires, movement.FIRE, movement.CLEAN)
    _, beam_map, *_ = jax.jit(env.beam)(
        position, jnp.full(12, 2), actions, jnp.asarray(rank), jnp.zeros(env.walls.shape, bool)
    )
    for column in range(
        12
    ):  # a cell of row 1 is crossed by the middle lane above it; the side lanes end at the neighbours
        assert beam_map[1, column] == (1 if fires[column] else 2)
    for column in range(12):
        crossing = [agent for agent in (column - 1, column + 1) if 0 <= agent < 12]
        last = max(crossing, key=lambda agent: rank[agent])
        assert beam_map[0, column] == (1 if fires[last] else 2)


# Chance


def test_words_are_uniform_and_unrelated():
    draw = jax.jit(jax.vmap(random_bits.words, (0, None, None)), static_argnums=(1, 2))
    keys = jax.vmap(jax.random.key)(jnp.arange(8000))  # the least random keys there are

    def signs(stream):
        bits = np.unpackbits(np.asarray(draw(keys, 64, stream)).view(np.uint8)).reshape(len(keys), -1)
        return (2.0 * bits - 1.0).astype(np.float32)

    bits, others = signs(0), signs(1)
    related = bits.T @ bits / len(keys)
    np.testing.assert_array_equal(np.diag(related), 1)
    np.fill_diagonal(related, 0)
    for correlation in (bits.mean(axis=0), related, bits[1:].T @ bits[:-1] / len(keys), bits.T @ others / len(keys)):
        assert abs(correlation).max() < 6.5 / np.sqrt(len(keys))  # exceeded by chance once in a thousand such tests


def test_ranks_are_uniform_permutations():
    words = jax.random.bits(jax.random.key(0), (6000, 3), jnp.uint32)
    drawn, counts = np.unique(jax.vmap(random_bits.ranks)(words), axis=0, return_counts=True)
    assert drawn.tolist() == [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]]
    assert (abs(counts - 1000) < 5 * np.sqrt(1000 * 5 / 6)).all()
    np.testing.assert_array_equal(random_bits.ranks(jnp.array([7, 3, 7, 0], jnp.uint32)), [2, 1, 3, 0])


def test_uniform_covers_zero_to_just_below_one():
    ends = random_bits.uniform(jnp.array([0, 255, 256, 2**32 - 1], jnp.uint32))
    np.testing.assert_array_equal(ends, np.array([0, 0, 2**-24, 1 - 2**-24], np.float32))


def test_nth_finds_the_place_of_a_thing_and_its_number_there():
    counts = np.random.default_rng(2).integers(0, 4, 9)
    things = [(place, number) for place, count in enumerate(counts) for number in range(count)]
    numbers = np.arange(-1, len(things) + 1, dtype=np.int32)
    place, number = cells.nth(jnp.broadcast_to(counts[:, None], (9, len(numbers))), jnp.asarray(numbers))
    np.testing.assert_array_equal(np.stack([place, number], axis=1)[1:-1], things)
    assert place[0] == 0 and place[-1] == 9


@pytest.mark.parametrize("name", ["cleanup", "harvest"])
def test_noise_is_what_it_says(name):
    env = make(name)
    noise = jax.jit(jax.vmap(env.sample_noise, (0, None)))(
        jax.random.split(jax.random.key(1), 2000), env.default_params
    )
    for rank in (noise.move_rank, noise.beam_rank):
        np.testing.assert_array_equal(np.sort(rank, axis=1), np.broadcast_to(np.arange(5), (2000, 5)))
    assert (noise.move_rank != noise.beam_rank).any(axis=1).mean() > 0.97  # equal once in 120
    assert noise.apple.shape == (2000, env.apple_sites.sum())
    numbers = [noise.apple] + ([noise.waste_coin, noise.waste_pick] if name == "cleanup" else [])
    for number in numbers:
        assert 0 <= number.min() and number.max() < 1
        assert abs(number.mean() - 0.5) < 5 * np.sqrt(1 / 12 / number.size)
    if name == "cleanup":
        assert abs(np.corrcoef(noise.waste_coin, noise.waste_pick)[0, 1]) < 0.1


def test_starts_are_distinct_and_uniform_with_uniform_headings():
    env = make("cleanup", num_agents=4)
    draws = 4000
    position, heading = jax.jit(jax.vmap(env.place_agents))(jax.random.split(jax.random.key(2), draws))
    cells = np.asarray(position) @ [100, 1]
    assert all(len(set(row)) == 4 for row in cells.tolist())
    starts = env.start_cells @ [100, 1]
    for agent in range(4):
        counts = (cells[:, agent, None] == starts).sum(axis=0)
        assert counts.sum() == draws
        assert (abs(counts - draws / 10) < 5 * np.sqrt(draws * 0.09)).all()
        headings = np.bincount(np.asarray(heading)[:, agent], minlength=4)
        assert len(headings) == 4 and (abs(headings - draws / 4) < 5 * np.sqrt(draws * 3 / 16)).all()


# Growth


@functools.partial(jax.jit, static_argnums=0)
def grow(env, apples, waste, position, noise):
    return env.grow(apples, waste, position, noise, env.default_params)


RIVER = ("PRRRR", " BBB ")  # four river cells, three apple sites


def waste_after(env, waste, coin, pick):
    noise = env.sample_noise(jax.random.key(0), env.default_params)
    noise = noise.replace(waste_coin=jnp.float32(coin), waste_pick=jnp.float32(pick), apple=jnp.ones_like(noise.apple))
    apples = jnp.zeros(env.walls.shape, bool)
    return np.asarray(grow(env, apples, jnp.asarray(waste), jnp.array([[0, 2]]), noise)[1])


def test_lottery_coin_is_compared_with_one_minus_half_to_the_clean_cells():
    env = make("cleanup", layout=RIVER, num_agents=1)
    for dirty_cells in (0, 1):  # k = 4 and 3 clean cells; with two of four dirty nothing grows
        waste = np.zeros((2, 5), bool)
        waste[0, 1 : 1 + dirty_cells] = True
        border = np.float32(1 - 2.0 ** -(4 - dirty_cells))
        assert waste_after(env, waste, np.nextafter(border, np.float32(0)), 0).sum() == dirty_cells + 1
        assert waste_after(env, waste, border, 0).sum() == dirty_cells
    assert waste_after(env, waste | (env.river & (np.arange(5) < 3)), 0, 0).sum() == 2


def test_bernoulli_coin_is_compared_with_one_half():
    env = make("cleanup-mp", layout=RIVER, num_agents=1)
    waste = np.zeros((2, 5), bool)
    assert waste_after(env, waste, np.nextafter(np.float32(0.5), np.float32(0)), 0).sum() == 1
    assert waste_after(env, waste, 0.5, 0).sum() == 0


def test_waste_pick_chooses_among_clean_cells_in_row_major_order():
    """Agent and pick at every border; a product that rounds up to k still picks the last cell."""
    env = make("cleanup", layout=RIVER, num_agents=1)
    waste = np.zeros((2, 5), bool)
    waste[0, 2] = True  # clean are columns 1, 3 and 4; the agent stands on the waste
    for pick, column in ((0, 1), (0.33, 1), (0.34, 3), (0.66, 3), (0.67, 4), (LAST, 4), (1.0, 4)):
        new = waste_after(env, waste, 0, pick) & ~waste
        np.testing.assert_array_equal(np.argwhere(new), [[0, column]])


def test_apples_grow_below_their_rate_and_not_under_agents():
    env = make("cleanup", layout=RIVER, num_agents=1)
    noise = env.sample_noise(jax.random.key(0), env.default_params)
    below, border = np.nextafter(np.float32(0.05), np.float32(0)), np.float32(0.05)
    none = jnp.zeros(env.walls.shape, bool)
    noise = noise.replace(apple=jnp.array([below, border, below]), waste_coin=LAST)
    apples, waste = grow(env, none, none, jnp.array([[1, 3]]), noise)
    np.testing.assert_array_equal(np.argwhere(apples), [[1, 1]])
    assert not waste.any()


def test_waste_may_grow_under_an_agent():
    env = make("cleanup", layout=RIVER, num_agents=1)
    assert waste_after(env, np.zeros((2, 5), bool), 0, 0.3)[0, 2]


@pytest.mark.parametrize("threshold", [0.4, 0.3, 0.7, 0.25])
def test_threshold_is_exact_at_equality(threshold):
    """With ``w`` of ``n`` cells dirty nothing grows iff w / n >= threshold, decided in integers, for all n that matter."""
    percent = round(threshold * 100)

    params = make("cleanup").default_params.replace(depletion_threshold=jnp.float32(threshold))
    n, w = np.meshgrid(np.arange(1, 700), np.arange(0, 700), indexing="ij")
    apple, waste = jax.jit(cleanup.growth_rates)(w, n, params)
    inside = w <= n
    expected = 100 * w >= percent * n
    np.testing.assert_array_equal((apple == 0)[inside], expected[inside])
    np.testing.assert_array_equal((waste == 0)[inside], expected[inside])
    assert (np.asarray(apple)[inside] >= 0).all()


def test_apple_rate_falls_in_a_line_to_the_threshold():
    env = make("cleanup")
    waste = np.zeros(env.walls.shape, bool)
    rates = jax.jit(lambda waste: env.growth_rates(waste, env.default_params))
    np.testing.assert_array_equal(jnp.stack(rates(waste)), np.array([0.05, 0.5], np.float32))
    cells = np.argwhere(env.river)
    waste[tuple(cells[:47].T)] = True
    apple, one_half = rates(waste)
    np.testing.assert_allclose(apple, 0.05 * (1 - 47 / 119 / 0.4), rtol=1e-5)
    assert one_half == 0.5
    waste[tuple(cells[47])] = True
    np.testing.assert_array_equal(jnp.stack(rates(waste)), 0)


@pytest.mark.parametrize(("regrowth", "inside"), [("square", 8), ("disc", 12)])
def test_neighbourhoods(regrowth, inside):
    env = make("harvest", layout=("P" * 7,) * 3 + ("PPPAPPP",) + ("P" * 7,) * 3, num_agents=1, regrowth=regrowth)
    count = np.asarray(env.apple_neighbours(jnp.asarray(env.apple_sites)))
    assert count.sum() == inside and count[3, 3] == 0
    assert count[2, 2] == 1 and count[3, 4] == 1
    assert count[1, 3] == (regrowth == "disc") and count[1, 2] == 0


@pytest.mark.parametrize(("others", "rate"), [(0, 0.0), (1, 0.005), (2, 0.02), (3, 0.05), (4, 0.05)])
def test_regrowth_rate_by_neighbours(others, rate):
    env = make("harvest", layout=("PAP", "AAA", "PAP"), num_agents=1)
    apples = np.zeros((3, 3), bool)
    apples[tuple(np.array([(0, 1), (1, 0), (1, 2), (2, 1)])[:others].T)] = True
    params = env.default_params
    noise = env.sample_noise(jax.random.key(0), params)
    regrow = jax.jit(env.grow)
    for number, grows in ((np.nextafter(np.float32(rate), np.float32(-1)), rate > 0), (np.float32(rate), False)):
        numbers = np.full(5, LAST)
        numbers[2] = number  # the centre is the third of five sites
        centre = regrow(jnp.asarray(apples), jnp.array([[0, 0]]), noise.replace(apple=numbers), params)[1, 1]
        assert centre == grows
        assert not regrow(jnp.asarray(apples), jnp.array([[1, 1]]), noise.replace(apple=numbers), params)[1, 1]


def test_reset_grows_once_on_a_clean_map():
    """On a map with a clean river the first state already may hold apples, and one waste cell."""
    env = make("cleanup", layout=("PPRRRR", "BBBBBB"), num_agents=2)
    reset = jax.jit(jax.vmap(env.initial_state, (0, None)))
    states = reset(jax.random.split(jax.random.key(3), 4000), env.default_params)
    waste = np.asarray(states.waste).sum(axis=(1, 2))
    assert set(waste) == {0, 1}
    assert abs(waste.mean() - (1 - 2**-4)) < 5 * np.sqrt(1 / 16 * 15 / 16 / 4000)
    apples = np.asarray(states.apples).sum(axis=(1, 2)).mean() / 6
    assert abs(apples - 0.05) < 5 * np.sqrt(0.05 * 0.95 / 24000)


def test_standard_maps_start_as_drawn():
    river, orchard = make("cleanup"), make("harvest")
    state = jax.jit(river.initial_state)(jax.random.key(4), river.default_params)
    assert not state.apples.any() and state.waste.sum() == 56 and river.river.sum() == 119
    assert river.apple_sites.sum() == 103 and len(river.start_cells) == 10
    state = jax.jit(orchard.initial_state)(jax.random.key(4), orchard.default_params)
    assert state.apples.sum() == 155 and len(orchard.start_cells) == 20


def test_counterfactual_world_differs_only_by_the_other_action():
    env = make("cleanup")
    params = env.default_params
    state, _ = jax.jit(env.reset)(jax.random.key(5), params)
    noise = env.sample_noise(jax.random.key(6), params)
    act = jax.jit(env.transition)
    factual, _ = act(state, jnp.full(5, movement.STAY), noise, params)
    other, _ = act(state, jnp.array([movement.TURN_CLOCKWISE] + [movement.STAY] * 4), noise, params)
    assert other.heading[0] == (factual.heading[0] + 1) % 4
    jax.tree.map(np.testing.assert_array_equal, factual, other.replace(heading=factual.heading))
