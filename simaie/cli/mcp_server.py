"""The command ``simaie mcp``: the tools as a server of the Model Context Protocol, for assistants in editors.

The server speaks on stdin and stdout, as https://modelcontextprotocol.io describes it. It keeps nothing between calls.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import simaie
from simaie.cli.mcp_tools import Tool, tools
from simaie.cli.status import Status
from simaie.errors import UsageError

try:
    import anyio
    from mcp.server.lowlevel import Server
    from mcp.server.stdio import stdio_server
    from mcp_types import CallToolResult, ListToolsResult, TextContent
    from mcp_types import Tool as ToolForm
except ImportError as error:
    raise UsageError("simaie mcp needs the package mcp: pip install 'simaie[mcp]'") from error

__all__ = ["make_server", "serve"]

#: The statuses with which a command prints its document.
_ANSWERED = (Status.HOLDS, Status.VIOLATED, Status.INCONCLUSIVE)


def serve() -> Status:
    """Serve on stdin and stdout until the client leaves."""
    anyio.run(_serve)
    return Status.HOLDS


async def _serve() -> None:
    server = make_server()
    async with stdio_server() as (reading, writing):
        await server.run(reading, writing, server.create_initialization_options())


def make_server() -> Any:
    """Return the server, which is connected to nothing yet."""
    known = tools()

    async def list_tools(context: Any, parameters: Any) -> Any:
        return ListToolsResult(tools=[_form(tool) for tool in known.values()])

    async def call_tool(context: Any, parameters: Any) -> Any:
        try:
            if parameters.name not in known:
                raise UsageError(f"there is no tool {parameters.name!r} (there are: {', '.join(known)})")
            return await _called(known[parameters.name], parameters.arguments)
        except UsageError as error:
            return _failed(str(error))

    return Server(
        "simaie", version=simaie.__version__, on_list_tools=list_tools, on_call_tool=call_tool,
        instructions="Finds atomicity violations in the way emulators run guest atomics; see the tool explore.",
    )  # fmt: skip


def _form(tool: Tool) -> Any:
    return ToolForm(
        name=tool.name, description=tool.description, input_schema=tool.input, output_schema=tool.output
    )


async def _called(tool: Tool, given: Any) -> Any:
    """Run the command of a tool in a process of its own, which ends if the call is cancelled.

    It has nothing to read: a file of the user that reads the standard input would take the messages of the client.
    """
    command = [sys.executable, "-m", "simaie", *tool.argv(given)]
    done = await anyio.run_process(command, stdin=subprocess.DEVNULL, check=False)
    if done.returncode not in _ANSWERED:
        said = done.stderr.decode("utf-8", "replace").strip().removeprefix("simaie: ")
        return _failed(said or f"the command ended with status {done.returncode}")
    found = tool.result(json.loads(done.stdout))
    return CallToolResult(content=[TextContent(type="text", text=json.dumps(found))], structured_content=found)


def _failed(why: str) -> Any:
    return CallToolResult(content=[TextContent(type="text", text=why)], is_error=True)
