"""What every simulated vendor does with a request: take its faults, check the token, answer, spoil the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from uptake.sandbox.faults import Active, Faults

HTML = "<!doctype html><html><title>Scheduled maintenance</title><body><h1>We will be back soon</h1></body></html>"


@dataclass(frozen=True)
class Manners:
    """How a vendor words its refusals: status and message -> answer."""

    refuse: Callable[[int, str], Response]
    throttle_status: int
    throttle_message: str
    revoke: Callable[[Request], None]


def json_body(body: bytes, headers: dict[str, str] | None = None, status: int = 200) -> Response:
    return Response(body, status, headers, media_type="application/json")


async def exchange(
    faults: Faults, manners: Manners, endpoint: str, request: Request, answer: Callable[[Active], Response]
) -> Response:
    """The vendor's answer, or what the faults make of it."""
    active = faults.take(endpoint)
    if slow := active.get("slow"):
        await asyncio.sleep(slow.seconds)
    if throttle := active.get("throttle"):
        response = manners.refuse(throttle.status or manners.throttle_status, manners.throttle_message)
        response.headers["Retry-After"] = f"{throttle.retry_after:g}"
        return response
    if error := active.get("error500"):
        return manners.refuse(error.status or 500, "internal error (simulated)")
    if "html" in active:
        return HTMLResponse(HTML)
    if "expire" in active:
        manners.revoke(request)
    response = answer(active)
    if "truncate" in active and response.status_code == 200:
        return json_body(bytes(response.body)[: len(response.body) // 2])
    return response
