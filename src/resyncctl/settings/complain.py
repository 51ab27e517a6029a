"""Turn what the libraries say about a bad configuration into one sentence with a place and a hint.

Invariant: no text of a library that may contain a value is passed on. Sentences are chosen by the
kind of error, never copied, except for our own validators' sentences, which hold no values.
Called by `settings.load` and `settings.convert`.
"""

import difflib
import os
import re
import tomllib
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from resyncctl.core.errors import ConfigurationError
from resyncctl.settings.locate import KeyPath, line_of
from resyncctl.settings.models import Settings

_SENTENCES = {
    "missing": "a required key is missing",
    "union_tag_not_found": "a required key is missing",
    "union_tag_invalid": "the value is none of the kinds that exist here",
    "literal_error": "the value is none of the words that are allowed here",
    "too_short": "the list must not be empty",
    "int_type": "write a whole number without quotes",
    "int_parsing": "write a whole number without quotes",
    "int_from_float": "write a whole number without quotes",
    "bool_type": "write true or false",
    "tuple_type": 'write a list, e.g. ["one", "two"]',
    "dict_type": "write a table",
    "model_type": "write a table",
    "model_attributes_type": "write a table",
    "greater_than_equal": "the number is too small",
    "less_than_equal": "the number is too large",
}
_TAG_DEPTH = 3
_UNIONS = {
    ("accounts", "credentials"),
    ("engines", "state"),
    ("engines", "control"),
    ("engines", "silence"),
}


def about_syntax(path: Path, text: str, trouble: tomllib.TOMLDecodeError) -> ConfigurationError:
    """Return the error for a text that is no TOML, with line and column.

    The library's sentence may quote a key of the text, so only its place is used.
    """
    found = re.search(r"at line (\d+), column (\d+)", str(trouble))
    line, column = (int(found[1]), int(found[2])) if found else (text.count("\n") + 1, 1)
    return ConfigurationError(
        f"the file is not valid TOML: {_syntax_sentence(str(trouble))}",
        place=f"{path}:{line}:{column}",
        hint="text needs quotes, every key needs `=`, and every [table] may appear once",
    )


def _syntax_sentence(words: str) -> str:
    for start, sentence in (
        ("Cannot overwrite a value", "a key is set twice"),
        ("Cannot declare", "a table is declared twice"),
        ("Expected '='", "a key is not followed by `=`"),
        ("Invalid value", "a value is not text in quotes, a number, a list or a table"),
        ("Unclosed array", "a list is not closed"),
        ("Unterminated string", "a text is not closed"),
        ("Unescaped '\\'", "a backslash in a text is not doubled"),
        ("Expected newline or end of document", "there is something after the value"),
    ):
        if words.startswith(start):
            return sentence
    return "it breaks off or holds a character that does not belong there"


def about_values(
    path: Path, lines: Mapping[KeyPath, int], trouble: ValidationError
) -> ConfigurationError:
    """Return the error for the first mistake; the others are counted in the hint."""
    errors = trouble.errors(include_url=False, include_input=False, include_context=True)
    # A misspelt key also leaves the right one missing: the misspelling is what helps.
    errors.sort(
        key=lambda error: (
            line_of(dict(lines), _words(error["loc"])) or 0,
            error["type"] != "extra_forbidden",
        )
    )
    first = errors[0]
    words = _words(first["loc"])
    hint = _hint(first["type"], words, first.get("ctx", {}))
    more = len(errors) - 1
    if more:
        hint = f"{hint}; " if hint else ""
        hint += f"{more} more mistake{'s' if more > 1 else ''} after this one"
    return at(path, lines, words, _sentence(first["type"], first.get("ctx", {})), hint)


def at(
    path: Path,
    lines: Mapping[KeyPath, int],
    words: Sequence[str],
    sentence: str,
    hint: str | None = None,
) -> ConfigurationError:
    """Return an error about one key: a variable wins over the file, then the file's line."""
    line = line_of(dict(lines), words)
    variable = _variable_that_sets(words, whole=tuple(words) in lines)
    if variable is not None:
        place = f"the variable {variable}"
    elif line is not None:
        place = f"{path}:{line}"
    else:
        place = f"{path} or the variable {_PREFIX}{'__'.join(words).upper()}"
    return ConfigurationError(f"{'.'.join(words)}: {sentence}", place=place, hint=hint or None)


def _variable_that_sets(words: Sequence[str], *, whole: bool) -> str | None:
    """Return the variable that sets this key, or (unless `whole`) a table around it."""
    for length in range(len(words), len(words) - 1 if whole else 0, -1):
        name = f"{_PREFIX}{'__'.join(words[:length])}".upper()
        for variable in os.environ:
            if variable.upper() == name:
                return variable
    return None


def _words(location: Sequence[int | str]) -> tuple[str, ...]:
    """Return the key path without the tags that pydantic adds for the kinds of a union."""
    return tuple(
        str(word) for index, word in enumerate(location) if not _is_tag(location, index, word)
    )


def _is_tag(location: Sequence[int | str], index: int, word: int | str) -> bool:
    if isinstance(word, int):
        return True
    # The kinds of a union stand in one place only: accounts.NAME.credentials.KIND and the like.
    return index == _TAG_DEPTH and (location[0], location[2]) in _UNIONS


def _sentence(kind: str, context: Mapping[str, Any]) -> str:
    if kind == "extra_forbidden":
        return "there is no such key"
    if kind == "value_error":
        # The sentences of `settings.fields`, which never repeat a value.
        return str(context.get("error", "the value does not fit"))
    if kind == "union_tag_not_found":
        return f"the key {str(context.get('discriminator', '')).strip(chr(39))} is missing"
    return _SENTENCES.get(kind, "the value does not fit")


def _hint(kind: str, words: Sequence[str], context: Mapping[str, Any]) -> str:
    if kind == "extra_forbidden":
        valid = valid_keys(words[:-1])
        near = difflib.get_close_matches(words[-1], valid, n=1, cutoff=0.5)
        if near:
            return f"did you mean `{near[0]}`?"
        return f"valid keys here: {', '.join(valid)}" if valid else ""
    if kind == "literal_error":
        return f"write one of {context.get('expected', '')}".replace("'", '"')
    if kind == "union_tag_invalid":
        return f"write one of {context.get('expected_tags', '')}".replace("'", '"')
    if kind == "greater_than_equal":
        return f"the smallest is {context.get('ge')}"
    if kind == "less_than_equal":
        return f"the largest is {context.get('le')}"
    return ""


def about_variables(environ: Mapping[str, str]) -> Iterator[str]:
    """Return a warning for every `RESYNCCTL_*` variable that sets nothing."""
    known = {f"{_PREFIX}{name}".upper() for name in Settings.model_fields}
    for name in sorted(environ):
        upper = name.upper()
        top = _PREFIX + upper.removeprefix(_PREFIX).partition("__")[0]
        if upper.startswith(_PREFIX) and top not in known and upper not in _SWITCHES:
            near = difflib.get_close_matches(top, known, n=1, cutoff=0.5)
            hint = f"; did you mean {near[0]}?" if near else ""
            yield f"the variable {name} sets nothing{hint}"


_PREFIX = "RESYNCCTL_"
_SWITCHES = frozenset({"RESYNCCTL_CONFIG", "RESYNCCTL_PLAIN_CCXT"})
"""Variables that are no keys of the configuration."""


def valid_keys(table: Sequence[str]) -> list[str]:
    """Return every key that may stand in the table at this path, over all kinds of a union."""
    models: list[type[BaseModel]] = [Settings]
    for word in table:
        models = [found for model in models for found in _step(model, word)]
    return sorted({name for model in models for name in model.model_fields})


def _step(model: Any, word: str) -> list[Any]:
    if isinstance(model, _Named):
        return _models_in(model.value)
    field = model.model_fields.get(word)
    if field is None:
        return []
    annotation = field.annotation
    if typing.get_origin(annotation) is dict:
        return [_Named(typing.get_args(annotation)[1])]
    return _models_in(annotation)


class _Named:
    """A table whose keys are names that the operator chose; `value` is what each name holds."""

    model_fields: typing.ClassVar[dict[str, object]] = {}

    def __init__(self, value: object) -> None:
        self.value = value


def _models_in(annotation: object) -> list[Any]:
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        return _models_in(typing.get_args(annotation)[0])
    if origin in {typing.Union, types.UnionType}:
        return [found for part in typing.get_args(annotation) for found in _models_in(part)]
    return (
        [annotation] if isinstance(annotation, type) and issubclass(annotation, BaseModel) else []
    )
