"""Reader of herd7's `.litmus` files, and the lowering of litmus tests to programs.

A litmus test is a small concurrent program, an initial state, and a question about its final states. `parse` and `load`
return it as an immutable value; any error in a file is a `LitmusError`. Reading has two stages: character scans cut the
file into sections (`sections`), then grammars read them, one for the states (`state.lark`) and one for the assembly of
each architecture. `evaluate` and `verdict` answer the question for given states, as herd7 does.

The reader does not decide which instructions can be *run*.
"""

from simaie.litmus.errors import LitmusError
from simaie.litmus.evaluate import (
    Held,
    LitmusVerdict,
    evaluate,
    filter_locations,
    passes_filter,
    predicate,
    state_locations,
    verdict,
    verdict_of_counts,
)
from simaie.litmus.instruction import (
    ConditionCode,
    FenceOption,
    Immediate,
    Instruction,
    LabelRef,
    Memory,
    Operand,
    Register,
    RegisterList,
    Shift,
    ShiftedImmediate,
    ShiftedRegister,
    Symbol,
    SymbolicRegister,
)
from simaie.litmus.location import (
    Address,
    CodeLabel,
    CType,
    Global,
    InstructionWord,
    Location,
    RegisterOf,
    SymbolicName,
    Value,
)
from simaie.litmus.model import (
    Arch,
    Condition,
    InitItem,
    ListedLocation,
    LitmusTest,
    LitmusThread,
    Quantifier,
    Statement,
)
from simaie.litmus.proposition import And, Atom, Constant, Implies, Not, Or, Prop, Same, atoms
from simaie.litmus.reader import load, parse
from simaie.litmus.source import Position
from simaie.litmus.widths import type_bits, widths

__all__ = [
    "Address",
    "And",
    "Arch",
    "Atom",
    "CType",
    "CodeLabel",
    "Condition",
    "ConditionCode",
    "Constant",
    "FenceOption",
    "Global",
    "Held",
    "Immediate",
    "Implies",
    "InitItem",
    "Instruction",
    "InstructionWord",
    "LabelRef",
    "ListedLocation",
    "LitmusError",
    "LitmusTest",
    "LitmusThread",
    "LitmusVerdict",
    "Location",
    "Memory",
    "Not",
    "Operand",
    "Or",
    "Position",
    "Prop",
    "Quantifier",
    "Register",
    "RegisterList",
    "RegisterOf",
    "Same",
    "Shift",
    "ShiftedImmediate",
    "ShiftedRegister",
    "Statement",
    "Symbol",
    "SymbolicName",
    "SymbolicRegister",
    "Value",
    "atoms",
    "evaluate",
    "filter_locations",
    "load",
    "parse",
    "passes_filter",
    "predicate",
    "state_locations",
    "type_bits",
    "verdict",
    "verdict_of_counts",
    "widths",
]  # fmt: skip
