"""Files that are whole at every moment."""

import json
import os
import pathlib
from typing import Any


def write_json(path: pathlib.Path, values: Any) -> None:
    """Write JSON; who reads meanwhile, or after a crash, finds the former file or the new one."""
    temporary = path.with_name(path.name + ".tmp")
    with open(temporary, "w") as file:
        json.dump(values, file, indent=2)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
