"""Saving files completely or not at all, without replacing anything by mistake.

A file is written under a temporary name in the folder of its target, and then moved to its target. A reader therefore
sees the old content or the new one. A full disk, an interrupt or a second writer leaves no partial and no empty file. A
process that is killed may leave a hidden file ``.simaie-*.part``, which nothing reads.

`save_file` is for a name that the user chose: it replaces a regular file, and refuses links, folders and devices.
`save_new` is for a name that simaie makes up: it replaces nothing.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import stat
from collections.abc import Iterator
from hashlib import blake2b
from itertools import count
from pathlib import Path

from simaie.errors import InputError

__all__ = ["make_folder", "name_part", "require_parent", "save_file", "save_new"]

# Windows lacks two of these flags, and needs one that other systems lack.
_NOT_THROUGH_LINKS = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NOT_THROUGH_LINKS
_EXISTING = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | _NOT_THROUGH_LINKS
#: The errors of `os.link` on a file system without hard links.
_NO_LINKS = (errno.EPERM, errno.EACCES, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)
_KINDS = ((stat.S_ISLNK, "a link"), (stat.S_ISDIR, "a folder"))


def save_file(path: str | os.PathLike[str], content: str | bytes) -> Path:
    """Write a file under a name that the user chose; it replaces a regular file of this name.

    Missing folders are made. If two writers use one name, the complete content of the last one stays.

    Returns:
        The path.

    Raises:
        InputError: The file cannot be written, or a link, a folder or a device has this name.
    """
    target = Path(path)
    with _explained(target):
        mode = _replaceable_mode(target)
        _made(target.parent)
        with _written_beside(target, content) as temporary:
            if mode is not None:
                os.chmod(temporary, mode)
            os.replace(temporary, target)
    return target


def save_new(folder: str | os.PathLike[str], stem: str, suffix: str, content: str | bytes) -> Path:
    """Write a file under an unused name: the stem, a digest of the content, and the suffix.

    If two callers write the same content to the same folder, they write one file. If another file has the name, a
    number is added to it.

    Args:
        folder: The folder of the file, which is made if it is missing.
        stem: The beginning of the name; `name_part` turns text into a part of a name.
        suffix: The end of the name, with the dot.
        content: The content; text is written as UTF-8.

    Returns:
        The path of the file, which holds exactly `content`.

    Raises:
        InputError: The file cannot be written.
    """
    data = _data(content)
    name = f"{stem}-{blake2b(data, digest_size=4).hexdigest()}"
    place = Path(folder)
    with _explained(place / (name + suffix)):
        _made(place)
        for number in count(1):
            target = place / (f"{name}-{number}{suffix}" if number > 1 else name + suffix)
            if _is_taken(target):
                if _holds(target, data):
                    return target
                continue
            with _written_beside(target, data) as temporary:
                if _moved_to_free(temporary, target) or _holds(target, data):
                    return target
    raise AssertionError("the numbers have no end")


def make_folder(folder: Path) -> None:
    """Make a folder for files; InputError, with the reason, if it cannot be made."""
    try:
        _made(folder)
    except (OSError, ValueError) as error:
        raise InputError(f"{folder}: the folder cannot be made: {_reason(error)}") from error


def require_parent(path: Path) -> None:
    """Raise InputError if the folder of `path` does not exist.

    A path on a command line with an unknown folder is usually a mistake, so that a command makes no such folder.
    """
    if not os.path.lexists(path.parent):
        raise InputError(f"{path}: there is no folder {path.parent}; make it first, or name another one")


def name_part(text: str, length: int) -> str:
    """Return `text` as a part of a file's name, of ASCII characters that are safe on file systems and in shells.

    Different texts may become the same part, so a name needs a digest too. It has at most `length` characters.
    """
    return re.sub(r"[^A-Za-z0-9._=-]+", "_", text)[:length]


# -- inside --------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _explained(target: Path) -> Iterator[None]:
    """Turn an error of the system into an InputError that names the file."""
    try:
        yield
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        raise InputError(f"{target}: cannot be written: {_reason(error)}") from error


def _made(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise OSError(errno.ENOTDIR, f"{folder} is, or is below, something that is no folder") from error


def _reason(error: OSError | ValueError) -> str:
    return getattr(error, "strerror", None) or str(error)


def _replaceable_mode(target: Path) -> int | None:
    """Return the permissions of the regular file at this path; None if there is no file."""
    try:
        mode = os.lstat(target).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    if not stat.S_ISREG(mode):
        what = next((words for test, words in _KINDS if test(mode)), "no regular file")
        raise InputError(f"{target}: cannot be written: it is {what}, which is never replaced; name another file")
    return stat.S_IMODE(mode)


def _data(content: str | bytes) -> bytes:
    return content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content


@contextlib.contextmanager
def _written_beside(target: Path, content: str | bytes) -> Iterator[Path]:
    """Yield a new file with this content in the folder of `target`; delete it at the end, unless it was moved."""
    temporary = target.with_name(f".simaie-{secrets.token_hex(8)}.part")
    try:
        with open(os.open(temporary, _NEW, 0o666), "wb") as stream:
            stream.write(_data(content))
            stream.flush()
            os.fsync(stream.fileno())  # some file systems report only here that they are full
        yield temporary
    finally:
        with contextlib.suppress(OSError):
            os.unlink(temporary)


def _moved_to_free(temporary: Path, target: Path) -> bool:
    """Move a file to an unused name; return False if another writer has used that name in the meantime."""
    try:
        try:
            os.link(temporary, target)  # unlike a move it fails if the name is taken
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            _reserve_and_replace(temporary, target)
    except FileExistsError:
        return False
    return True


def _reserve_and_replace(temporary: Path, target: Path) -> None:
    os.close(os.open(target, _NEW, 0o666))
    try:
        os.replace(temporary, target)
    except BaseException:
        os.unlink(target)
        raise


def _is_taken(target: Path) -> bool:
    try:
        os.lstat(target)
    except FileNotFoundError:
        return False
    return True


def _holds(target: Path, data: bytes) -> bool:
    """Whether a regular file has exactly this content."""
    try:
        with open(os.open(target, _EXISTING), "rb") as stream:
            facts = os.fstat(stream.fileno())
            return stat.S_ISREG(facts.st_mode) and facts.st_size == len(data) and stream.read() == data
    except OSError:  # a link, or something that cannot be opened
        return False
