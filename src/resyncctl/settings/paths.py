"""Where the configuration, the records and the caches live, after the XDG rules.

Promises: no path is created here, and every choice is a pure function of the environment that is
handed in. systemd's own directories win over XDG, an explicit `RESYNCCTL_*` variable wins over all.
Called by `settings.load` and by the command line before any configuration exists.
"""

from collections.abc import Mapping
from pathlib import Path

FILE_NAME = "resyncctl.toml"
SYSTEM_FILE = Path("/etc/resyncctl") / FILE_NAME


def home(environ: Mapping[str, str]) -> Path:
    """Return the operator's home directory."""
    return Path(environ["HOME"]) if environ.get("HOME") else Path.home()


def _xdg(environ: Mapping[str, str], name: str, fallback: str) -> Path:
    value = environ.get(name, "")
    # The specification says that a relative path must be ignored.
    if value and Path(value).is_absolute():
        return Path(value)
    return home(environ) / fallback


def configuration_file(environ: Mapping[str, str]) -> Path:
    """Return the configuration file to use when the command line names none.

    `RESYNCCTL_CONFIG` first, then the operator's own file; the one of the system only when the
    operator has none.
    """
    if environ.get("RESYNCCTL_CONFIG"):
        return expand(environ["RESYNCCTL_CONFIG"], Path.cwd(), environ)
    own = _xdg(environ, "XDG_CONFIG_HOME", ".config") / "resyncctl" / FILE_NAME
    if not own.exists() and SYSTEM_FILE.exists():
        return SYSTEM_FILE
    return own


def state_directory(environ: Mapping[str, str]) -> Path:
    """Return where journals, the store, the gate files and the locks are kept."""
    if environ.get("STATE_DIRECTORY"):
        return Path(environ["STATE_DIRECTORY"].split(":")[0])
    return _xdg(environ, "XDG_STATE_HOME", ".local/state") / "resyncctl"


def cache_directory(environ: Mapping[str, str]) -> Path:
    """Return where market tables are kept. Losing it costs time and nothing else."""
    if environ.get("CACHE_DIRECTORY"):
        return Path(environ["CACHE_DIRECTORY"].split(":")[0])
    return _xdg(environ, "XDG_CACHE_HOME", ".cache") / "resyncctl"


def expand(text: str, base: Path, environ: Mapping[str, str]) -> Path:
    """Given a path as an operator writes it, return it absolute.

    `~/` is the operator's home; a relative path starts at `base`, the folder of the file that
    names it, so that a command gives the same result from every directory.
    """
    if text == "~" or text.startswith("~/"):
        return home(environ) / text[2:]
    path = Path(text)
    return path if path.is_absolute() else base / path
