"""What the API pages read beside docstrings: the texts of settings, comments on fields, and examples."""

import ast
import re
from typing import Any

import griffe

DECLARING = ("choice", "flag", "integer", "number", "texts", "value")  # of influence_jax.settings


class Docstrings(griffe.Extension):
    """Gives fields a text and examples a fence."""

    def on_instance(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Put a fence around each example, since Markdown reads its prompt as a quotation."""
        if obj.docstring:
            obj.docstring.value = re.sub(
                r"^( *)>>> (?:.+\n?)+",
                lambda found: fenced(found[0], found[1]),
                obj.docstring.value,
                flags=re.MULTILINE,
            )

    def on_attribute_instance(self, *, attr: griffe.Attribute, **kwargs: Any) -> None:
        """Describe a setting by its declaration, another field by the comment behind it."""
        call = ast.parse(str(attr.value), mode="eval").body if attr.value else None
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in DECLARING:
            default, *_, text = call.args
            attr.value = None if call.func.id == "value" else ast.unparse(default)
            attr.docstring = griffe.Docstring(ast.literal_eval(text), parent=attr)
        elif not attr.docstring and (comment := re.search(r"  # (.+)$", attr.source)):
            attr.docstring = griffe.Docstring(comment[1], parent=attr)


def fenced(example: str, indent: str) -> str:
    """Return the lines of an example between fences at its indentation."""
    return f"{indent}```pycon\n{example.rstrip()}\n{indent}```\n"
