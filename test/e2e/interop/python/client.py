"""The official Python SDK as a client that proves possession: an httpx auth signs each request (RFC 9449)."""

import asyncio
import base64
import hashlib
import json
import os
import time
import uuid

import httpx2
import jwt
import mcp.client.session
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS


def b64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class DpopAuth(httpx2.Auth):
    """Signs each request; one that is asked for a nonce is sent again with it."""

    def __init__(self, pem: bytes, token: str) -> None:
        self._key = load_pem_private_key(pem, None)
        self._token = token
        numbers = self._key.public_key().public_numbers()
        coordinate = lambda n: b64url(n.to_bytes(32, "big"))
        self._jwk = {"kty": "EC", "crv": "P-256", "x": coordinate(numbers.x), "y": coordinate(numbers.y)}
        self._nonce: str | None = None

    def _sign(self, request: httpx2.Request) -> None:
        claims = {
            "jti": str(uuid.uuid4()),
            "htm": request.method,
            "htu": str(request.url.copy_with(query=None, fragment=None)),
            "iat": int(time.time()),
            "ath": b64url(hashlib.sha256(self._token.encode()).digest()),
        }
        if self._nonce is not None:
            claims["nonce"] = self._nonce
        headers = {"typ": "dpop+jwt", "jwk": self._jwk}
        request.headers["Authorization"] = f"DPoP {self._token}"
        request.headers["DPoP"] = jwt.encode(claims, self._key, algorithm="ES256", headers=headers)

    def auth_flow(self, request: httpx2.Request):
        self._sign(request)
        response = yield request
        nonce = response.headers.get("dpop-nonce")
        if nonce is not None:
            self._nonce = nonce
        if response.status_code == 401 and nonce is not None:
            self._sign(request)
            yield request


async def drive(url: str, mode: str, auth: DpopAuth) -> dict:
    if mode in HANDSHAKE_PROTOCOL_VERSIONS:
        # The client always offers the newest of these: what a server would negotiate down to is offered at once.
        mcp.client.session.LATEST_HANDSHAKE_VERSION = mode
        mode = "legacy"
    async with httpx2.AsyncClient(auth=auth, timeout=10) as http:
        async with Client(streamable_http_client(url, http_client=http), mode=mode) as client:
            tools = [tool.name for tool in (await client.list_tools()).tools]
            said = await client.call_tool("echo", {"text": "bound, ünïcode"})
            try:
                refused = (await client.call_tool("wait", {})).model_dump_json()
            except Exception as cause:
                refused = f"{type(cause).__name__}: {cause}"
            return {
                "revision": client.protocol_version,
                "tools": tools,
                "said": said.content[0].text,
                "refused": refused,
            }


async def main() -> None:
    auth = DpopAuth(os.environ["KEY"].encode(), os.environ["TOKEN"])
    results = [await drive(os.environ["URL"], mode, auth) for mode in os.environ["MODES"].split()]
    print(json.dumps(results))


asyncio.run(main())
