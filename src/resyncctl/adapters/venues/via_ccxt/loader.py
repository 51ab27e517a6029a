"""Import one exchange class of ccxt instead of two hundred.

`import ccxt.async_support` imports every synchronous and every asynchronous exchange class, which
costs more than everything else on the way to the first cancel. This module runs ccxt's own package
files without the statements that import single exchanges, and serves those classes on first use.

Promises: the class that is returned is the very class that a plain import gives; a name from the
configuration is looked up in ccxt's own list and never reaches an import unchecked; when ccxt does
not have the expected shape, or `RESYNCCTL_PLAIN_CCXT=1` is set, or ccxt is already imported, the
plain import is used. Called by `connect` and by nobody else.
"""

import ast
import difflib
import importlib
import os
import re
import sys
from collections.abc import Mapping
from functools import cache
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from resyncctl.core.errors import ConfigurationError

PLAIN_IMPORT_SWITCH = "RESYNCCTL_PLAIN_CCXT"
_LEAST_EXCHANGES = 50
_GONE: Mapping[str, str] = {
    "bitmex": "ccxt dropped BitMEX; no version that this tool is tested with can reach it",
    "ftx": "the exchange closed in November 2022",
    "gateio": "ccxt calls it 'gate' today",
    "huobi": "ccxt calls it 'htx' today",
    "okex": "ccxt calls it 'okx' today",
    "bittrex": "the exchange closed in December 2023",
}


@cache
def known_venues() -> frozenset[str]:
    """Return the ids of every exchange that the installed ccxt knows, without importing it.

    Raises:
        ConfigurationError: ccxt is not installed, or its list cannot be read.
    """
    spec = find_spec("ccxt")
    if spec is None or spec.origin is None:
        raise ConfigurationError(
            "the library ccxt is not installed", hint="install resyncctl with its dependencies"
        )
    text = Path(spec.origin).read_text(encoding="utf-8")
    found = re.search(r"^exchanges\s*=\s*(\[[^\]]*\])", text, flags=re.MULTILINE)
    names = ast.literal_eval(found.group(1)) if found else []
    if len(names) < _LEAST_EXCHANGES:
        raise ConfigurationError(
            "the installed ccxt does not list its exchanges where it used to",
            hint="install the version of ccxt that resyncctl pins",
        )
    return frozenset(names)


def check_venue(venue: str) -> str:
    """Return the venue id unchanged when ccxt knows it.

    Raises:
        ConfigurationError: It does not; the message names the nearest ids.
    """
    venues = known_venues()
    if venue in venues:
        return venue
    if venue in _GONE:
        raise ConfigurationError(
            f"{venue} is not available: {_GONE[venue]}", hint="choose another venue id"
        )
    near = difflib.get_close_matches(venue.lower(), sorted(venues), n=3, cutoff=0.5)
    hint = f"did you mean {', '.join(near)}?" if near else f"ccxt knows {len(venues)} exchanges"
    raise ConfigurationError(f"{venue!r} is not an exchange that ccxt knows", hint=hint)


def venue_class(venue: str) -> type[Any]:
    """Return ccxt's asynchronous class of the venue, importing as little else as possible.

    Raises:
        ConfigurationError: ccxt does not know the venue.
    """
    name = check_venue(venue)
    if "ccxt" not in sys.modules and os.environ.get(PLAIN_IMPORT_SWITCH) != "1":
        _install_lazy_packages()
    module = importlib.import_module(f"ccxt.async_support.{name}")
    found: type[Any] = getattr(module, name)
    return found


def ccxt_version() -> str:
    """Return the version of the ccxt package that `venue_class` imports from."""
    loaded = getattr(sys.modules.get("ccxt"), "__version__", None)
    if isinstance(loaded, str):
        return loaded
    from importlib.metadata import version

    return version("ccxt")


class _LazyPackage(ModuleType):
    """A package of ccxt whose exchange classes are imported when they are first asked for."""

    def __init__(self, name: str, exchanges: frozenset[str]) -> None:
        super().__init__(name)
        super().__setattr__("_lazy_exchanges", exchanges)

    def __getattr__(self, name: str) -> Any:
        if name in self.__dict__.get("_lazy_exchanges", ()):
            importlib.import_module(f"{self.__name__}.{name}")
            return self.__dict__[name]
        raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")

    def __setattr__(self, name: str, value: Any) -> None:
        # The import system binds the submodule under the name that must hold the class.
        if name in self.__dict__.get("_lazy_exchanges", ()) and isinstance(value, ModuleType):
            value = getattr(value, name, value)
        super().__setattr__(name, value)


def _install_lazy_packages() -> None:
    """Put the two lazy packages into `sys.modules`, or nothing at all when anything is odd."""
    before = set(sys.modules)
    try:
        for name in ("ccxt", "ccxt.async_support"):
            _run_package_without_exchanges(name)
    except Exception:  # noqa: BLE001  # whatever is odd about this ccxt, the plain import decides
        for name in set(sys.modules) - before:
            if name == "ccxt" or name.startswith("ccxt."):
                del sys.modules[name]


def _run_package_without_exchanges(name: str) -> None:
    spec = find_spec(name)
    if spec is None or spec.origin is None or spec.submodule_search_locations is None:
        raise ImportError(f"{name} is not a package")
    source = Path(spec.origin).read_text(encoding="utf-8")
    tree = ast.parse(source, filename=spec.origin)
    kept = [node for node in tree.body if not _imports_one_exchange(node, name)]
    if len(tree.body) - len(kept) < _LEAST_EXCHANGES:
        raise ImportError(f"{name} does not import its exchanges one by one")
    tree.body = kept
    module = _package_from(spec, name)
    sys.modules[name] = module
    exec(compile(tree, spec.origin, "exec"), module.__dict__)  # noqa: S102  # ccxt's own file
    parent, _, child = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], child, module)


def _package_from(spec: ModuleSpec, name: str) -> _LazyPackage:
    module = _LazyPackage(name, known_venues())
    module.__spec__ = spec
    module.__file__ = spec.origin
    module.__loader__ = spec.loader
    module.__package__ = name
    module.__path__ = list(spec.submodule_search_locations or ())
    return module


def _imports_one_exchange(node: ast.stmt, package: str) -> bool:
    if not isinstance(node, ast.ImportFrom) or node.module is None or len(node.names) != 1:
        return False
    prefix, _, last = node.module.rpartition(".")
    return prefix == package and last == node.names[0].name and last in known_venues()
