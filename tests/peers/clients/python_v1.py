"""Drives an MCP server with the Python SDK 1.x (legacy eras), and prints what it saw as one line of JSON.

python python_v1.py URL [OPTION...] (a path that begins with /sse: HTTP+SSE; ws: WebSocket)
python python_v1.py [OPTION...] -- COMMAND [ARGUMENT...]

The options stand in README.md.
"""

import argparse
import asyncio
import contextlib
import json
import sys
import urllib.parse

from mcp import ClientSession, StdioServerParameters, stdio_client, types
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from mcp.client.websocket import websocket_client

from asking import ASKING, elicited

LIMIT_SECONDS = 60
PAGES_MAX = 100


def parse(words):
    at = words.index("--") if "--" in words else len(words)
    parser = argparse.ArgumentParser()
    parser.add_argument("url", nargs="?")
    parser.add_argument("--call", nargs=2)
    parser.add_argument("--ask", action="append", default=[])
    wanted = parser.parse_args(words[:at])
    wanted.command = words[at + 1 :]
    if bool(wanted.url) == bool(wanted.command):
        parser.error("give either a URL or -- COMMAND")
    return wanted


@contextlib.asynccontextmanager
async def connected(wanted):
    if wanted.command:
        program, *arguments = wanted.command
        streams = stdio_client(StdioServerParameters(command=program, args=arguments))
    elif wanted.url.startswith(("ws:", "wss:")):
        streams = websocket_client(wanted.url)
    elif urllib.parse.urlsplit(wanted.url).path.startswith("/sse"):
        streams = sse_client(wanted.url)
    else:
        streams = streamable_http_client(wanted.url)
    async with streams as (read, write, *_session_id):
        yield read, write


async def all_pages(list_page, member):
    items, cursor = [], None
    for _ in range(PAGES_MAX):
        page = await list_page(cursor)
        items += getattr(page, member)
        cursor = page.nextCursor
        if cursor is None:
            return items
    raise RuntimeError(f"{member}: more than {PAGES_MAX} pages")


async def elicit(context, params):
    return types.ElicitResult(action="accept", content=elicited(params.requestedSchema))


async def sample(context, params):
    content = types.TextContent(type="text", text="Paris")
    return types.CreateMessageResult(role="assistant", model="m", stopReason="endTurn", content=content)


async def roots(context):
    return types.ListRootsResult(roots=[types.Root(uri="file:///one"), types.Root(uri="file:///two")])


async def converse(session, prefix, logged):
    """One server's tools that ask, tell their progress and log; what they said in the end."""
    seen = {"texts": {}, "progress": []}
    for tool, arguments in ASKING:
        result = await session.call_tool(prefix + tool, arguments)
        seen["texts"][tool] = result.content[0].text

    async def progress(step, total, message):
        seen["progress"].append(step)

    await session.call_tool(prefix + "test_tool_with_progress", {}, progress_callback=progress)
    before = len(logged)
    await session.set_logging_level("info")
    await session.call_tool(prefix + "test_logging_tool", {})
    seen["logged"] = len(logged) - before
    return seen


async def look(wanted):
    logged = []

    async def log(params):
        logged.append(params)

    able = {"sampling_callback": sample, "elicitation_callback": elicit, "list_roots_callback": roots}
    async with connected(wanted) as streams, ClientSession(*streams, logging_callback=log, **able) as session:
        hello = await session.initialize()
        seen = {
            "protocolVersion": hello.protocolVersion,
            "tools": [tool.name for tool in await all_pages(session.list_tools, "tools")],
            "prompts": [prompt.name for prompt in await all_pages(session.list_prompts, "prompts")],
            "resources": [str(one.uri) for one in await all_pages(session.list_resources, "resources")],
        }
        if wanted.call:
            name, arguments = wanted.call
            result = await session.call_tool(name, json.loads(arguments))
            seen["call"] = result.model_dump(mode="json", by_alias=True, exclude_none=True)
        for prefix in wanted.ask:
            seen.setdefault("asked", {})[prefix] = await converse(session, prefix, logged)
    return seen


def reason(error):
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return {"message": str(error) or type(error).__name__}


async def main():
    wanted = parse(sys.argv[1:])
    try:
        seen = await asyncio.wait_for(look(wanted), LIMIT_SECONDS)
    except Exception as error:  # whatever it is, the caller reads it in the one line
        seen = {"error": reason(error)}
    print(json.dumps(seen), flush=True)
    return 1 if "error" in seen else 0


sys.exit(asyncio.run(main()))
