"""Drives an MCP server with the Python SDK (both eras), and prints what it saw as one line of JSON.

python python_client.py URL [OPTION...] (a path that begins with /sse: HTTP+SSE)
python python_client.py [OPTION...] -- COMMAND [ARGUMENT...]

The options stand in README.md.
"""

import asyncio
import json
import sys
import urllib.parse

import mcp_types as types
from mcp import Client, StdioServerParameters
from mcp.client.sse import sse_client

from asking import ASKING, elicited, let_go

LIMIT_SECONDS = 60
PAGES_MAX = 100


def parse(words):
    wanted = {"url": None, "command": None, "mode": "auto", "call": None, "ask": [], "let_go": None}
    while words:
        word, *words = words
        if word == "--":
            wanted["command"], words = words, []
        elif word == "--mode" and words[:1] in (["auto"], ["legacy"]):
            wanted["mode"], *words = words
        elif word == "--call" and len(words) >= 2:
            wanted["call"], words = (words[0], json.loads(words[1])), words[2:]
        elif word == "--ask" and words:
            prefix, *words = words
            wanted["ask"].append(prefix)
        elif word == "--let-go" and words:
            wanted["let_go"], *words = words
        elif not word.startswith("--") and wanted["url"] is None:
            wanted["url"] = word
        else:
            sys.exit(f"unexpected argument {word}")
    if bool(wanted["url"]) == bool(wanted["command"]):
        sys.exit("give either a URL or -- COMMAND")
    return wanted


async def all_pages(list_page, member):
    items, cursor = [], None
    for _ in range(PAGES_MAX):
        page = await list_page(cursor=cursor)
        items += getattr(page, member)
        cursor = page.next_cursor
        if cursor is None:
            return items
    raise RuntimeError(f"{member}: more than {PAGES_MAX} pages")


def plain(model):
    return None if model is None else model.model_dump(mode="json", by_alias=True, exclude_none=True)


async def elicit(context, params):
    content = elicited(params.requested_schema)
    return types.ElicitResult(action="accept", content=content)


async def sample(context, params):
    content = types.TextContent(type="text", text="Paris")
    return types.CreateMessageResult(role="assistant", model="m", stop_reason="endTurn", content=content)


async def roots(context):
    return types.ListRootsResult(roots=[types.Root(uri="file:///one"), types.Root(uri="file:///two")])


async def converse(client, prefix, logged):
    """One server's tools that ask, tell their progress and log; what they said in the end."""
    seen = {"texts": {}, "progress": []}
    for tool, arguments in ASKING:
        result = await client.call_tool(prefix + tool, arguments)
        seen["texts"][tool] = result.content[0].text

    async def progress(step, total, message):
        seen["progress"].append(step)

    await client.call_tool(prefix + "test_tool_with_progress", {}, progress_callback=progress)
    before = len(logged)
    meta = None
    if client.protocol_version == "2026-07-28":
        meta = {"io.modelcontextprotocol/logLevel": "info"}
    else:
        await client.set_logging_level("info")
    await client.call_tool(prefix + "test_logging_tool", {}, meta=meta)
    seen["logged"] = len(logged) - before
    return seen


async def look(wanted):
    if wanted["command"]:
        program, *arguments = wanted["command"]
        server = StdioServerParameters(command=program, args=arguments)
    elif urllib.parse.urlsplit(wanted["url"]).path.startswith("/sse"):
        server = sse_client(wanted["url"])
    else:
        server = wanted["url"]
    seen, logged = {}, []

    async def log(params):
        logged.append(params)

    able = {"sampling_callback": sample, "elicitation_callback": elicit, "list_roots_callback": roots}
    async with Client(server, mode=wanted["mode"], logging_callback=log, **able) as client:
        capabilities = plain(client.server_capabilities) or {}
        seen["protocolVersion"] = client.protocol_version
        seen["serverInfo"] = plain(client.server_info)
        seen["instructions"] = client.instructions
        seen["capabilities"] = capabilities
        listings = (
            ("tools", client.list_tools, "name"),
            ("prompts", client.list_prompts, "name"),
            ("resources", client.list_resources, "uri"),
        )
        for member, list_page, key in listings:
            items = await all_pages(list_page, member) if member in capabilities else []
            seen[member] = [str(getattr(item, key)) for item in items]
        if wanted["call"]:
            name, arguments = wanted["call"]
            seen["call"] = plain(await client.call_tool(name, arguments))
        for prefix in wanted["ask"]:
            seen.setdefault("asked", {})[prefix] = await converse(client, prefix, logged)
        if wanted["let_go"]:
            seen["letGo"] = await let_go(client.call_tool(wanted["let_go"], {}))
    return seen


def reason(error):
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return {"message": str(error) or type(error).__name__, "code": getattr(error, "code", None)}


async def main():
    wanted = parse(sys.argv[1:])
    try:
        seen = await asyncio.wait_for(look(wanted), LIMIT_SECONDS)
    except Exception as error:  # whatever it is, the caller reads it in the one line
        seen = {"error": reason(error)}
    print(json.dumps(seen), flush=True)
    return 1 if "error" in seen else 0


sys.exit(asyncio.run(main()))
