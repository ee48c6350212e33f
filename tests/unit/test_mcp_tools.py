"""The tools for assistants: what commands they mean, what they return, and how misuse shows."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from simaie.cli.mcp_tools import Explained, tools
from simaie.cli.status import Status, run
from simaie.errors import UsageError

RACE = "first-registration-window"


def test_a_call_means_a_command_line_whose_target_is_no_option() -> None:
    argv = tools()["explore"].argv({"target": "--trust", "scheme": "cas", "seed": 3, "checker": ["a", "b"]})
    assert argv == [
        "explore", "--format", "json", "--scheme=cas", "--seed=3", "--seconds=60.0", "--checker=a", "--checker=b", "--",
        "--trust",
    ]  # fmt: skip
    assert tools()["matrix"].argv({"class": ["store"]}) == ["matrix", "--format", "json", "--class=store"]
    assert tools()["barriers"].argv({"target": "x", "host": "tso", "places": True})[3:5] == ["--host=tso", "--places"]


@pytest.mark.parametrize(
    ("tool", "given", "problem"),
    [("explore", {}, "target"), ("explore", {"target": "x", "trust": True}, "trust"),
     ("compare", {"target": "x", "seconds": 0}, "seconds"), ("barriers", {"target": "x"}, "host"),
     ("replay", {"file": 7}, "file"), ("matrix", {"host": "sc"}, "host")],
)  # fmt: skip
def test_a_wrong_argument_is_one_error_that_names_it(tool: str, given: dict[str, Any], problem: str) -> None:
    with pytest.raises(UsageError, match=f"^{tool}: .*{problem}"):
        tools()[tool].argv(given)


def test_each_tool_describes_its_arguments_and_its_result() -> None:
    for tool in tools().values():
        assert tool.description.endswith(".")
        assert (tool.input["type"], tool.output["type"]) == ("object", "object")
        assert not tool.place or tool.place in tool.input["required"]
        assert tool.input["additionalProperties"] is False


def test_without_the_package_the_command_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "mcp.server.lowlevel", None)
    monkeypatch.delitem(sys.modules, "simaie.cli.mcp_server", raising=False)
    assert run(["mcp"]) == Status.ERROR
    assert "simaie[mcp]" in capsys.readouterr().err


@pytest.mark.untraced
@pytest.mark.filterwarnings("default")  # of the package
def test_a_client_explores_and_has_a_failure_explained(tmp_path: Path) -> None:
    """The results fit the schemas that the server has sent: the client of the package checks that."""
    pytest.importorskip("mcp", reason="the package mcp is an optional extra: pip install 'simaie[mcp]'")
    import anyio
    from mcp import Client

    from simaie.cli.mcp_server import make_server

    async def talk() -> list[Any]:
        async with Client(make_server()) as client:
            listed = await client.list_tools()
            given = {"target": RACE, "scheme": "aie-rfc", "executions": 40, "save": str(tmp_path / "found")}
            explored = await client.call_tool("explore", given)
            (file,) = explored.structured_content["saved"]
            explained = await client.call_tool("explain", {"file": file})
            wrong = [await client.call_tool(*each) for each in (("explore", {"target": "nothing"}), ("mine", {}))]
        return [[tool.name for tool in listed.tools], explored, explained, *wrong]

    names, explored, explained, unknown, no_tool = anyio.run(talk)
    assert names == list(tools())
    assert explored.structured_content["verdict"] == "violated"
    assert set(explained.structured_content) == set(Explained.__struct_fields__)
    assert "rmw-atomicity" in explained.structured_content["explanation"]
    for failed, word in ((unknown, "unknown program"), (no_tool, "no tool 'mine'")):
        assert failed.is_error
        assert word in failed.content[0].text
        assert "\n" not in failed.content[0].text


READER = """
import os
from simaie import Program, ins
program = Program(os.read(0, 9).decode() or "nothing", isa="arm", threads=[[ins("str_", 0x100, 1)]])
"""


@pytest.mark.filterwarnings("default")  # of the package
def test_a_file_that_reads_the_standard_input_takes_no_message_of_the_client(tmp_path: Path) -> None:
    pytest.importorskip("mcp", reason="the package mcp is an optional extra: pip install 'simaie[mcp]'")
    import anyio
    from mcp import Client

    from simaie.cli.mcp_server import make_server

    (tmp_path / "own.py").write_text(READER)

    async def talk() -> Any:
        async with Client(make_server()) as client:
            return await client.call_tool("explore", {"target": f"{tmp_path / 'own.py'}:program", "executions": 1})

    before, (reader, writer) = os.dup(0), os.pipe()
    try:
        os.dup2(reader, 0)
        os.write(writer, b"a message")
        assert anyio.run(talk).structured_content["program"] == "nothing"
        assert os.read(reader, 9) == b"a message"
    finally:
        os.dup2(before, 0)
        for descriptor in (before, reader, writer):
            os.close(descriptor)
