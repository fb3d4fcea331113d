"""Schelling diagrams: what it pays to cooperate or to defect, by how many others cooperate (Fig. 10; Hughes et al. 2018)."""

import dataclasses
from typing import Any

import numpy as np

from influence_jax.analysis.arguments import alike, numbers, truths
from influence_jax.analysis.statistics import CONFIDENCE, Estimate, permutation_test, t_interval
from influence_jax.analysis.tables import pandas


@dataclasses.dataclass(frozen=True)
class Schelling:
    """Mean individual returns against the number of *other* cooperators, 0 to N-1; NaN where nobody played so."""

    others: np.ndarray  # i64[N]
    cooperator: Estimate  # f64[N] each, over episodes
    defector: Estimate  # f64[N] each, over episodes
    temptation_p: np.ndarray  # f64[N], a defector and a cooperator among as many cooperators pay alike, by permutation

    @property
    def is_dilemma(self) -> bool:
        """Whether defecting pays more whatever others do, more cooperators are better for all, and best for all if all are."""
        cooperator, defector = self.cooperator.value, self.defector.value
        tempting = np.all(defector >= cooperator)
        rising = cooperator[-1] > cooperator[0] and defector[-1] > defector[0]
        return bool(tempting and rising and cooperator[-1] > defector[0])

    def table(self) -> Any:
        """Return `rows` as a ``pandas.DataFrame``; a `ConfigError` where pandas is not installed."""
        return pandas().DataFrame(self.rows())

    def rows(self) -> list[dict[str, float]]:
        """Return one row per number of others and role, as plain data."""
        return [
            {
                "other_cooperators": int(n),
                "role": role,
                "mean": float(estimate.value[n]),
                "low": float(estimate.low[n]),
                "high": float(estimate.high[n]),
            }
            for role, estimate in (("cooperator", self.cooperator), ("defector", self.defector))
            for n in self.others
        ]


def schelling_diagram(returns: np.ndarray, cooperates: np.ndarray, confidence: float = CONFIDENCE) -> Schelling:
    """Arrange ``returns f[P,N]`` of episodes by who of the agents ``cooperates bool[P,N]`` in them.

    The agents of one role in one episode are one value, their mean: they share the episode's luck.

    Raises:
        ConfigError: shapes differ.

    Example:
        >>> diagram = analysis.schelling_diagram([[0, 0], [5, -1], [4, 4]], [[0, 0], [0, 1], [1, 1]])
        >>> diagram.cooperator.value, diagram.defector.value, diagram.is_dilemma
        (array([-1.,  4.]), array([0., 5.]), True)
    """
    returns, cooperates = numbers("returns", returns, "[P,N]"), truths("cooperates", cooperates, "[P,N]")
    alike(returns=returns, cooperates=cooperates)
    cooperators = cooperates.sum(axis=1)
    others = np.arange(returns.shape[1])

    def of_role(members, episodes):
        chosen = members[episodes]
        return np.where(chosen, returns[episodes], 0.0).sum(axis=1) / np.maximum(chosen.sum(axis=1), 1)

    cooperating = [of_role(cooperates, cooperators == n + 1) for n in others]
    defecting = [of_role(~cooperates, cooperators == n) for n in others]
    return Schelling(
        others=others,
        cooperator=_estimates(cooperating, confidence),
        defector=_estimates(defecting, confidence),
        temptation_p=np.array([permutation_test(d, c) for d, c in zip(defecting, cooperating, strict=True)]),
    )


def _estimates(groups: list[np.ndarray], confidence: float) -> Estimate:
    found = [t_interval(group, confidence) for group in groups]
    value, low, high = (np.array([getattr(x, part) for x in found], float) for part in ("value", "low", "high"))
    return Estimate(value, low, high, found[0].confidence)
