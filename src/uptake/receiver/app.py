"""The receiver's addresses, as an ASGI application."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from uptake.project import Project
from uptake.receiver import caliper, xapi
from uptake.receiver.answers import Refused, bad
from uptake.receiver.logs import check_log
from uptake.receiver.service import Received, Receiver, in_thread_if_large
from uptake.sources.pushed.base import uuid_in
from uptake.sources.pushed.logpush import FORMATS, LogpushSettings

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
        is_xapi = path.startswith("/xapi/")

        async def endpoint(request: Request) -> Response:
            try:
                answer = await handler(receiver, request)
            except Refused as refused:
                answer = _refusal(refused)
            except ClientDisconnect:
                answer = Response(status_code=400)  # nobody hears it
            if is_xapi:
                answer.headers[xapi.VERSION_HEADER] = xapi.answered_version(request.headers.get(xapi.VERSION_HEADER))
            return answer

        return Route(path, endpoint, methods=list(methods))

    routes = [
        route("/health", health, "GET"),
        route("/caliper/{district}", post_caliper, "POST"),
        route("/xapi/{district}/about", about, "GET"),
        route("/xapi/{district}/statements", post_statements, "POST"),
        route("/xapi/{district}/statements", put_statement, "PUT"),
        route("/logs/{district}/{format}", post_logs, "POST"),
    ]
    return Starlette(routes=routes, middleware=_cross_origin(project), lifespan=lifespan)


def _cross_origin(project: Project) -> list[Middleware]:
    """Content that runs in a browser asks first whether it may send to us (xAPI-Communication, 3.2)."""
    origins = project.config.receiver.allowed_origins
    if not origins:
        return []
    return [
        Middleware(
            CORSMiddleware,
            allow_origins=list(origins),
            allow_methods=["GET", "POST", "PUT"],
            allow_headers=["Authorization", "Content-Type", "Content-Encoding", xapi.VERSION_HEADER],
            expose_headers=[xapi.VERSION_HEADER, "Retry-After"],
        )
    ]


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


async def about(_: Receiver, __: Request) -> Response:
    """xAPI-Communication, 2.8: which versions are served. Neither key nor version header is asked for."""
    return JSONResponse({"version": list(xapi.VERSIONS)})


async def post_statements(receiver: Receiver, request: Request) -> Response:
    """xAPI-Communication, 2.1.2: 200 with the ids, in the order of the statements."""
    xapi.insist_on_version(request.headers.get(xapi.VERSION_HEADER))
    received = await receiver.receive(request, "xapi")
    content_type = request.headers.get("content-type", "")
    statements, _ = await in_thread_if_large(
        received.content, lambda: xapi.statements_in(received.content, content_type)
    )
    ids = xapi.give_ids(statements, receiver.made_key(received.sender))
    await _keep_statements(receiver, received, statements)
    return JSONResponse(ids)


async def put_statement(receiver: Receiver, request: Request) -> Response:
    """xAPI-Communication, 2.1.1: one statement under the id of the address; 204."""
    xapi.insist_on_version(request.headers.get(xapi.VERSION_HEADER))
    received = await receiver.receive(request, "xapi")
    statement_id = request.query_params.get("statementId")
    if uuid_in(statement_id) is None:
        raise bad("statement_id", "the parameter statementId, a UUID, is needed")
    statements, is_single = xapi.statements_in(received.content, request.headers.get("content-type", ""))
    if not is_single:
        raise bad("no_statement", "PUT takes one statement")
    xapi.give_ids(statements, receiver.made_key(received.sender), statement_id=statement_id)
    await _keep_statements(receiver, received, statements)
    return Response(status_code=204)


async def _keep_statements(receiver: Receiver, received: Received, statements: list[dict[str, Any]]) -> None:
    place = (received.sender.district, received.sender.source)
    new = receiver.known_ids.unkept(place, statements)
    for resource, part in xapi.parted(new).items():
        await receiver.keep(received, resource, orjson.dumps(part))
    receiver.known_ids.remember(place, new)


async def post_logs(receiver: Receiver, request: Request) -> Response:
    """200 for records that are kept, and for the file by which a vendor tries the address."""
    name = request.path_params["format"]
    received = await receiver.receive(request, "logpush")
    source = received.district.source(received.sender.source)
    if not isinstance(source, LogpushSettings) or source.format != name:
        raise Refused(403, "other_format", "this key is for another format")
    if await in_thread_if_large(received.content, lambda: check_log(received.content)):
        await receiver.keep(received, FORMATS[name])
    return Response(status_code=200)


def _refusal(refused: Refused) -> Response:
    log.info("refused: %s %s", refused.status, refused.code)
    headers = dict(refused.headers)
    if refused.retry_after is not None:
        headers["Retry-After"] = str(refused.retry_after)
    return JSONResponse({"error": refused.code, "reason": refused.reason}, refused.status, headers=headers)
