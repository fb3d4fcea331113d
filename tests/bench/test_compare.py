"""``bench compare``: two saved results."""

import json
import pathlib

from influence_jax import cli
from influence_jax.bench import compare


def test_results_are_compared_row_by_row(tmp_path, capsys):
    """Calls vary by a twentieth, so twice as fast is a disjoint range and 2 % faster is not."""

    def result(name, **factors):
        rows = [
            {"name": row, **{speed: 1000 * f * v for speed, v in zip(compare.SPEEDS, (0.95, 1, 1.05), strict=True)}}
            for row, f in factors.items()
        ]
        (tmp_path / name).write_text(json.dumps({"question": "q", "machine": {"load": len(rows)}, "rows": rows}))
        return str(tmp_path / name)

    before, after = result("a.json", one=1, two=1, gone=1), result("b.json", two=1.02, one=2)
    assert compare.compare(*(compare.read(pathlib.Path(path)) for path in (before, after))) == [
        ("one", 1000, 2000, True),
        ("two", 1000, 1020, False),
    ]
    assert cli.main(["bench", "compare", before, after]) == 0
    printed = capsys.readouterr().out
    assert "2.000" in printed and printed.count("within the spread") == 1 and "load: 3 before, 2 after" in printed
    for other in (result("c.json", other=1), str(tmp_path / "none.json")):
        assert cli.main(["bench", "compare", before, other]) == 2
        assert "allowed" in capsys.readouterr().err
