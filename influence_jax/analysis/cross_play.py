"""What agents earn in the company of agents of other runs."""

import dataclasses
from typing import Any

import numpy as np

from influence_jax.analysis.statistics import CONFIDENCE, Estimate, percent, t_interval
from influence_jax.analysis.tables import html_table, pandas, text_table


@dataclasses.dataclass(frozen=True, repr=False)
class CrossPlay:
    """Returns of one agent of entry i among agents of entry j, from `influence_jax.cross_play`; ``S`` seeds, ``P`` episodes.

    On the diagonal, agents play with those they were trained with. The unit of intervals is a pair of seeds or, if there is only
    one pair, an episode.
    """

    names: tuple[str, ...]
    returns: np.ndarray  # f[I,I,S,P], of the one agent
    company: np.ndarray  # f[I,I,S,P], the mean return of the others
    confidence: float = CONFIDENCE

    @property
    def means(self) -> Estimate:
        """The mean return of one agent of i among agents of j, with Student's interval: f64[I,I] each."""
        return self._estimate(self.returns)

    @property
    def unit(self) -> str:
        """What intervals are over: ``"seeds"`` or ``"episodes"``."""
        return "seeds" if self.returns.shape[2] > 1 else "episodes"

    def _estimate(self, returns: np.ndarray) -> Estimate:
        values = returns.mean(axis=-1) if self.unit == "seeds" else returns[:, :, 0]
        return t_interval(values, self.confidence, axis=2)

    def rows(self) -> list[dict[str, Any]]:
        """Return a row for each pair as plain data: the return of the agent, and the mean return of the others."""
        found, company = self.means, self._estimate(self.company)
        return [
            {
                "agent": agent,
                "among": among,
                "return": float(found.value[i, j]),
                "low": float(found.low[i, j]),
                "high": float(found.high[i, j]),
                "return_of_others": float(company.value[i, j]),
            }
            for i, agent in enumerate(self.names)
            for j, among in enumerate(self.names)
        ]

    def table(self) -> Any:
        """Return `rows` as a ``pandas.DataFrame``.

        Raises:
            ConfigError: pandas is not installed.
        """
        return pandas().DataFrame(self.rows())

    @property
    def _caption(self) -> str:
        *_, seeds, episodes = self.returns.shape
        each = f"{seeds} seeds, {episodes} episodes each" if self.unit == "seeds" else f"{episodes} episodes"
        return f"Returns of one agent among others, {each}; {percent(self.confidence)} intervals over {self.unit}"

    def __repr__(self) -> str:
        return "\n".join([self._caption, text_table(self.rows())])

    def _repr_html_(self) -> str:
        return html_table(self.rows(), self._caption)
