"""Read the parts of a key from text: TOML, JSON, or NAME=VALUE lines.

Promises: an error says in which line, and never what stands there; a name that is not known is an
error, because a misspelt `secret` would otherwise be a missing one. Called by `credentials`.
"""

import json
import re
import tomllib
from collections.abc import Mapping

KEYS = ("api_key", "secret", "password", "uid", "wallet_address", "private_key")
_OTHER_NAMES = {
    "apikey": "api_key",
    "key": "api_key",
    "apisecret": "secret",
    "secretkey": "secret",
    "passphrase": "password",
    "walletaddress": "wallet_address",
    "wallet": "wallet_address",
    "privatekey": "private_key",
}
_LINE = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*?)\s*")


class KeyTextError(Exception):
    """The text is no key. The message never quotes it."""


def parse_key_text(text: str) -> dict[str, str]:
    """Return the parts of the key by their names in `KEYS`.

    Raises:
        KeyTextError: The text has another form, an unknown name, or an empty value.
    """
    if not text.strip():
        raise KeyTextError("the key is empty")
    if text.lstrip().startswith("{"):
        return _named(_json(text))
    try:
        return _named(tomllib.loads(text))
    except tomllib.TOMLDecodeError:
        return _named(_lines(text))


def _json(text: str) -> Mapping[str, object]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise KeyTextError("the key is not valid JSON") from None
    if not isinstance(value, dict):
        raise KeyTextError("the key is not a JSON object")
    return value


def _lines(text: str) -> Mapping[str, object]:
    found: dict[str, object] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            raise KeyTextError(f"line {number} is not of the form name = value")
        name, value = match.groups()
        if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
            value = value[1:-1]
        if name in found:
            raise KeyTextError(f"line {number} gives a name for the second time")
        found[name] = value
    return found


def _named(values: Mapping[str, object]) -> dict[str, str]:
    named: dict[str, str] = {}
    for position, (name, value) in enumerate(values.items(), start=1):
        known = _known(name)
        if known is None:
            raise KeyTextError(f"name {position} is not one of {', '.join(KEYS)}")
        if known in named:
            raise KeyTextError(f"{known} is given twice")
        if not isinstance(value, str) or not value.strip():
            raise KeyTextError(f"{known} is not a text, or is empty")
        named[known] = value.strip()
    return named


def _known(name: str) -> str | None:
    plain = name.lower()
    if plain in KEYS:
        return plain
    return _OTHER_NAMES.get(plain.replace("_", ""))
