"""Read the configuration file: the only way from TOML and environment to core values.

Promises: every mistake becomes one `ConfigurationError` with file and line (or the variable's
name), the nearest valid key and what to write instead; the value that was found is never shown.
Called by the command line's wiring and by `config check`.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from resyncctl.core.errors import ConfigurationError
from resyncctl.settings import complain
from resyncctl.settings.convert import to_configuration
from resyncctl.settings.locate import KeyPath, key_lines
from resyncctl.settings.models import Settings
from resyncctl.settings.specs import Configuration


@dataclass(frozen=True, slots=True)
class Source:
    """A configuration file as it was read: its text's key lines and its tree."""

    path: Path
    tree: Mapping[str, Any]
    lines: Mapping[KeyPath, int]


def read_source(path: Path) -> Source:
    """Read and parse the file.

    Raises:
        ConfigurationError: It is missing, unreadable or no valid TOML.
    """
    try:
        text = path.read_bytes().decode()
    except FileNotFoundError:
        raise ConfigurationError(
            "there is no configuration file",
            place=str(path),
            hint="run `resyncctl init` to write one, or name one with --config",
        ) from None
    except UnicodeDecodeError:
        raise ConfigurationError(
            "the configuration file is not UTF-8 text", place=str(path)
        ) from None
    except OSError as trouble:
        raise ConfigurationError(
            f"the configuration file cannot be read: {trouble.strerror}", place=str(path)
        ) from None
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as trouble:
        raise complain.about_syntax(path, text, trouble) from None
    return Source(path=path.absolute(), tree=tree, lines=key_lines(text))


def read_settings(source: Source) -> Settings:
    """Validate the tree together with the environment.

    Raises:
        ConfigurationError: A key is unknown or a value does not fit.
    """
    try:
        return Settings(**source.tree)
    except ValidationError as trouble:
        raise complain.about_values(source.path, source.lines, trouble) from None


def load(path: Path, environ: Mapping[str, str]) -> Configuration:
    """Return the configuration of the file and of the `RESYNCCTL_*` variables.

    Raises:
        ConfigurationError: Something cannot be used as it stands; the message names the place.
    """
    source = read_source(path)
    configuration = to_configuration(read_settings(source), source.path, source.lines, environ)
    strangers = tuple(complain.about_variables(environ))
    return replace(configuration, warnings=(*configuration.warnings, *strangers))
