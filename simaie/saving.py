"""Saving files: whole or not at all, and never in the place of something else.

A file is written under a name of its own beside its target, and then moved there. So a reader sees the old content or
the new one, and a full disk, an interrupt or a second writer leave no torn and no empty file. Of a process that is
killed outright a hidden file ``.simaie-*.part`` may stay, which nothing reads.

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

__all__ = ["make_folder", "name_part", "save_file", "save_new"]

# Windows lacks two of these flags, and needs one that the others lack.
_NOT_THROUGH_LINKS = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NOT_THROUGH_LINKS
_EXISTING = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | _NOT_THROUGH_LINKS
#: What `os.link` fails with where the file system has no hard links.
_NO_LINKS = (errno.EPERM, errno.EACCES, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)
_KINDS = ((stat.S_ISLNK, "a link"), (stat.S_ISDIR, "a folder"))


def save_file(path: str | os.PathLike[str], content: str | bytes) -> Path:
    """Write a file under a name that the user chose, in the place of a regular file that may be there.

    Folders that are missing are made. Of two writers of one name the last one's content stays, whole.

    Returns:
        The path.

    Raises:
        InputError: the file cannot be written, or the name is that of a link, a folder or a device.
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
    """Write a file under a name that nothing else has: the stem, a digest of the content, and the suffix.

    The same content in the same folder is one file, whoever writes it. If the name is taken by something else, a number
    is added to it.

    Args:
        folder: where; it is made if it is missing.
        stem: the beginning of the name; `name_part` makes text fit for it.
        suffix: its end, with the dot.
        content: text is written as UTF-8.

    Returns:
        The path of the file, which holds exactly `content`.

    Raises:
        InputError: the file cannot be written.
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
    """Make a folder for files; InputError, which says what is in the way, if that cannot be."""
    try:
        _made(folder)
    except (OSError, ValueError) as error:
        raise InputError(f"{folder}: cannot be made a folder for files: {_reason(error)}") from error


def name_part(text: str, length: int) -> str:
    """Return `text` as a part of a file's name: ASCII that no file system or shell minds, and not too long.

    Different texts may become the same part: a name needs a digest too.
    """
    return re.sub(r"[^A-Za-z0-9._=-]+", "_", text)[:length]


# -- inside --------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _explained(target: Path) -> Iterator[None]:
    """Turn what the system says into an InputError that names the file."""
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
    """The permissions of the regular file in this place; None if nothing is there."""
    try:
        mode = os.lstat(target).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    if not stat.S_ISREG(mode):
        what = next((words for test, words in _KINDS if test(mode)), "no regular file")
        raise InputError(f"{target}: cannot be written: it is {what}, which would be replaced; name another file")
    return stat.S_IMODE(mode)


def _data(content: str | bytes) -> bytes:
    return content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content


@contextlib.contextmanager
def _written_beside(target: Path, content: str | bytes) -> Iterator[Path]:
    """Yield a new file with this content in the folder of `target`; it is gone in the end, unless it was moved."""
    temporary = target.with_name(f".simaie-{secrets.token_hex(8)}.part")
    try:
        with open(os.open(temporary, _NEW, 0o666), "wb") as stream:
            stream.write(_data(content))
            stream.flush()
            os.fsync(stream.fileno())  # some file systems say only now that they are full
        yield temporary
    finally:
        with contextlib.suppress(OSError):
            os.unlink(temporary)


def _moved_to_free(temporary: Path, target: Path) -> bool:
    """Move a file to a name that is free; False if another writer has taken that name in the meantime."""
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
