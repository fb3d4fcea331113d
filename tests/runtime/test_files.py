"""Files are written atomically."""

import json

import pytest

from influence_jax.runtime.files import write_json


def test_a_file_that_cannot_be_written_stays_as_it_was(tmp_path):
    path = tmp_path / "x.json"
    write_json(path, {"a": 1})
    with pytest.raises(TypeError):
        write_json(path, {"a": object()})
    assert json.loads(path.read_text()) == {"a": 1}
