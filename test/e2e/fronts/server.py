"""An MCP server of the Python SDK, and beside it a route that Starlette redirects to, under uvicorn."""

import sys

import uvicorn
from mcp.server import MCPServer
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route


async def echo(request):
    return PlainTextResponse(f"{request.method} {request.url.path} {(await request.body()).decode()}")


server = MCPServer("tools")


@server.tool()
def add(a: int, b: int) -> int:
    return a + b


app = server.streamable_http_app()
app.router.routes.append(Mount("/mounted", routes=[Route("/", echo, methods=["POST"])]))
uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
