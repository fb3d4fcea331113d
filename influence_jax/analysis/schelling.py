"""Schelling diagrams: payoffs of cooperating and defecting by the number of other cooperators (Fig. 10; Hughes et al. 2018)."""

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from influence_jax.analysis.arguments import booleans, numbers, same_shape
from influence_jax.analysis.statistics import CONFIDENCE, Estimate, percent, permutation_test, t_interval
from influence_jax.analysis.tables import html_table, pandas, text_table


@dataclasses.dataclass(frozen=True, repr=False)
class Schelling:
    """Mean individual returns by the number of *other* cooperators, 0 to N-1; NaN if no episode has that number."""

    others: np.ndarray  # i64[N]
    cooperator: Estimate  # f64[N] each, over episodes
    defector: Estimate  # f64[N] each, over episodes
    temptation_p: np.ndarray  # f64[N], permutation test of equal payoffs for a defector and a cooperator

    @property
    def is_dilemma(self) -> bool:
        """Whether defecting always pays more, more cooperators are better for everyone, and full cooperation is best for all."""
        cooperator, defector = self.cooperator.value, self.defector.value
        tempting = np.all(defector >= cooperator)
        rising = cooperator[-1] > cooperator[0] and defector[-1] > defector[0]
        return bool(tempting and rising and cooperator[-1] > defector[0])

    def __repr__(self) -> str:
        return f"{self._caption}\n{text_table(self._side_by_side())}"

    def _repr_html_(self) -> str:
        return html_table(self._side_by_side(), self._caption)

    @property
    def _caption(self) -> str:
        is_dilemma = "a dilemma" if self.is_dilemma else "no dilemma"
        return f"Individual returns, means and {percent(self.cooperator.confidence)} intervals: {is_dilemma}"

    def _side_by_side(self) -> list[dict[str, Any]]:
        roles = {"cooperator": self.cooperator, "defector": self.defector}
        return [
            {"other cooperators": int(n)}
            | {role: f"{x.value[n]:.4g} [{x.low[n]:.4g}, {x.high[n]:.4g}]" for role, x in roles.items()}
            | {"p": float(self.temptation_p[n])}
            for n in self.others
        ]

    def table(self) -> Any:
        """Return `rows` as a ``pandas.DataFrame``.

        Raises:
            ConfigError: pandas is not installed.
        """
        return pandas().DataFrame(self.rows())

    def rows(self) -> list[dict[str, Any]]:
        """Return one row per role and number of other cooperators, as plain data."""
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


def schelling_diagram(returns: ArrayLike, cooperates: ArrayLike, confidence: float = CONFIDENCE) -> Schelling:
    """Average ``returns f[P,N]`` of episodes by which agents cooperate, ``cooperates bool[P,N]``.

    Agents of one role in one episode count as one value, their mean, because they share the episode's luck.

    Raises:
        ConfigError: shapes differ.

    Example:
        >>> diagram = analysis.schelling_diagram([[0, 0], [5, -1], [4, 4]], [[0, 0], [0, 1], [1, 1]])
        >>> diagram.cooperator.value, diagram.defector.value, diagram.is_dilemma
        (array([-1.,  4.]), array([0., 5.]), True)
    """
    returns, cooperates = numbers("returns", returns, "[P,N]"), booleans("cooperates", cooperates, "[P,N]")
    same_shape(returns=returns, cooperates=cooperates)
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
