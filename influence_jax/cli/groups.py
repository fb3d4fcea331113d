"""What commands that look at several runs have in common."""

import dataclasses
import pathlib

import tyro


@dataclasses.dataclass(frozen=True, kw_only=True)
class GroupOptions:
    """Which members are compared."""

    directories: tyro.conf.Positional[tuple[pathlib.Path, ...]]
    """Directories of runs and sweeps; each run, and each trial of a sweep, is a group."""
    by: tuple[str, ...] = ()
    """Settings to group by; members with equal values form a group."""

    @property
    def runs(self) -> list[str]:
        """The directories, as functions of `influence_jax.analysis` take them."""
        return [str(path) for path in self.directories]
