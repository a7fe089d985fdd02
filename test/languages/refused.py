"""Runs each piece of code of the list in argv[1] in a chart of its own, and prints as JSON what it raised."""

import json
import sys

import cdk8s_agentgateway as library
from cdk8s import App, Chart, Duration


def raised_by(code: str) -> str:
    app = App()
    chart = Chart(app, "gateway", namespace="aiops")

    def gateway(**props):
        made = library.AgentGateway(
            chart,
            "Gateway",
            **{
                "issuer": "https://idp.example.com",
                "audience": "https://gateway.example.com/mcp",
                "jwks": library.JwksSource.from_file("jwks.json"),
                **props,
            },
        )
        peer = library.Peer.pods({"app": "mcp"})
        library.McpRoute(chart, "Mcp", gateway=made, backend="mcp:5000", backend_peer=peer)
        return made

    try:
        exec(code, {**vars(library), "chart": chart, "gateway": gateway, "Duration": Duration})
        app.synth()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "nothing"


print(json.dumps({code: raised_by(code) for code in json.loads(sys.argv[1])}))
