"""Drives an MCP server with the Python SDK 1.x over HTTP+SSE or WebSocket (ws:), and prints what it saw as one line of JSON.

python python_v1.py URL [--call NAME JSON]
"""

import asyncio
import json
import sys

from mcp import ClientSession
from mcp.client.sse import sse_client
from mcp.client.websocket import websocket_client

LIMIT_SECONDS = 60
PAGES_MAX = 100


async def all_pages(list_page, member):
    items, cursor = [], None
    for _ in range(PAGES_MAX):
        page = await list_page(cursor)
        items += getattr(page, member)
        cursor = page.nextCursor
        if cursor is None:
            return items
    raise RuntimeError(f"{member}: more than {PAGES_MAX} pages")


async def look(url, call):
    connect = websocket_client if url.startswith(("ws:", "wss:")) else sse_client
    async with connect(url) as (read, write), ClientSession(read, write) as session:
        hello = await session.initialize()
        seen = {
            "protocolVersion": hello.protocolVersion,
            "tools": [tool.name for tool in await all_pages(session.list_tools, "tools")],
            "prompts": [prompt.name for prompt in await all_pages(session.list_prompts, "prompts")],
            "resources": [str(one.uri) for one in await all_pages(session.list_resources, "resources")],
        }
        if call:
            result = await session.call_tool(*call)
            seen["call"] = result.model_dump(mode="json", by_alias=True, exclude_none=True)
    return seen


async def main():
    url, *words = sys.argv[1:]
    call = (words[1], json.loads(words[2])) if words[:1] == ["--call"] else None
    try:
        seen = await asyncio.wait_for(look(url, call), LIMIT_SECONDS)
    except Exception as error:  # whatever it is, the caller reads it in the one line
        seen = {"error": {"message": str(error) or type(error).__name__}}
    print(json.dumps(seen), flush=True)
    return 1 if "error" in seen else 0


sys.exit(asyncio.run(main()))
