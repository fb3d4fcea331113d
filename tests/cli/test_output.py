"""Files that commands write."""

import pytest
from PIL import Image

from influence_jax.cli.output import check_out, save
from influence_jax.config import ConfigError


def test_where_nothing_can_be_written_nothing_is_computed(tmp_path):
    check_out(tmp_path / "new" / "x.gif", (".gif", ".mp4"))
    assert (tmp_path / "new").is_dir()
    with pytest.raises(ConfigError, match=r"x.png'; allowed: files that end in .gif or .mp4"):
        check_out(tmp_path / "x.png", (".gif", ".mp4"))
    (tmp_path / "x.gif").write_text("")
    with pytest.raises(ConfigError, match=r"x.gif', which exists; allowed: a new file"):
        check_out(tmp_path / "x.gif", (".gif",))
    with pytest.raises(ConfigError, match=r"which cannot be written: .*; allowed: files"):
        check_out(tmp_path / "x.gif" / "y.gif", (".gif",))


def test_what_cannot_be_written_is_said(tmp_path):
    image = Image.new("RGB", (2, 2))
    save(image, tmp_path / "x.png")
    with Image.open(tmp_path / "x.png") as written:
        assert written.size == (2, 2)
    with pytest.raises(ConfigError, match=r"which cannot be written: .*; allowed: files"):
        save(image, tmp_path / "nowhere" / "x.png")
