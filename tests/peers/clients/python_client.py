"""Drives an MCP server with the Python SDK (both eras), and prints what it saw as one line of JSON.

python python_client.py URL [--mode auto|legacy] [--call NAME JSON]
python python_client.py [--mode auto|legacy] [--call NAME JSON] -- COMMAND [ARGUMENT...]
"""

import asyncio
import json
import sys

from mcp import Client, StdioServerParameters

LIMIT_SECONDS = 60
PAGES_MAX = 100


def parse(words):
    wanted = {"url": None, "command": None, "mode": "auto", "call": None}
    while words:
        word, *words = words
        if word == "--":
            wanted["command"], words = words, []
        elif word == "--mode" and words[:1] in (["auto"], ["legacy"]):
            wanted["mode"], *words = words
        elif word == "--call" and len(words) >= 2:
            wanted["call"], words = (words[0], json.loads(words[1])), words[2:]
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


async def look(wanted):
    if wanted["url"]:
        server = wanted["url"]
    else:
        program, *arguments = wanted["command"]
        server = StdioServerParameters(command=program, args=arguments)
    seen = {}
    async with Client(server, mode=wanted["mode"]) as client:
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
