"""The initial state and the question are read item by item, and that is the same as to read them as a whole."""

from __future__ import annotations

import pytest

from simaie.litmus import LitmusError, LitmusTest, parse, state

TEST = """AArch64 T
{{{init}}}
 P0          ;
 LDR W0,[X1] ;
 L:          ;
{final}
"""
INITS = [
    "0:X1=x;",
    "0:X1=x",
    " 0:X1=x ;; uint64_t y = 3 ;\n int t[2]={1,-1}; *z;",
    "0:X1\n=\nx; int *p=&z;",
    '0:X1=label:"P0:L";',
    '0:X1=label:"P0;L"',
    "x=1;\u00a0",
    "x=1;\v",
    "x=1 y=2;",
    "0:R1=x;",
    ";",
    f"{'x' * 100}=1",
]
FINALS = [
    "exists (0:X0=1)",
    "exists\n( 0:X0=1 /\\ x=2\n /\\ [y]=0x3)",
    "~exists (0:X0=1:X0 /\\ x<>2)",
    "~ exists (x=2)",
    "forall 0:X0=1 /\\ x=2",
    "forall",
    "exists (true /\\ x=2)",
    "exists (x=1 \\/ y=2)",
    "exists (x=1 /\\ (y=2 \\/ y=3))",
    "exists (x=1 /\\ )",
    "exists (x=1 /\\ 0:R1=1)",
    "exists (x=1) with tso: ~exists",
    "locations [x; 0:X0; y int*;] exists (x=1)",
    "locations [] exists (x=1)",
    "locations [x;;y] exists (x=1)",
    "locations [;] exists (x=1)",
    "locations [x exists] exists (x=1)",
    "locations [0:X0;0:X2]",
    "filter x=1 exists (y=1)",
    "exists (x=1\u00a0)",
    f"exists ({'x' * 100}=1)",
]


def read(init: str, final: str) -> LitmusTest | str:
    """Return the test, or the message of its error."""
    try:
        return parse(TEST.format(init=init, final=final))
    except LitmusError as error:
        return str(error)


@pytest.mark.parametrize(("init", "final"), [(each, "") for each in INITS] + [("", each) for each in FINALS])
def test_an_item_is_read_as_within_the_whole(init, final, monkeypatch):
    """With its position, and with the place of an error; and also when it comes from the cache."""
    found = [read(init, final) for _ in range(2)]
    monkeypatch.setattr(state, "_item", lambda arch, text: None)
    monkeypatch.setattr(state, "_usual", lambda arch, source, span: None)
    whole = read(init, final)
    assert found == [whole, whole]


def test_an_architecture_has_its_own_registers():
    """Though the grammar is one for all, and the items are kept."""
    text = "{arch} T\n{{0:{register}=x}}\n P0 ;\n    ;\nexists (0:{register}=1)"
    assert parse(text.format(arch="AArch64", register="X0")).init[0].location.register == "X0"
    assert parse(text.format(arch="RISCV", register="x10")).init[0].location.register == "x10"
    with pytest.raises(LitmusError, match="no register of RISCV"):
        parse(text.format(arch="RISCV", register="X99"))
