"""Programs as data in a readable text, one column for each vCPU, as litmus tests have them:

    program "taken back"
    isa arm
    init 0x100 = 5

    P0                   | P1
    r0 = ldrex 0x100     | str_ 0x100, 7
    r1 = strex 0x100, 6  | str_ 0x100, 5

A cell is one instruction as `simaie.ins` takes it: the register that gets the result, the mnemonic, its operands, then
its options (``width=2``). A register whose name is not a plain word is written in double quotes, as in JSON, and so is
any other text. A row is not a step: the schedule decides which vCPU runs when. ``init 0x100 : 8 = 5`` has a width of 8
bytes, and ``init 0x100 = bytes "00ff"`` initialises single bytes. Outcomes show the locations that ``init`` names,
unless ``watch 0x100 : 4`` names others, or ``watch none`` leaves all of them out. ``check "serializability"`` adds a
checker. ``#`` begins a comment. ``spawn L`` starts a thread that runs the same column from ``label L`` on, and ``exit``
ends a thread.

What is written is read back as the same program, to the digest. Functions (a final check, a device, guest code that is
no list) are no data and have no text.
"""

from typing import TYPE_CHECKING

from simaie.guest.text.writing import SUFFIX, is_data, program_code, program_text
from simaie.lazy import lazy_names

if TYPE_CHECKING:
    from simaie.guest.text.reading import parse_program, read_program

__all__ = ["SUFFIX", "is_data", "parse_program", "program_code", "program_text", "read_program"]

# The parser and its grammar take longer to import than to run.
__getattr__, __dir__ = lazy_names(
    __name__, dict.fromkeys(("parse_program", "read_program"), "simaie.guest.text.reading")
)
