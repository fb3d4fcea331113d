"""Coins and Stag Hunt written slowly from the rules: one agent, one cell at a time. Cells are (row, column)."""

import numpy as np

STEPS = {0: (-1, 0), 1: (0, 1), 2: (1, 0), 3: (0, -1)}  # up, right, down, left
BLACK, WALL, AGENTS = (0, 0, 0), (180, 180, 180), [(0, 0, 255), (2, 81, 154)]


class Field:
    """What the two games share."""

    def __init__(self, height, width, wraps):
        self.height, self.width, self.wraps = height, width, wraps
        self.agents = []

    def cells(self):
        return [(row, column) for row in range(self.height) for column in range(self.width)]

    def free(self, taken, draw):
        """The cell that a number in [0,1) draws from those that are not taken."""
        free = [cell for cell in self.cells() if cell not in taken]
        return free[min(int(np.float32(draw) * np.float32(len(free))), len(free) - 1)]

    def walk(self, actions):
        for agent, action in enumerate(actions):
            down, right = STEPS.get(int(action), (0, 0))
            row, column = self.agents[agent][0] + down, self.agents[agent][1] + right
            if self.wraps:
                self.agents[agent] = row % self.height, column % self.width
            elif (row, column) in self.cells():
                self.agents[agent] = row, column

    def view(self, agent, radius, things):
        """What an agent sees, u8[V,V,3]; ``things`` are colours by cell."""
        colours = things | dict(zip(self.agents, AGENTS, strict=True))
        image = np.zeros((2 * radius + 1, 2 * radius + 1, 3), np.uint8)
        for i in range(len(image)):
            for j in range(len(image)):
                row, column = self.agents[agent][0] + i - radius, self.agents[agent][1] + j - radius
                if self.wraps:
                    row, column = row % self.height, column % self.width
                image[i, j] = colours.get((row, column), BLACK) if (row, column) in self.cells() else WALL
        return image

    def sees(self, radius):
        """Whether each of the two finds the other somewhere in its window."""
        (row, column), (other_row, other_column) = self.agents
        for i in range(-radius, radius + 1):
            for j in range(-radius, radius + 1):
                here = row + i, column + j
                if self.wraps:
                    here = here[0] % self.height, here[1] % self.width
                if here == (other_row, other_column):
                    return True
        return False


class Coins(Field):
    """Lerer and Peysakhovich's Coins."""

    def __init__(self, height, width):
        super().__init__(height, width, wraps=True)

    def step(self, actions, place, owner):
        """Return rewards, coins and own coins of both agents."""
        self.walk(actions)
        takers = [agent for agent in range(2) if self.agents[agent] == self.coin]
        rewards, coins, own = [0, 0], [0, 0], [0, 0]
        for taker in takers:
            rewards[taker] += 1
            coins[taker] += 1
            if taker == self.owner:
                own[taker] += 1
            else:
                rewards[self.owner] -= 2
        if takers:
            self.coin, self.owner = self.free(self.agents, place), int(owner)
        return rewards, coins, own

    def things(self):
        return {self.coin: [(128, 185, 217), (243, 207, 128)][self.owner]}


class StagHunt(Field):
    """The hunt of a stag and two hares."""

    def __init__(self, height, width):
        super().__init__(height, width, wraps=False)

    def step(self, actions, place):
        """Return rewards, hares, stags and maulings of both agents."""
        self.walk(actions)
        self.chase()
        rewards, hares, stags, maulings = [0, 0], [0, 0], [0, 0], [0, 0]
        at_stag = [agent for agent in range(2) if self.agents[agent] == self.stag]
        for agent in at_stag:
            if len(at_stag) == 2:
                rewards[agent] += 5
                stags[agent] += 1
            else:
                rewards[agent] -= 2
                maulings[agent] += 1
        for agent in range(2):
            if self.agents[agent] in self.hares:
                rewards[agent] += 1
                hares[agent] += 1
        caught = [hare for hare in range(2) if self.hares[hare] in self.agents]
        if at_stag:
            self.stag = self.free([*self.agents, self.stag, *self.hares], place[0])
        for hare in caught:
            self.hares[hare] = self.free([*self.agents, self.stag, *self.hares], place[1 + hare])
        return rewards, hares, stags, maulings

    def chase(self):
        row, column = self.stag
        distances = [abs(r - row) + abs(c - column) for r, c in self.agents]
        down, right = np.subtract(self.agents[0 if distances[0] <= distances[1] else 1], self.stag)
        if abs(down) >= abs(right):
            row += int(np.sign(down))
        else:
            column += int(np.sign(right))
        self.stag = row, column

    def things(self):
        return dict.fromkeys(self.hares, (190, 190, 150)) | {self.stag: (160, 90, 44)}
