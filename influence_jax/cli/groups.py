"""What commands that look at several runs have in common."""

import dataclasses
import pathlib

import tyro


@dataclasses.dataclass(frozen=True, kw_only=True)
class GroupOptions:
    """Which members are compared."""

    directories: tyro.conf.Positional[tuple[pathlib.Path, ...]]
    """Directories of runs and sweeps; a run is a group, and of a sweep each trial."""
    by: tuple[str, ...] = ()
    """Settings; members that have them alike are a group."""

    @property
    def runs(self) -> list[str]:
        """The directories, as functions of `influence_jax.analysis` take them."""
        return [str(path) for path in self.directories]
