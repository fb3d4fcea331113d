"""Networks of agents, as pure functions of one agent's parameters."""
