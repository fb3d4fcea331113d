"""A package of others: a game, a measure and a network, registered in its pyproject.toml."""
