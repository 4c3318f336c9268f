"""The receiver's addresses, as an ASGI application."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from uptake.project import Project
from uptake.receiver import caliper
from uptake.receiver.answers import Refused
from uptake.receiver.service import Receiver, in_thread_if_large

log = logging.getLogger("uptake.receiver")
Handler = Callable[[Receiver, Request], Awaitable[Response]]


def make_app(project: Project) -> Starlette:
    """An application for one process; any number of processes may serve the same project."""
    receiver = Receiver(project)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        await receiver.start()
        try:
            yield
        finally:
            await receiver.stop()

    def route(path: str, handler: Handler, *methods: str) -> Route:
        async def endpoint(request: Request) -> Response:
            try:
                return await handler(receiver, request)
            except Refused as refused:
                return _refusal(refused)
            except ClientDisconnect:
                return Response(status_code=400)  # nobody hears it

        return Route(path, endpoint, methods=list(methods))

    routes = [
        route("/health", health, "GET"),
        route("/caliper/{district}", post_caliper, "POST"),
    ]
    return Starlette(routes=routes, lifespan=lifespan)


async def health(receiver: Receiver, _: Request) -> Response:
    """200 while events can be kept; 503 with the reason, for a load balancer, when they cannot."""
    problem = await receiver.problem()
    if problem is not None:
        raise problem
    return JSONResponse({"status": "ok"})


async def post_caliper(receiver: Receiver, request: Request) -> Response:
    received = await receiver.receive(request, "caliper", media_types=caliper.MEDIA_TYPES)
    await in_thread_if_large(received.content, lambda: caliper.check_envelope(received.content))
    await receiver.keep(received, "event")
    return Response(status_code=200)


def _refusal(refused: Refused) -> Response:
    log.info("refused: %s %s", refused.status, refused.code)
    headers = dict(refused.headers)
    if refused.retry_after is not None:
        headers["Retry-After"] = str(refused.retry_after)
    return JSONResponse({"error": refused.code, "reason": refused.reason}, refused.status, headers=headers)
