"""Fetch the key of an account from where the configuration says that it is kept.

Sources: a file of mode 0600, environment variables, a command (argv, no shell), the desktop's
keyring, and systemd's `LoadCredential`. Promises: nothing that was read is ever part of a message,
of a representation, or of a pickle; a file that others can read, or that is a symbolic link or
belongs to somebody else, is refused; a command has a time limit. Called by wiring, once per account
and run, right before the connection is made.
"""

import importlib
import os
import stat
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Never, Protocol, TypeVar

from resyncctl.adapters.store.key_text import KEYS, KeyTextError, parse_key_text
from resyncctl.core.errors import ConfigurationError, CredentialsRefusedError

SIZE_MAX = 64 * 1024
COMMAND_TIMEOUT_S = 15.0
_SUFFICIENT = (frozenset({"api_key", "secret"}), frozenset({"wallet_address", "private_key"}))
_PUBLIC = frozenset({"uid", "wallet_address"})
_FORM = 'api_key = "..." and secret = "..."'

T = TypeVar("T")

KeyringReader = Callable[[str, str], str | None]
"""Given service and user name, returns what the keyring holds."""


class Reference(Protocol):
    """Where a key is kept; `settings.specs.CredentialReference` is one."""

    @property
    def source(self) -> str:
        """One of file, env, command, keyring, systemd."""
        ...

    @property
    def path(self) -> Path | None:
        """The file."""
        ...

    @property
    def api_key_variable(self) -> str | None:
        """The environment variable of the key."""
        ...

    @property
    def secret_variable(self) -> str | None:
        """The environment variable of the secret."""
        ...

    @property
    def password_variable(self) -> str | None:
        """The environment variable of the passphrase."""
        ...

    @property
    def argv(self) -> tuple[str, ...]:
        """The command."""
        ...

    @property
    def service(self) -> str | None:
        """The keyring's service name."""
        ...

    @property
    def username(self) -> str | None:
        """The keyring's user name."""
        ...

    @property
    def name(self) -> str | None:
        """The name of systemd's credential."""
        ...


class Credentials:
    """The key of one account. It shows itself only to who asks by `reveal`."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = dict(values)

    def reveal(self) -> dict[str, str]:
        """Return the parts by name: api_key, secret, password, uid, wallet_address, private_key."""
        return dict(self._values)

    def secrets(self) -> tuple[str, ...]:
        """Return every text that a redactor has to know; a user id or wallet address is none."""
        return tuple(value for name, value in self._values.items() if name not in _PUBLIC)

    def __repr__(self) -> str:
        return "Credentials(redacted)"

    def __format__(self, specification: str) -> str:
        return repr(self)

    def __reduce__(self) -> Never:
        raise TypeError("credentials are not written anywhere")


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the sources are read with; tests hand in their own."""

    environ: Mapping[str, str]
    keyring: KeyringReader | None = None
    command_timeout_s: float = COMMAND_TIMEOUT_S


def load_credentials(account: str, reference: Reference, surroundings: Surroundings) -> Credentials:
    """Fetch the key of an account.

    Raises:
        ConfigurationError: The reference leads nowhere, or to something that is no key.
        CredentialsRefusedError: A file is there, and others could have read or changed it.
    """
    place = f"accounts.{account}.credentials"
    match reference.source:
        case "env":
            values = _from_environment(reference, surroundings.environ, place)
        case "file":
            path = _needed(reference.path, "path", place)
            values = _parse(_read_file(path, others=0o077), str(path))
        case "systemd":
            path = _systemd_path(reference, surroundings.environ, place)
            values = _parse(_read_file(path, others=0o007, owners={0}), str(path))
        case "command":
            text = _run(reference.argv, surroundings.command_timeout_s, place)
            values = _parse(text, f"{place} (the output of {reference.argv[0]})")
        case "keyring":
            values = _parse(_from_keyring(reference, surroundings.keyring, place), place)
        case _:
            raise ConfigurationError("there is no such source of credentials", place=place)
    return _checked(values, place)


def _from_environment(
    reference: Reference, environ: Mapping[str, str], place: str
) -> dict[str, str]:
    variables = {
        "api_key": reference.api_key_variable,
        "secret": reference.secret_variable,
        "password": reference.password_variable,
    }
    values: dict[str, str] = {}
    for part, variable in variables.items():
        if variable is None:
            continue
        value = environ.get(variable, "").strip()
        if not value:
            raise ConfigurationError(
                f"the environment variable {variable} is not set or empty",
                place=f"{place}.{part}",
                hint="set it for this command, or keep the key in a file of mode 0600",
            )
        values[part] = value
    return values


def _read_file(path: Path, *, others: int, owners: frozenset[int] | set[int] = frozenset()) -> str:
    """Read a small file that nobody else can read; `others` are the forbidden permission bits."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as trouble:
        if path.is_symlink():
            raise CredentialsRefusedError(
                "the key file is a symbolic link, which is not followed",
                place=str(path),
                hint="name the file itself",
            ) from None
        raise ConfigurationError(
            f"the key file cannot be read: {trouble.strerror}",
            place=str(path),
            hint=f"make it with mode 0600; it holds {_FORM}",
        ) from None
    try:
        _demand_private(path, os.fstat(handle), others, {os.geteuid(), *owners})
        with os.fdopen(handle, "rb", closefd=False) as stream:
            data = stream.read(SIZE_MAX + 1)
    finally:
        os.close(handle)
    if len(data) > SIZE_MAX:
        raise ConfigurationError("the key file is too big to be one", place=str(path))
    return _decode(data, str(path))


def _demand_private(path: Path, status: os.stat_result, others: int, owners: set[int]) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise CredentialsRefusedError("the key file is not a regular file", place=str(path))
    if status.st_uid not in owners:
        raise CredentialsRefusedError(
            f"the key file belongs to user {status.st_uid}, not to the user of this command",
            place=str(path),
            hint=f"chown {os.geteuid()} {path}",
        )
    if stat.S_IMODE(status.st_mode) & others:
        raise CredentialsRefusedError(
            f"the key file has mode {stat.S_IMODE(status.st_mode):04o}: others can read it",
            place=str(path),
            hint=f"chmod 600 {path}, and change the key if others were logged in here",
        )


def _systemd_path(reference: Reference, environ: Mapping[str, str], place: str) -> Path:
    name = _needed(reference.name, "name", place)
    folder = environ.get("CREDENTIALS_DIRECTORY", "")
    if not folder:
        raise ConfigurationError(
            "systemd handed over no credentials: CREDENTIALS_DIRECTORY is not set",
            place=place,
            hint=f"add LoadCredential={name}:/path/to/key to the unit, and run it as that unit",
        )
    if "/" in name or name in {"", ".", ".."}:
        raise ConfigurationError(
            "the name of a credential is no path",
            place=f"{place}.name",
            hint="use the part before the colon of LoadCredential=",
        )
    return Path(folder) / name


def _run(argv: Sequence[str], timeout_s: float, place: str) -> str:
    if not argv:
        raise ConfigurationError("the command is empty", place=f"{place}.argv")
    hint = "run it by hand in the same shell and look at what it says"
    try:
        done = subprocess.run(  # noqa: S603  # the operator's own command, as argv and without a shell
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ConfigurationError(
            f"the command {argv[0]} gave no answer within {timeout_s:g} s",
            place=f"{place}.argv",
            hint=hint,
        ) from None
    except (OSError, ValueError) as trouble:
        words = trouble.strerror if isinstance(trouble, OSError) else "not a command"
        raise ConfigurationError(
            f"the command {argv[0]} cannot be run: {words}", place=f"{place}.argv", hint=hint
        ) from None
    if done.returncode != 0:
        raise ConfigurationError(
            f"the command {argv[0]} ended with {done.returncode}", place=f"{place}.argv", hint=hint
        )
    if len(done.stdout) > SIZE_MAX:
        raise ConfigurationError(
            f"the command {argv[0]} printed too much for a key", place=f"{place}.argv"
        )
    return _decode(done.stdout, f"{place} (the output of {argv[0]})")


def _from_keyring(reference: Reference, reader: KeyringReader | None, place: str) -> str:
    service = _needed(reference.service, "service", place)
    username = _needed(reference.username, "username", place)
    text = (reader or _ask_keyring)(service, username)
    if text is None:
        raise ConfigurationError(
            f"the keyring has nothing under {service} / {username}",
            place=place,
            hint=f"keyring set {service} {username}, and give it {_FORM} in one line of JSON",
        )
    return text


def _ask_keyring(service: str, username: str) -> str | None:
    """Ask the keyring library, which is not one of this program's dependencies."""
    hint = "install it beside resyncctl, or keep the key in a file of mode 0600"
    try:
        library = importlib.import_module("keyring")
        errors = importlib.import_module("keyring.errors")
    except ImportError:
        raise ConfigurationError("the keyring library is not installed", hint=hint) from None
    try:
        found = library.get_password(service, username)
    except (errors.KeyringError, RuntimeError) as trouble:
        raise ConfigurationError(
            f"the keyring cannot be asked: {type(trouble).__name__}", hint=hint
        ) from None
    return found if isinstance(found, str) else None


def _decode(data: bytes, place: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigurationError("the key is not text", place=place) from None


def _parse(text: str, place: str) -> dict[str, str]:
    try:
        return parse_key_text(text)
    except KeyTextError as trouble:
        raise ConfigurationError(
            str(trouble), place=place, hint=f"it holds {_FORM}, one per line"
        ) from None


def _checked(values: dict[str, str], place: str) -> Credentials:
    if not any(needed <= values.keys() for needed in _SUFFICIENT):
        missing = ", ".join(sorted(_SUFFICIENT[0] - values.keys()))
        raise ConfigurationError(
            f"the key is not complete: {missing} is missing",
            place=place,
            hint=f"it may hold {', '.join(KEYS)}",
        )
    return Credentials(values)


def _needed(value: T | None, name: str, place: str) -> T:
    if value is None:
        raise ConfigurationError(f"{name} is missing", place=f"{place}.{name}")
    return value
