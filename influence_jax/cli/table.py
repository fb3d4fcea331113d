"""``influence-jax table``: write the metrics of a run or a sweep to one file."""

import dataclasses
import importlib.util
import pathlib
from typing import Annotated

import tyro

from influence_jax.cli.options import check, parse
from influence_jax.settings import ConfigError

SUFFIXES = (".parquet", ".csv")


@dataclasses.dataclass(frozen=True)
class TableOptions:
    """Write the metrics of a run or a sweep as a tidy table, one row per member and log point.

    A member's settings are columns, and so is each agent's value: `agent_returns[0]` and so on. Needs pandas, and pyarrow for
    .parquet: pip install 'influence_jax[analysis]'.
    """

    directory: tyro.conf.Positional[pathlib.Path]
    """Directory of a run or a sweep."""
    out: pathlib.Path
    """File to write, .parquet or .csv."""
    final: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Write one row per member instead, with the mean of each metric over the end of the run."""
    trust: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Import code outside the package that the run or sweep names."""


def main(arguments: list[str]) -> int:
    """Write a table."""
    options = parse(TableOptions, arguments, "influence-jax table")
    out = options.out
    if out.suffix not in SUFFIXES:
        raise ConfigError(f"out is {str(out)!r}; allowed: files that end in {' or '.join(SUFFIXES)}.")
    check(options)
    from influence_jax.analysis.tables import final_rows, pandas
    from influence_jax.sweeps.results import Sweep, load

    frames = pandas()
    if out.suffix == ".parquet" and importlib.util.find_spec("pyarrow") is None:
        raise ConfigError(
            f"out is {str(out)!r}, which needs pyarrow; allowed: .csv, or .parquet after pip install 'influence_jax[analysis]'."
        )
    found = load(options.directory, trust=options.trust)
    recorded = found.recorded if isinstance(found, Sweep) else found.metrics
    if not recorded:
        raise ConfigError(
            f"{str(options.directory)!r} holds no log points yet; allowed: a run or a sweep with log points."
        )
    if options.final:
        rows = found.rows() if isinstance(found, Sweep) else final_rows(found.metrics, found.members)
        table = frames.DataFrame(rows)
    else:
        table = found.table()
    try:
        with open(out, "xb") as file:
            table.to_csv(file, index=False) if out.suffix == ".csv" else table.to_parquet(file, index=False)
    except FileExistsError:
        raise ConfigError(f"out is {str(out)!r}, which exists; allowed: a new file.") from None
    except (OSError, ValueError) as error:
        raise ConfigError(f"out is {str(out)!r}, which cannot be written: {error}; allowed: files.") from error
    print(f"{len(table):,} rows: {out}")
    return 0
