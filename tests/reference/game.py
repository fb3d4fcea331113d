"""Cleanup and Harvest written slowly from the rules: one agent, one cell, one beam at a time."""

import dataclasses

import numpy as np

UP, RIGHT, DOWN, LEFT = (-1, 0), (0, 1), (1, 0), (0, -1)
HEADINGS = [UP, RIGHT, DOWN, LEFT]
STEP_TURNS = {0: 3, 1: 1, 2: 0, 3: 2}  # action -> quarter turns clockwise from the heading
AGENT_COLOURS = [
    (0, 0, 255),
    (2, 81, 154),
    (204, 0, 204),
    (216, 30, 54),
    (254, 151, 0),
    (100, 255, 255),
    (99, 99, 255),
    (250, 204, 255),
    (238, 223, 16),
    (159, 67, 255),
]
COLOURS = {"@": (180, 180, 180), "A": (0, 255, 0), "H": (99, 156, 194), "R": (113, 75, 24), "S": (113, 75, 24)}
BEAM_COLOURS = {1: (255, 255, 0), 2: (100, 255, 255)}


def add(cell, direction, times=1):
    return (cell[0] + times * direction[0], cell[1] + times * direction[1])


@dataclasses.dataclass
class Game:
    """One game; ``step`` changes it in place."""

    layout: tuple[str, ...]
    waste_rule: str = "lottery"
    squared_radius: int = 2  # of regrowth in Harvest

    def __post_init__(self):
        self.height, self.width = len(self.layout), len(self.layout[0])
        self.apple_sites = self.drawn("AB")
        self.river = self.drawn("HR")
        self.is_cleanup = not self.drawn("A")
        self.num_actions = 9 if self.is_cleanup else 8

    def drawn(self, letters):
        """Cells drawn as one of the letters, in row-major order."""
        return [(r, c) for r, row in enumerate(self.layout) for c, letter in enumerate(row) if letter in letters]

    def is_open(self, cell):
        r, c = cell
        return 0 <= r < self.height and 0 <= c < self.width and self.layout[r][c] != "@"

    def restore(self, position, heading, apples, waste):
        self.position = [tuple(map(int, cell)) for cell in position]
        self.heading = [int(h) for h in heading]
        self.apples = {tuple(map(int, cell)) for cell in np.argwhere(apples)}
        self.waste = {tuple(map(int, cell)) for cell in np.argwhere(waste)}
        self.beams = {}
        self.time = 0

    def step(self, actions, noise):
        """Take one step with ``noise`` (a dictionary of the arrays of a step); return the metrics per agent."""
        n = len(self.position)
        self.time += 1
        actions = [int(a) if 0 <= a < self.num_actions else 4 for a in actions]  # what is no action does nothing
        self.move(actions, noise["move_rank"])
        metrics = {name: np.zeros(n) for name in ("apples", "fires", "hits", "cleans")}
        for agent in range(n):
            if self.position[agent] in self.apples:
                self.apples.remove(self.position[agent])
                metrics["apples"][agent] += 1
        self.beams = {}
        for agent in sorted(range(n), key=lambda i: noise["beam_rank"][i]):
            if actions[agent] in (7, 8):
                self.shoot(agent, actions[agent] == 8, metrics)
        self.grow(noise)
        metrics["reward"] = metrics["apples"] - metrics["fires"] - 50 * metrics["hits"]
        return metrics

    def move(self, actions, rank):
        n = len(actions)
        goal = list(self.position)
        for agent, action in enumerate(actions):
            if action in STEP_TURNS:
                cell = add(self.position[agent], HEADINGS[(self.heading[agent] + STEP_TURNS[action]) % 4])
                goal[agent] = cell if self.is_open(cell) else self.position[agent]
            self.heading[agent] = (self.heading[agent] + {5: 1, 6: -1}.get(action, 0)) % 4
        movers = [agent for agent in range(n) if actions[agent] <= 4]
        for cell in set(goal):
            rivals = sorted((agent for agent in movers if goal[agent] == cell), key=lambda i: rank[i])
            for loser in rivals[1:]:
                goal[loser] = self.position[loser]
        while True:  # refuse one mover at a time until all that are left can go
            for agent in range(n):
                occupant = self.position.index(goal[agent]) if goal[agent] in self.position else None
                if occupant not in (None, agent) and goal[occupant] in (self.position[occupant], self.position[agent]):
                    goal[agent] = self.position[agent]
                    break
            else:
                break
        self.position = goal

    def shoot(self, agent, cleaning, metrics):
        metrics["fires"][agent] += not cleaning
        ahead, right = HEADINGS[self.heading[agent]], HEADINGS[(self.heading[agent] + 1) % 4]
        here = self.position[agent]
        dirty = set(self.waste)
        for start in (add(here, ahead), add(here, right), add(here, right, -1)):
            for distance in range(5):
                cell = add(start, ahead, distance)
                if not self.is_open(cell):
                    break
                self.beams[cell] = 2 if cleaning else 1
                if cleaning and cell in dirty:
                    self.waste.remove(cell)
                    metrics["cleans"][agent] += 1
                if cell in self.position:
                    metrics["hits"][self.position.index(cell)] += not cleaning
                    break
                if cleaning and cell in dirty:
                    break

    def grow(self, noise):
        free = [site not in self.apples and site not in self.position for site in self.apple_sites]
        if self.is_cleanup:
            clean = [cell for cell in self.river if cell not in self.waste]
            capacity, amount = len(self.river), len(self.waste)
            dirty = 5 * amount >= 2 * capacity
            chance = [0.0 if dirty else 0.05 * (1 - amount / capacity / 0.4)] * len(free)
            flips = len(clean) if self.waste_rule == "lottery" else min(1, len(clean))
            if not dirty and noise["waste_coin"] < 1 - 0.5**flips:
                self.waste.add(clean[min(int(np.floor(noise["waste_pick"] * np.float32(len(clean)))), len(clean) - 1)])
        else:
            chance = []
            for r, c in self.apple_sites:
                near = [(a - r) ** 2 + (b - c) ** 2 for a, b in self.apples]
                chance.append((0, 0.005, 0.02, 0.05)[min(3, sum(0 < d <= self.squared_radius for d in near))])
        new = [site for k, site in enumerate(self.apple_sites) if free[k] and noise["apple"][k] < np.float32(chance[k])]
        self.apples |= set(new)

    def grid(self, cells):
        grid = np.zeros((self.height, self.width), bool)
        for cell in cells:
            grid[cell] = True
        return grid

    def beam_grid(self):
        grid = np.zeros((self.height, self.width), np.uint8)
        for cell, kind in self.beams.items():
            grid[cell] = kind
        return grid

    def colour(self, cell, agents, beams):
        if beams and cell in self.beams:
            return BEAM_COLOURS[self.beams[cell]]
        if agents and cell in self.position:
            return AGENT_COLOURS[self.position.index(cell) % 10]
        r, c = cell
        if not (0 <= r < self.height and 0 <= c < self.width):
            return (0, 0, 0)
        if cell in self.apples:
            return COLOURS["A"]
        if cell in self.waste:
            return COLOURS["H"]
        if cell in self.river:
            return COLOURS["R"]
        return COLOURS.get(self.layout[r][c], (0, 0, 0)) if self.layout[r][c] in "@S" else (0, 0, 0)

    def view(self, agent, radius, egocentric):
        """What the agent sees, as u8[V,V,3]."""
        side = 2 * radius + 1
        image = np.zeros((side, side, 3), np.uint8)
        heading = self.heading[agent]
        if not egocentric and heading in (1, 3):
            heading = 4 - heading  # the recorded images are turned the wrong way for right and left
        ahead, right = HEADINGS[heading], HEADINGS[(heading + 1) % 4]
        for i in range(side):
            for j in range(side):
                cell = add(add(self.position[agent], ahead, radius - i), right, j - radius)
                image[i, j] = self.colour(cell, agents=egocentric or self.time > 0, beams=egocentric)
        return image

    def visible(self, radius):
        n = len(self.position)
        result = np.zeros((n, n), bool)
        for i, (r, c) in enumerate(self.position):
            for j, (a, b) in enumerate(self.position):
                result[i, j] = i != j and abs(a - r) <= radius and abs(b - c) <= radius
        return result
