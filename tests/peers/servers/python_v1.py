"""A server on the Python SDK 1.x over HTTP+SSE (`/sse`) and WebSocket (`/ws`); prints its port as one line of JSON.

python python_v1.py [--tls FOLDER]

With --tls it makes an authority and a certificate for 127.0.0.1, and leaves the authority's in FOLDER/ca.pem.
"""

import datetime
import ipaddress
import json
import pathlib
import socket
import sys
import warnings

import uvicorn
from mcp.server.fastmcp import Context, FastMCP
from starlette.applications import Starlette
from starlette.routing import Mount, WebSocketRoute

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from mcp.server.websocket import websocket_server

server = FastMCP("python-v1")


@server.tool()
def echo(text: str) -> str:
    """Repeats its argument."""
    return text


@server.tool()
def header(name: str, context: Context) -> str:
    """Tells a header of the request that opened the connection."""
    return context.request_context.request.headers.get(name, "") if context.request_context.request else ""


@server.tool()
async def steps(context: Context) -> str:
    """Tells its progress in three steps."""
    for step in (1, 2, 3):
        await context.report_progress(step, 3)
    return "done"


async def websocket(socket_):
    seen.append(dict(socket_.headers))
    async with websocket_server(socket_.scope, socket_.receive, socket_.send) as (read, write):
        await server._mcp_server.run(read, write, server._mcp_server.create_initialization_options())


seen = []


@server.tool()
def handshake(name: str) -> str:
    """Tells a header of the latest WebSocket handshake."""
    return seen[-1].get(name, "") if seen else ""


class Closing:
    """Closes a WebSocket with a code and a reason as soon as it is told anything."""

    def __init__(self, scope, receive, send):
        self.receive, self.send = receive, send

    def __await__(self):
        return self.run().__await__()

    async def run(self):
        await self.receive()
        await self.send({"type": "websocket.accept", "subprotocol": "mcp"})
        await self.receive()
        await self.send({"type": "websocket.close", "code": 4003, "reason": "not today"})


app = Starlette(
    routes=[
        WebSocketRoute("/ws", websocket),
        WebSocketRoute("/closing", Closing),
        Mount("/", app=server.sse_app()),
    ]
)



def certificates(folder):
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    def certificate(name, key, issuer, issuer_key, extensions):
        now = datetime.datetime.now(datetime.timezone.utc)
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        issued_by = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, issuer)])
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issued_by).public_key(key.public_key())
        builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(hours=1))
        builder = builder.not_valid_after(now + datetime.timedelta(days=1))
        for extension in extensions:
            builder = builder.add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
        return builder.sign(issuer_key, hashes.SHA256())

    def pem(certificate):
        return certificate.public_bytes(serialization.Encoding.PEM)

    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca = certificate("test authority", ca_key, "test authority", ca_key, [x509.BasicConstraints(True, None)])
    here = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    own = certificate("test server", key, "test authority", ca_key, [x509.BasicConstraints(False, None), here])
    encoding = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "key.pem").write_bytes(key.private_bytes(*encoding))
    (folder / "own.pem").write_bytes(pem(own))
    (folder / "ca.pem").write_bytes(pem(ca))
    return {"ssl_certfile": str(folder / "own.pem"), "ssl_keyfile": str(folder / "key.pem")}


if __name__ == "__main__":
    tls = certificates(pathlib.Path(sys.argv[2])) if "--tls" in sys.argv else {}
    listening = socket.create_server(("127.0.0.1", 0))
    print(json.dumps({"port": listening.getsockname()[1]}), flush=True)
    config = uvicorn.Config(app, log_level="warning", lifespan="off", **tls)
    uvicorn.Server(config).run(sockets=[listening])
