"""The ELF file of a scheme's helpers in a replay file, so that the failure replays without it."""

from __future__ import annotations

import hashlib
import os
import zlib
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from simaie.binary.file import CarriedPath, read_elf
from simaie.errors import InputError, ReplayError
from simaie.plugins import Spec
from simaie.replaying.binary_record import MOST_CARRIED, carried

if TYPE_CHECKING:
    from simaie.machine import Machine

__all__ = ["HelperRecord", "helper_record", "with_helpers"]


class HelperRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The ELF file that an option of the scheme names.

    Attributes:
        option: The option.
        digest: The digest of the content of the file.
        source: Its path, relative to the replay file.
        content: Its content, compressed by zlib; None if it has more than 256 kB.
    """

    option: str
    digest: str
    source: str
    content: bytes | None = None


def helper_record(machine: Machine, base: Path) -> HelperRecord | None:
    """Return the ELF file of the scheme's helpers as data; None if the scheme has none, or the file is gone.

    Args:
        machine: The machine.
        base: The folder to which paths are relative.
    """
    option: str | None = getattr(machine.scheme_class, "elf_option", None)
    path = machine.named_scheme.options.get(option) if option and machine.named_scheme else None
    if option is None or not isinstance(path, str):
        return None
    from simaie.binary.helper import content_of  # with what reads and translates machine code

    with suppress(InputError):
        content = content_of(path)
        packed = zlib.compress(content, 9) if len(content) <= MOST_CARRIED else None
        relative = os.path.relpath(Path(path).resolve(), base.resolve())
        return HelperRecord(option, _digest(content), relative, packed)
    return None


def with_helpers(spec: Spec, record: HelperRecord | None, base: Path) -> Spec:
    """Return a scheme with the recorded helpers: those of the file if it is unchanged, else the carried ones.

    Args:
        spec: The recorded scheme.
        record: The ELF file as data; None if the replay file has none.
        base: The folder of the replay file.

    Raises:
        ReplayError: The file is not carried, and is gone or has changed.
    """
    named = spec.options.get(record.option) if record else None
    if record is None or not isinstance(named, str):
        return spec
    for path in (Path(named), Path(os.path.normpath(base / record.source))):
        with suppress(InputError):
            if _digest(read_elf(path)) == record.digest:
                return Spec(spec.name, {**spec.options, record.option: str(path)})
    if record.content is None:
        raise ReplayError(
            f"the replay file needs {named}, the helpers of the scheme, which are too large to carry; the file is gone "
            "or has changed"
        )
    content = carried(record.content)
    if _digest(content) != record.digest:
        raise ReplayError("the helpers of the scheme in the replay file do not have the recorded digest")
    return Spec(spec.name, {**spec.options, record.option: CarriedPath(named, content)})


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()
