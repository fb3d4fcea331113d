"""What a small run wrote."""

ROWS = [
    {"update": 10, "member": 0, "env_steps": 100, "collective_return": None, "agent_returns": [None, 1.0]},
    {"update": 10, "member": 1, "env_steps": 100, "collective_return": 2.0, "agent_returns": [0.5, 1.5]},
    {"update": 20, "member": 0, "env_steps": 200, "collective_return": 3.0, "agent_returns": [1.0, 2.0]},
    {"update": 20, "member": 1, "env_steps": 200, "collective_return": 4.0, "agent_returns": [1.0, 3.0]},
]
