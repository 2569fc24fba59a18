"""A server over stdio as most are written: the Python SDK's, one tool. Behind the hub and by itself in `omni-bench run`."""

from mcp.server import MCPServer

server = MCPServer("echo")


@server.tool()
def echo(text: str) -> str:
    """Gives back what it is given."""
    return text


server.run("stdio")
