"""Where things live under the state directory, and how private folders are made.

Promises: folders are 0700 and files 0600 from the first moment; a folder outside the state
directory is used only when it belongs to this user, is not a symbolic link and is closed to
others; an account's name becomes a file name in exactly one way. Called by everything in this room.
"""

import errno
import hashlib
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from resyncctl.core.errors import RecordUnwritableError

DIRECTORY_MODE = 0o700
FILE_MODE = 0o600
JOURNAL_NAME = "journal.jsonl"
_NAME_MAX = 200


def runs_directory(state_dir: Path) -> Path:
    """Return where every run has its folder."""
    return state_dir / "runs"


def gate_copy(state_dir: Path, account: str) -> Path:
    """Return this host's own copy of an account's gate."""
    return state_dir / "gates" / f"{safe_name(account)}.json"


def lock_file(state_dir: Path, account: str) -> Path:
    """Return the file whose lock is the right to mutate an account."""
    return state_dir / "locks" / f"{safe_name(account)}.lock"


def store_file(state_dir: Path) -> Path:
    """Return the SQLite database."""
    return state_dir / "store.sqlite3"


def safe_name(name: str) -> str:
    """Given any text, return a file name that no other text gets.

    Letters, digits, `_`, `-` and inner dots stay; the rest is percent-encoded. A very long name is
    cut and gets a digest of the whole.
    """
    encoded = quote(name, safe="")
    if not encoded or encoded.startswith("."):
        encoded = f"%2E{encoded[1:]}" if encoded else "%00"
    if len(encoded) > _NAME_MAX:
        digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:16]
        return f"{encoded[:_NAME_MAX]}~{digest}"
    return encoded


def fallback_roots(state_dir: Path, environ: Mapping[str, str]) -> tuple[Path, ...]:
    """Return where a journal may go when the state directory cannot be written, best first.

    Two state directories of one user never share a fallback.
    """
    uid = os.geteuid()
    digest = hashlib.sha256(os.fsencode(state_dir.absolute())).hexdigest()[:12]
    roots = []
    runtime = environ.get("XDG_RUNTIME_DIR", "")
    if runtime and Path(runtime).is_absolute():
        roots.append(Path(runtime) / "resyncctl")
    roots += [Path(f"/dev/shm/resyncctl-{uid}"), Path(f"/tmp/resyncctl-{uid}")]  # noqa: S108  # made 0700 and checked for its owner by private_directory
    return tuple(root / digest for root in roots)


def is_private(path: Path) -> bool:
    """Whether a folder is a real one of this user that nobody else can write to."""
    try:
        status = os.lstat(path)
    except OSError:
        return False
    return (
        stat.S_ISDIR(status.st_mode)
        and status.st_uid == os.geteuid()
        and not stat.S_IMODE(status.st_mode) & 0o022
    )


def private_fallback(root: Path) -> None:
    """Make a fallback folder, or prove that no part of it that is ours was put there by others.

    Raises:
        RecordUnwritableError: It cannot be made or trusted.
    """
    for path in (root.parent, root):
        private_directory(path)
        if not is_private(path):
            raise RecordUnwritableError("the folder belongs to somebody else", place=str(path))


def private_directory(path: Path) -> None:
    """Make a folder that only its user can enter, with its parents, or prove that it is one.

    The superuser may use the folders of the user who owns the state directory, and what is made
    there is handed to that user: a cancel with sudo must not lock the user out afterwards.

    Raises:
        RecordUnwritableError: It cannot be made, belongs to somebody else, or is a symbolic link.
    """
    try:
        if not path.parent.exists():
            private_directory(path.parent)
        try:
            os.mkdir(path, DIRECTORY_MODE)
            hand_over(path, path.parent)
            sync_directory(path.parent)
        except FileExistsError:
            pass
        status = os.lstat(path)
        if not stat.S_ISDIR(status.st_mode) or os.geteuid() not in {0, status.st_uid}:
            raise RecordUnwritableError(
                "the folder is not a real folder of this user", place=str(path)
            )
        if stat.S_IMODE(status.st_mode) & 0o077:
            os.chmod(path, DIRECTORY_MODE)
    except OSError as trouble:
        raise unwritable(path, trouble) from trouble


def hand_over(made: int | Path, folder: Path) -> None:
    """Give what the superuser has just made to the user who owns the folder.

    Raises:
        OSError: It cannot be given away.
    """
    if os.geteuid() != 0:
        return
    owner = os.stat(folder)
    if owner.st_uid != 0:
        os.chown(made, owner.st_uid, owner.st_gid)


def sync_directory(path: Path) -> None:
    """Make the names in a folder durable.

    Raises:
        OSError: They are not known to be on disk.
    """
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    except OSError as trouble:
        # Some file systems cannot sync a folder and say so; their names are durable by other means.
        if trouble.errno not in {errno.EINVAL, errno.ENOTSUP}:
            raise
    finally:
        os.close(handle)


def unwritable(path: Path, trouble: OSError) -> RecordUnwritableError:
    """Return the operator's error for a path that cannot be written."""
    hint = "look at the permissions of the state directory"
    if trouble.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
        hint = "free some space; cancel-all goes on with a journal elsewhere"
    elif trouble.errno == errno.EROFS:
        hint = "the file system is read-only; set state_dir to a place that can be written"
    return RecordUnwritableError(
        f"cannot be written: {trouble.strerror or trouble}", place=str(path), hint=hint
    )
