"""The tables of a store, and how a store is opened.

A store is one SQLite file. Its `application_id` says that it is a store, and its `user_version` is that of the tables.
Readers and one writer can have it open at the same time (WAL). A writer that is killed leaves the last transaction that
it completed; SQLite cleans up when the file is opened next.

A second coordinator is kept out by a lock on another SQLite file next to the store. The operating system drops the lock
when the process ends, however it ends, so that no lock is ever left behind.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from simaie.campaign.sketch import Sketch
from simaie.errors import InputError, UsageError

__all__ = ["VERSION", "explained", "is_locked", "lock", "open_store", "transaction", "undamaged"]

#: The version of the tables.
VERSION: Final = 3
#: By version, the statements that turn a store of this version into one of the next.
_MIGRATIONS: Final = {
    1: """
ALTER TABLE units ADD COLUMN handoffs BLOB NOT NULL DEFAULT x'';
ALTER TABLE units ADD COLUMN test TEXT NOT NULL DEFAULT '';
CREATE TABLE drawn (test TEXT NOT NULL, choices BLOB NOT NULL, handoffs BLOB NOT NULL, PRIMARY KEY (test, choices))
    WITHOUT ROWID;
""",
    2: """
ALTER TABLE units ADD COLUMN covered INTEGER NOT NULL DEFAULT 0;
ALTER TABLE growth ADD COLUMN handoffs INTEGER NOT NULL DEFAULT 0;
ALTER TABLE findings ADD COLUMN run INTEGER NOT NULL DEFAULT 0;
""",
}
_APPLICATION: Final = 0x53494D41  # "SIMA"
#: The time to wait for another process that writes, in seconds.
_WAIT_SECONDS = 30.0
#: The time to wait for the lock, in seconds: a process that asks for it holds it for an instant.
_PATIENCE_SECONDS = 1.0

#: The tables of version 1.
_TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE units (
    number INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    spec BLOB NOT NULL,
    planned INTEGER NOT NULL DEFAULT 1,
    state TEXT NOT NULL DEFAULT 'open',
    problem TEXT NOT NULL DEFAULT '',
    shards INTEGER NOT NULL DEFAULT 0,
    next INTEGER NOT NULL DEFAULT 0,
    marked INTEGER NOT NULL DEFAULT 0,
    executions INTEGER NOT NULL DEFAULT 0,
    failing INTEGER NOT NULL DEFAULT 0,
    unlisted INTEGER NOT NULL DEFAULT 0,
    steps INTEGER NOT NULL DEFAULT 0,
    seconds REAL NOT NULL DEFAULT 0,
    flaw TEXT NOT NULL DEFAULT '',
    left BLOB,
    whole INTEGER NOT NULL DEFAULT 0,
    sketch BLOB NOT NULL DEFAULT x'',
    traces INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE shards (
    unit INTEGER NOT NULL,
    shard INTEGER NOT NULL,
    result BLOB NOT NULL,
    PRIMARY KEY (unit, shard)
) WITHOUT ROWID;
CREATE TABLE findings (
    finding TEXT NOT NULL,
    unit INTEGER NOT NULL,
    signature TEXT NOT NULL,
    text TEXT NOT NULL,
    kinds TEXT NOT NULL,
    scheme TEXT NOT NULL,
    count INTEGER NOT NULL,
    first_shard INTEGER NOT NULL,
    first_index INTEGER NOT NULL,
    seen REAL NOT NULL,
    length INTEGER NOT NULL,
    shard INTEGER NOT NULL,
    idx INTEGER NOT NULL,
    summary TEXT NOT NULL,
    command TEXT NOT NULL,
    witness BLOB,
    PRIMARY KEY (finding, unit)
) WITHOUT ROWID;
CREATE TABLE runs (
    number INTEGER PRIMARY KEY,
    began REAL NOT NULL,
    active REAL NOT NULL DEFAULT 0,
    ending TEXT NOT NULL DEFAULT '',
    version TEXT NOT NULL,
    python TEXT NOT NULL,
    revision TEXT NOT NULL,
    workers TEXT NOT NULL
);
CREATE TABLE growth (
    active REAL NOT NULL,
    executions INTEGER NOT NULL,
    traces INTEGER NOT NULL,
    findings INTEGER NOT NULL
);
"""


def open_store(path: Path, *, create: bool = False, read_only: bool = False) -> sqlite3.Connection:
    """Open a store.

    Args:
        path: The file.
        create: Whether to make the store if the file does not exist.
        read_only: Whether nothing will be written.

    Raises:
        InputError: The file cannot be opened, is no store, or is a store of a newer version. One of an older version is
            brought to this version.
    """
    exists = os.path.lexists(path)
    if not exists and not create:
        raise InputError(f"{path}: there is no such store; make one with: simaie campaign run ... --store {path}")
    if exists and not path.is_file():
        raise InputError(f"{path}: it is no regular file, and so no store; name another one")
    with explained(path):
        connection = _connect(path, "ro" if read_only else "rwc" if create else "rw")
        try:
            if create and (not exists or path.stat().st_size == 0):
                _make(connection)
            if _version(connection, path) != VERSION:
                with contextlib.closing(_connect(path, "rw")) as writer, undamaged(path):
                    _migrate(writer, path)
            connection.execute("PRAGMA synchronous = NORMAL")
        except BaseException:
            connection.close()
            raise
    return connection


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    uri = f"{path.resolve().as_uri()}?mode={mode}"
    return sqlite3.connect(uri, uri=True, timeout=_WAIT_SECONDS, isolation_level=None)


def _make(connection: sqlite3.Connection) -> None:
    """Make the tables, unless another process has made them in the meantime."""
    connection.execute("PRAGMA journal_mode = WAL")
    with transaction(connection):
        if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            _run_all(connection, _TABLES)
            connection.execute(f"PRAGMA application_id = {_APPLICATION}")
            connection.execute("PRAGMA user_version = 1")
            _upgrade(connection)


def _version(connection: sqlite3.Connection, path: Path) -> int:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if application != _APPLICATION:
        raise InputError(f"{path}: it is a database, but no store of campaigns; name another file")
    if version != VERSION and version not in _MIGRATIONS:
        raise InputError(
            f"{path}: it is a store of version {version}, and this simaie reads versions up to {VERSION}; use the "
            "newer simaie that wrote it, or begin another store"
        )
    return version


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Bring a store to this version, in one transaction."""
    with transaction(connection):
        if _version(connection, path) != VERSION:  # another process may have done it
            _upgrade(connection)


def _upgrade(connection: sqlite3.Connection) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    for former in range(version, VERSION):
        _run_all(connection, _MIGRATIONS[former])
    for number, handoffs in connection.execute("SELECT number, handoffs FROM units").fetchall():
        connection.execute("UPDATE units SET covered = ? WHERE number = ?", (Sketch.read(handoffs).traces, number))
    connection.execute(f"PRAGMA user_version = {VERSION}")


def _run_all(connection: sqlite3.Connection, statements: str) -> None:
    for statement in filter(str.strip, statements.split(";")):
        connection.execute(statement)


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Return a context that is one transaction: it happens completely, or not at all."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # a full disk has ended it already
            connection.execute("ROLLBACK")
        raise


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn an error of SQLite into an InputError that says what to do."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        reason, lower = str(error), str(error).lower()
        if "full" in lower or "disk i/o" in lower:
            advice = f"make room; everything that was done is safe: simaie campaign resume {path}"
        elif "not a database" in lower or "malformed" in lower:
            advice = "it is no store, or it is damaged; name another file"
        elif "locked" in lower:
            advice = "another process writes to it; try again later"
        else:
            advice = "check the file and its folder"
        raise InputError(f"{path}: the store cannot be used: {reason}; {advice}") from error


@contextlib.contextmanager
def undamaged(path: Path) -> Iterator[None]:
    """Turn values of a store that have another form into an InputError."""
    try:
        yield
    except msgspec.MsgspecError as error:
        raise InputError(f"{path}: the store is damaged, or was not written by simaie: {error}") from error


@contextlib.contextmanager
def lock(path: Path) -> Iterator[None]:
    """Return a context in which this process is the only coordinator of the store at `path`.

    Raises:
        UsageError: Another process is.
    """
    place = _place_of_lock(path)
    with explained(place):
        holder = sqlite3.connect(place, timeout=_PATIENCE_SECONDS, isolation_level=None)
    try:
        holder.execute("BEGIN EXCLUSIVE")
    except sqlite3.DatabaseError as error:
        holder.close()
        if "locked" not in str(error):
            raise InputError(f"{place}: the store cannot be locked: {error}") from error
        raise UsageError(
            f"{path}: another process runs a campaign with this store; wait for it, end it, or use another --store"
        ) from error
    try:
        yield
    finally:
        holder.close()


def is_locked(path: Path) -> bool:
    """Whether a coordinator works with the store at `path`."""
    place = _place_of_lock(path)
    if not place.exists():
        return False
    with explained(place):
        reader = sqlite3.connect(place, timeout=0, isolation_level=None)
    try:
        reader.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.DatabaseError as error:
        return "locked" in str(error)
    finally:
        reader.close()
    return False


def _place_of_lock(path: Path) -> Path:
    return path.with_name(path.name + "-lock")
