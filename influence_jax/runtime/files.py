"""Writing files atomically."""

import json
import os
import pathlib
from typing import Any


def write_json(path: pathlib.Path, values: Any) -> None:
    """Write JSON atomically: whoever reads the file, even after a crash, finds the old or the new content."""
    temporary = path.with_name(path.name + ".tmp")
    with open(temporary, "w") as file:
        json.dump(values, file, indent=2)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
