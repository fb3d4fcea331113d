"""Pages on runs: whole, self-contained, and safe from the names in them."""

import base64
import json
import re

import pytest

from influence_jax import log_format
from influence_jax.analysis.reporting import report
from influence_jax.settings import ConfigError
from tests.analysis.rows import recorded


def write(path, level):
    """Write what a run leaves of its numbers."""
    path.mkdir(parents=True)
    metrics, values = recorded(level), b""
    with open(path / "metrics.jsonl", "w") as lines:
        for point in range(len(metrics["update"])):
            shared = {name: int(metrics.get(name, metrics["update"])[point, 0]) for name in log_format.SHARED}
            own = {name: x[point] for name, x in metrics.items() if name not in shared}
            line, data = log_format.pack(shared, own, len(values))
            lines.write(line)
            values += data
    (path / "metrics.f32").write_bytes(values)
    members = [{"member": member, "seed": member} for member in range(5)]
    begun = {"started": "today", "command": ["/bin/influence-jax", "train", "a b"], "device": "a gpu"}
    resumed = begun | {"command": ["my/own.py"], "device": "<cpu>"}
    files = {"config": {"hyperparams": {}, "seeds": 5}, "members": members, "run": [begun, resumed]}
    for name, content in files.items():
        (path / f"{name}.json").write_text(json.dumps(content))
    return path


@pytest.fixture(scope="module")
def directories(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    return [write(folder / name, level) for name, level in (("alone", 200), ("<i>$body", 400))]


def test_it_says_what_was_trained_how_and_what_came_of_it(directories):
    page = report(directories)
    assert (
        "<pre>influence-jax train &#x27;a b&#x27;\npython my/own.py</pre>" in page.html and "&lt;cpu&gt;" in page.html
    )
    assert "permutation" not in page.html and "<td>p</td>" in page.html  # the table of a comparison
    assert page.html.count("<img") == 2  # curves, and scores side by side
    assert all(base64.b64decode(x).startswith(b"<?xml") for x in re.findall('base64,(.*?)"', page.html))
    assert report(directories[:1]).html.count("<img") == 1


def test_names_are_text_and_nothing_is_loaded(directories):
    page = report(directories).html
    assert "<i>" not in page and page.count("&lt;i&gt;$body") >= 3 and page.count("<section>") == 5
    assert not re.search(r"https?:|<script|@import|url\(", page)


def test_what_is_no_run_is_refused(directories, tmp_path):
    with pytest.raises(ConfigError, match="holds no run and no sweep"):
        report([tmp_path])
    broken = write(tmp_path / "broken", 200)
    (broken / "run.json").unlink()
    with pytest.raises(ConfigError, match=r"run.json' cannot be read"):
        report([broken])
