/* Cleanup and Harvest in plain C: what one core can do without JAX.
 *
 * The rules, maps and views are those of influence_jax/envs with their default options; Python fills in struct Game.
 * A cell is an index into the map padded by RADIUS on every side, so that no view reaches outside the array.
 * A site is an index into a list of cells (apple sites, river cells), row-major.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define RADIUS 7
#define SIDE (2 * RADIUS + 1)
#define VIEW_BYTES (SIDE * SIDE * 3)
#define BEAM_LENGTH 5
#define MAX_AGENTS 32
#define MAX_CELLS 2048 /* of the padded map */
#define MAX_SITES 512
#define MAX_BEAM_CELLS (MAX_AGENTS * 3 * BEAM_LENGTH)

enum { LEFT, RIGHT, FORWARD, BACKWARD, STAY, TURN_CLOCKWISE, TURN_COUNTERCLOCKWISE, FIRE, CLEAN }; /* actions */
enum { EMPTY, WALL, APPLE, WASTE, RIVER, STREAM, FIRE_BEAM, CLEAN_BEAM, DOOR, AGENT };             /* cell codes */
enum { APPLES, FIRES, HITS, CLEANS, NUM_METRICS };

#define NUM_COLOURS 10 /* of agents */

/* What does not change: the map and the numbers of the game. Mirrored in __init__.py, field by field. */
struct Game {
    int32_t num_cells, width; /* of the padded map */
    int32_t num_agents, horizon;
    int32_t num_starts, num_apple_sites, num_river;
    int32_t apples_need_apples;    /* Harvest; else Cleanup, where they need a clean river */
    const uint8_t *background;     /* [num_cells], codes without apples and waste */
    const uint8_t *blocked;        /* [num_cells], nobody and no beam can enter: walls and the outside */
    const int32_t *starts;         /* [num_starts], cells */
    const int32_t *apple_cells;    /* [num_apple_sites] */
    const uint16_t *apple_site;    /* [num_cells], the site of an apple cell */
    const int32_t *river_cells;    /* [num_river] */
    const uint8_t *initial_apples; /* [num_apple_sites] */
    const uint8_t *initial_waste;  /* [num_river] */
    const uint8_t (*palette)[4];   /* by code; the fourth byte is padding */
    float *apple_probability;      /* [num_river + 1], Cleanup: by the number of waste cells, from prepare() */
    float *waste_probability;      /* [num_river + 1], likewise */
    float fire_cost, hit_penalty;
    float regrowth[4];                                 /* Harvest: by apples around, 3 standing for more */
    float apple_rate, waste_rate, depletion_threshold; /* Cleanup */
};

/* One game. */
struct State {
    uint64_t random; /* of the generator */
    int32_t time, num_waste, num_empty, num_beam_cells;
    int32_t position[MAX_AGENTS], heading[MAX_AGENTS];
    uint8_t cells[MAX_CELLS];           /* codes without agents and beams */
    uint16_t empty[MAX_SITES];          /* apple sites without an apple, in no order */
    uint16_t beam_cell[MAX_BEAM_CELLS]; /* beams of the last step, in the order drawn */
    uint8_t beam_code[MAX_BEAM_CELLS];
};

/* The chance in one step, as drawn by sample_noise of the JAX environments. */
struct Noise {
    const int32_t *move_rank, *beam_rank; /* [num_agents] */
    const float *apple;                   /* [num_apple_sites] */
    float waste_coin, waste_pick;
};

/* Where a step writes what it yields. */
struct Output {
    uint8_t *observation; /* [num_agents][SIDE][SIDE][3] */
    uint8_t *visible;     /* [num_agents][num_agents] */
    float *reward;        /* [num_agents] */
    float *metrics;       /* [NUM_METRICS][num_agents] */
};

/* ---- Chance: splitmix64, and only what a step turns out to need, unless noise is given. ---- */

static inline uint64_t draw(uint64_t *random)
{
    uint64_t word = *random += 0x9e3779b97f4a7c15u;
    word = (word ^ word >> 30) * 0xbf58476d1ce4e5b9u;
    word = (word ^ word >> 27) * 0x94d049bb133111ebu;
    return word ^ word >> 31;
}

/* Uniform on [0, 1) in steps of 2^-24. */
static inline float uniform(uint64_t *random) { return (float)(draw(random) >> 40) * 0x1p-24f; }

/* Uniform over 0..count-1; the bias of less than count / 2^32 is of no matter here. */
static inline int32_t below(uint64_t *random, int32_t count)
{
    return (int32_t)((draw(random) >> 32) * (uint64_t)count >> 32);
}

/* Put a random choice of the `total` numbers, in random order, into the first `count` places. */
static void shuffle(uint64_t *random, int32_t *numbers, int32_t count, int32_t total)
{
    for (int32_t i = 0; i < count; i++) {
        int32_t other = i + below(random, total - i), kept = numbers[i];
        numbers[i] = numbers[other];
        numbers[other] = kept;
    }
}

/* ---- The four phases of a step. `agent_at` is [MAX_CELLS]: agent + 1 where one stands, else 0. ---- */

static inline int32_t toward(const struct Game *game, int32_t heading)
{
    const int32_t steps[4] = {-game->width, 1, game->width, -1};
    return steps[heading & 3];
}

/* Turn and step, all at once. */
static void move(
    const struct Game *game, struct State *state, const int32_t *actions, const struct Noise *noise, uint8_t *agent_at)
{
    static const int32_t quarters[4] = {3, 1, 0, 2}; /* from the heading to the step, by action */
    const int32_t n = game->num_agents;
    int32_t want[MAX_AGENTS], drawn[MAX_AGENTS];
    bool stuck[MAX_AGENTS];
    const int32_t *rank = noise ? noise->move_rank : NULL;

    for (int32_t i = 0; i < n; i++) {
        int32_t heading = state->heading[i];
        want[i] = state->position[i];
        if (actions[i] >= 0 && actions[i] < STAY) {
            int32_t cell = want[i] + toward(game, heading + quarters[actions[i]]);
            if (!game->blocked[cell]) want[i] = cell;
        }
        state->heading[i] = (heading + (actions[i] == TURN_CLOCKWISE) + 3 * (actions[i] == TURN_COUNTERCLOCKWISE)) & 3;
        stuck[i] = want[i] == state->position[i];
    }
    /* Of the rivals for a cell the lowest rank gets it. Whoever stays on the cell needs no rank to keep it. */
    for (int32_t i = 1; i < n; i++)
        for (int32_t j = 0; j < i; j++)
            if (want[i] == want[j]) {
                if (!rank) {
                    for (int32_t k = 0; k < n; k++) drawn[k] = k;
                    shuffle(&state->random, drawn, n, n);
                    rank = drawn;
                }
                stuck[rank[i] > rank[j] ? i : j] = true;
            }
    /* Two agents cannot change places. */
    for (int32_t i = 0; i < n; i++) {
        int32_t other = agent_at[want[i]] - 1;
        if (other >= 0 && other != i && want[other] == state->position[i]) stuck[i] = true;
    }
    /* Whoever waits for a stuck agent is stuck. */
    for (bool changed = true; changed;) {
        changed = false;
        for (int32_t i = 0; i < n; i++)
            if (!stuck[i] && agent_at[want[i]] && stuck[agent_at[want[i]] - 1]) stuck[i] = changed = true;
    }
    for (int32_t i = 0; i < n; i++)
        if (!stuck[i]) agent_at[state->position[i]] = 0;
    for (int32_t i = 0; i < n; i++)
        if (!stuck[i]) {
            state->position[i] = want[i];
            agent_at[want[i]] = (uint8_t)(i + 1);
        }
}

static void eat(const struct Game *game, struct State *state, int32_t *eaten)
{
    for (int32_t i = 0; i < game->num_agents; i++) {
        int32_t cell = state->position[i];
        eaten[i] = state->cells[cell] == APPLE;
        if (eaten[i]) {
            state->cells[cell] = EMPTY;
            state->empty[state->num_empty++] = game->apple_site[cell];
        }
    }
}

static bool has_beam(const struct Game *game, int32_t action)
{
    return action == FIRE || (action == CLEAN && !game->apples_need_apples);
}

/* Fire and clean, one agent after another: three lanes, from the cell ahead and from those on both sides. */
static void beam(
    const struct Game *game, struct State *state, const int32_t *actions, const struct Noise *noise,
    const uint8_t *agent_at, int32_t *hits, int32_t *cleans)
{
    const int32_t n = game->num_agents;
    int32_t order[MAX_AGENTS], drawn[MAX_AGENTS], num_acting = 0;

    for (int32_t i = 0; i < n; i++)
        if (has_beam(game, actions[i])) order[num_acting++] = i;
    if (num_acting > 1) { /* else the order is known */
        if (noise) {
            for (int32_t i = 0; i < n; i++) drawn[noise->beam_rank[i]] = i;
            num_acting = 0;
            for (int32_t i = 0; i < n; i++)
                if (has_beam(game, actions[drawn[i]])) order[num_acting++] = drawn[i];
        } else
            shuffle(&state->random, order, num_acting, num_acting);
    }
    int32_t num_beam_cells = 0;
    for (int32_t k = 0; k < num_acting; k++) {
        const int32_t i = order[k];
        const bool cleaning = actions[i] == CLEAN;
        const int32_t ahead = toward(game, state->heading[i]), right = toward(game, state->heading[i] + 1);
        const int32_t lanes[3] = {-right, ahead, right};
        for (int32_t lane = 0; lane < 3; lane++) {
            int32_t cell = state->position[i] + lanes[lane];
            for (int32_t step = 0; step < BEAM_LENGTH && !game->blocked[cell]; step++, cell += ahead) {
                state->beam_cell[num_beam_cells] = (uint16_t)cell;
                state->beam_code[num_beam_cells++] = cleaning ? CLEAN_BEAM : FIRE_BEAM;
                /* Waste is removed even from under an agent; both end the lane. */
                const bool dirty = cleaning && state->cells[cell] == WASTE;
                if (dirty) {
                    state->cells[cell] = RIVER;
                    state->num_waste--;
                    cleans[i]++;
                }
                if (agent_at[cell] && !cleaning) hits[agent_at[cell] - 1]++;
                if (agent_at[cell] || dirty) break;
            }
        }
    }
    state->num_beam_cells = num_beam_cells;
}

/* Apples among the eight cells around one, at most 3. */
static inline int32_t apples_around(const struct Game *game, const uint8_t *cells, int32_t cell)
{
    const uint8_t *above = cells + cell - game->width, *same = cells + cell, *below = cells + cell + game->width;
    int32_t count = (above[-1] == APPLE) + (above[0] == APPLE) + (above[1] == APPLE) + (same[-1] == APPLE) +
                    (same[1] == APPLE) + (below[-1] == APPLE) + (below[0] == APPLE) + (below[1] == APPLE);
    return count < 3 ? count : 3;
}

/* Grow apples, not under agents, and waste; both are decided from the map as it is. */
static void grow(const struct Game *game, struct State *state, const struct Noise *noise, const uint8_t *agent_at)
{
    int32_t grown[MAX_SITES], num_grown = 0;
    const float everywhere = game->apple_probability[state->num_waste];
    const float waste_probability = game->waste_probability[state->num_waste];

    if (game->apples_need_apples || everywhere > 0)
        for (int32_t k = 0; k < state->num_empty; k++) {
            const int32_t site = state->empty[k], cell = game->apple_cells[site];
            const float probability =
                game->apples_need_apples ? game->regrowth[apples_around(game, state->cells, cell)] : everywhere;
            if (probability == 0 || agent_at[cell]) continue;
            if ((noise ? noise->apple[site] : uniform(&state->random)) < probability) grown[num_grown++] = k;
        }
    while (num_grown > 0) { /* from the last, so that the places before it stay */
        const int32_t k = grown[--num_grown];
        state->cells[game->apple_cells[state->empty[k]]] = APPLE;
        state->empty[k] = state->empty[--state->num_empty];
    }
    if (waste_probability > 0 && (noise ? noise->waste_coin : uniform(&state->random)) < waste_probability) {
        const float pick = noise ? noise->waste_pick : uniform(&state->random);
        const int32_t count = game->num_river - state->num_waste;
        int32_t which = (int32_t)(pick * (float)count); /* may round up to count */
        if (which > count - 1) which = count - 1;
        const int32_t *cell = game->river_cells;
        while (state->cells[*cell] == WASTE || which-- > 0) cell++;
        state->cells[*cell] = WASTE;
        state->num_waste++;
    }
}

/* ---- What the agents see ---- */

/* Colour the window around a cell, the cell ahead above its centre. */
static void look(
    const struct Game *game, const uint8_t *restrict codes, int32_t cell, int32_t heading, uint8_t *restrict pixels)
{
    const uint8_t (*palette)[4] = game->palette;
    const int32_t ahead = toward(game, heading), right = toward(game, heading + 1);
    const uint8_t *line = codes + cell + RADIUS * ahead - RADIUS * right;
    for (int32_t row = 0; row < SIDE; row++, line -= ahead) {
        /* Four bytes at once; the next pixel overwrites the fourth. */
        for (int32_t column = 0; column < SIDE - 1; column++)
            memcpy(pixels + 3 * column, palette[line[column * right]], 4);
        memcpy(pixels + 3 * (SIDE - 1), palette[line[(SIDE - 1) * right]], 3);
        pixels += 3 * SIDE;
    }
}

static void observe(const struct Game *game, const struct State *state, const struct Output *out)
{
    const int32_t n = game->num_agents;
    uint8_t codes[MAX_CELLS];
    int32_t row[MAX_AGENTS], column[MAX_AGENTS];

    memcpy(codes, state->cells, (size_t)game->num_cells);
    for (int32_t i = 0; i < n; i++) {
        codes[state->position[i]] = (uint8_t)(AGENT + i % NUM_COLOURS);
        row[i] = state->position[i] / game->width;
        column[i] = state->position[i] % game->width;
    }
    for (int32_t k = 0; k < state->num_beam_cells; k++) codes[state->beam_cell[k]] = state->beam_code[k];
    for (int32_t i = 0; i < n; i++) {
        look(game, codes, state->position[i], state->heading[i], out->observation + i * VIEW_BYTES);
        for (int32_t j = 0; j < n; j++)
            out->visible[i * n + j] = i != j && abs(row[i] - row[j]) <= RADIUS && abs(column[i] - column[j]) <= RADIUS;
    }
}

/* ---- Whole steps and episodes ---- */

static void mark_agents(const struct Game *game, const struct State *state, uint8_t *agent_at)
{
    memset(agent_at, 0, (size_t)game->num_cells);
    for (int32_t i = 0; i < game->num_agents; i++) agent_at[state->position[i]] = (uint8_t)(i + 1);
}

static void fill_map(const struct Game *game, struct State *state, const uint8_t *apples, const uint8_t *waste)
{
    memcpy(state->cells, game->background, (size_t)game->num_cells);
    state->num_empty = state->num_waste = state->num_beam_cells = state->time = 0;
    for (int32_t site = 0; site < game->num_apple_sites; site++)
        if (apples[site])
            state->cells[game->apple_cells[site]] = APPLE;
        else
            state->empty[state->num_empty++] = (uint16_t)site;
    for (int32_t site = 0; site < game->num_river; site++)
        if (waste[site]) {
            state->cells[game->river_cells[site]] = WASTE;
            state->num_waste++;
        }
}

static void start_episode(const struct Game *game, struct State *state)
{
    int32_t starts[MAX_SITES];
    uint8_t agent_at[MAX_CELLS];

    fill_map(game, state, game->initial_apples, game->initial_waste);
    memcpy(starts, game->starts, sizeof(int32_t) * (size_t)game->num_starts);
    shuffle(&state->random, starts, game->num_agents, game->num_starts);
    for (int32_t i = 0; i < game->num_agents; i++) {
        state->position[i] = starts[i];
        state->heading[i] = below(&state->random, 4);
    }
    mark_agents(game, state, agent_at);
    grow(game, state, NULL, agent_at);
}

/* Without noise, the state draws its own. */
static inline void advance(
    const struct Game *game, struct State *state, const int32_t *actions, const struct Noise *noise,
    const struct Output *out)
{
    const int32_t n = game->num_agents;
    uint8_t agent_at[MAX_CELLS];
    int32_t eaten[MAX_AGENTS], hits[MAX_AGENTS] = {0}, cleans[MAX_AGENTS] = {0};

    mark_agents(game, state, agent_at);
    move(game, state, actions, noise, agent_at);
    eat(game, state, eaten);
    beam(game, state, actions, noise, agent_at, hits, cleans);
    grow(game, state, noise, agent_at);
    state->time++;
    for (int32_t i = 0; i < n; i++) {
        const float apples = (float)eaten[i], fires = actions[i] == FIRE;
        out->metrics[APPLES * n + i] = apples;
        out->metrics[FIRES * n + i] = fires;
        out->metrics[HITS * n + i] = (float)hits[i];
        out->metrics[CLEANS * n + i] = (float)cleans[i];
        out->reward[i] = apples - game->fire_cost * fires - game->hit_penalty * (float)hits[i];
    }
    observe(game, state, out);
}

/* ---- What Python calls ---- */

size_t state_bytes(void) { return sizeof(struct State); }

/* Compute the tables of a game; false if it is too large for the arrays. Rounds as the JAX code does. */
bool prepare(const struct Game *game)
{
    if (game->num_cells > MAX_CELLS || game->num_agents > MAX_AGENTS || game->num_starts > MAX_SITES ||
        game->num_apple_sites > MAX_SITES || game->num_river > MAX_SITES)
        return false;
    const float limit = game->depletion_threshold * (float)game->num_river;
    for (int32_t waste = 0; waste <= game->num_river; waste++) {
        const bool too_dirty = (float)waste >= limit - 1e-4f;
        game->apple_probability[waste] =
            too_dirty ? 0 : game->apple_rate * (1 - (float)waste / (limit > 1e-4f ? limit : 1e-4f));
        /* A coin for every clean cell; all of them fail with probability (1 - rate) ^ clean, by repeated squaring. */
        float fail = 1, base = 1 - (too_dirty ? 0 : game->waste_rate);
        for (int32_t clean = game->num_river - waste; clean > 0; clean >>= 1, base *= base)
            if (clean & 1) fail *= base;
        game->waste_probability[waste] = 1 - fail;
    }
    return true;
}

/* Start num_envs episodes. */
void reset(const struct Game *game, struct State *states, int32_t num_envs, uint64_t seed)
{
    for (int32_t env = 0; env < num_envs; env++) {
        states[env].random = draw(&seed); /* far apart on the one orbit of the generator */
        start_episode(game, &states[env]);
    }
}

/* Write a state given as position [num_agents] in cells, heading, apples and waste by site. */
void load(
    const struct Game *game, struct State *state, const int32_t *position, const int32_t *heading,
    const uint8_t *apples, const uint8_t *waste, int32_t time)
{
    fill_map(game, state, apples, waste);
    memcpy(state->position, position, sizeof(int32_t) * (size_t)game->num_agents);
    memcpy(state->heading, heading, sizeof(int32_t) * (size_t)game->num_agents);
    state->time = time;
}

/* Read a state: position and heading as above, cells and beams (codes, else 0) as [num_cells]. Return its time. */
int32_t save(
    const struct Game *game, const struct State *state, int32_t *position, int32_t *heading, uint8_t *cells,
    uint8_t *beams)
{
    memcpy(position, state->position, sizeof(int32_t) * (size_t)game->num_agents);
    memcpy(heading, state->heading, sizeof(int32_t) * (size_t)game->num_agents);
    memcpy(cells, state->cells, (size_t)game->num_cells);
    memset(beams, 0, (size_t)game->num_cells);
    for (int32_t k = 0; k < state->num_beam_cells; k++) beams[state->beam_cell[k]] = state->beam_code[k];
    return state->time;
}

/* One step under given noise. */
void step(
    const struct Game *game, struct State *state, const int32_t *actions, const struct Noise *noise,
    const struct Output *out)
{
    advance(game, state, actions, noise, out);
}

/* Take actions [num_steps, num_envs, num_agents]. All games write into one buffer each of `out`, with a leading axis
 * num_envs, so that as many bytes leave the core as in JAX. A game that has reached the horizon starts anew in place of
 * its next step. Add what was collected to totals [NUM_METRICS]; return the sum of all rewards. */
double play(
    const struct Game *game, struct State *states, int32_t num_envs, int32_t num_steps, const int32_t *actions,
    const struct Output *out, double *totals)
{
    const int32_t n = game->num_agents;
    double sum = 0;
    for (int32_t time = 0; time < num_steps; time++)
        for (int32_t env = 0; env < num_envs; env++) {
            struct State *state = &states[env];
            const int32_t *const taken = actions + ((size_t)time * (size_t)num_envs + (size_t)env) * (size_t)n;
            const struct Output here = {
                .observation = out->observation + (size_t)env * (size_t)n * VIEW_BYTES,
                .visible = out->visible + env * n * n,
                .reward = out->reward + env * n,
                .metrics = out->metrics + env * NUM_METRICS * n,
            };
            if (state->time >= game->horizon) {
                start_episode(game, state);
                memset(here.reward, 0, sizeof(float) * (size_t)n);
                memset(here.metrics, 0, sizeof(float) * NUM_METRICS * (size_t)n);
                observe(game, state, &here);
                continue;
            }
            advance(game, state, taken, NULL, &here);
            for (int32_t i = 0; i < n; i++) {
                sum += here.reward[i];
                for (int32_t m = 0; m < NUM_METRICS; m++) totals[m] += here.metrics[m * n + i];
            }
        }
    return sum;
}
