"""A server of the official Python SDK under uvicorn, on the port that it is given."""

import sys

import uvicorn
from mcp.server.mcpserver import MCPServer

server = MCPServer("python-peer")


@server.tool()
def echo(text: str) -> str:
    """Says it again."""
    return text


@server.tool()
def hidden() -> str:
    """No rule allows it."""
    return "hidden"


@server.resource("test://static")
def static() -> str:
    return "static"


@server.prompt()
def simple() -> str:
    return "simple"


uvicorn.run(server.streamable_http_app(), host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
