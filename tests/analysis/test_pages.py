"""Pages: what is written, and what a notebook shows."""

import html
import re

from influence_jax.analysis.pages import Page

TEXT = '<p title="a">é & </iframe></p>\n'


def test_it_is_written_as_it_is(tmp_path):
    Page(TEXT).save(tmp_path / "new" / "page.html")
    assert (tmp_path / "new" / "page.html").read_text(encoding="utf-8") == TEXT


def test_a_notebook_shows_it_in_a_frame_that_reaches_nothing_else():
    shown = Page(TEXT)._repr_html_()
    assert html.unescape(re.search('srcdoc="(.*?)"', shown, re.DOTALL)[1]) == TEXT and shown.count("</iframe>") == 1
    assert 'sandbox="allow-scripts"' in shown and repr(Page(1_500_000 * "x")).startswith("Page of 1.5 MB")
