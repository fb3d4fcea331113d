"""What a small run recorded."""

import numpy as np

METRICS = {
    "update": np.array([[10, 10], [20, 20]]),
    "env_steps": np.array([[100, 100], [200, 200]]),
    "collective_return": np.float32([[np.nan, 2], [3, 4]]),
    "agent_returns": np.float32([[[np.nan, 1], [0.5, 1.5]], [[1, 2], [1, 3]]]),
}
