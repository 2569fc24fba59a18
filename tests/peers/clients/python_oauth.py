"""The Python SDK's own OAuth client logs in at whatever the server says, and lists the tools.

python python_oauth.py URL USER
"""

import asyncio
import json
import sys
import urllib.parse

import httpx2
from mcp import Client
from mcp.client.auth import AuthorizationCodeResult, OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientMetadata

from browser import follow

REDIRECT = "http://127.0.0.1:53682/callback"


class Memory:
    def __init__(self):
        self.tokens = self.client = None

    async def get_tokens(self):
        return self.tokens

    async def set_tokens(self, tokens):
        self.tokens = tokens

    async def get_client_info(self):
        return self.client

    async def set_client_info(self, client):
        self.client = client


async def main():
    url, user = sys.argv[1:]
    came, memory = {}, Memory()

    async def redirect(address):
        end = await asyncio.to_thread(follow, address, user)
        came.update(urllib.parse.parse_qsl(urllib.parse.urlsplit(end).query))

    async def callback():
        return AuthorizationCodeResult(code=came["code"], state=came.get("state"), iss=came.get("iss"))

    metadata = OAuthClientMetadata(
        client_name="test", redirect_uris=[REDIRECT], token_endpoint_auth_method="none",
        grant_types=["authorization_code", "refresh_token"], response_types=["code"],
    )
    auth = OAuthClientProvider(url, metadata, memory, redirect, callback)
    async with httpx2.AsyncClient(auth=auth, timeout=30) as http:
        async with Client(streamable_http_client(url, http_client=http)) as client:
            tools = [tool.name for tool in (await client.list_tools()).tools]
    print(json.dumps({"tools": tools, "scope": memory.tokens.scope}), flush=True)


asyncio.run(asyncio.wait_for(main(), 90))
