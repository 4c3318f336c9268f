"""One HTTP client for every vendor: what is worth a retry, what is not, and what a person is told.

Retried here, within a budget: throttling (429, and 403 where the vendor means "slow down"), 408, 5xx, timeouts, broken
connections, truncated bodies, HTML in place of JSON. The vendor's `Retry-After` (RFC 9110, section 10.2.3: seconds or
an HTTP date) is kept; without it the wait is exponential with jitter. A wait that the budget does not hold is left to
the scheduler: the TransientError carries it. Everything else is a PermanentError with its remedy.

Errors and logs name method, host, path and status: never a query, a token or a body, which may hold what identifies
a child.
"""

from __future__ import annotations

import gc
import logging
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx
import orjson
import tenacity

from uptake.errors import PermanentError, TransientError, UptakeError
from uptake.tls import trusted_authorities

log = logging.getLogger(__name__)
# httpx writes whole URLs at INFO, and queries hold ids.
logging.getLogger("httpx").setLevel(logging.WARNING)

_REDIRECTS = 5
# What a person can do about what is tried again by itself.
WAIT = "nothing at once: it is asked again. If it lasts for hours, ask the vendor whether the service is up."
_LESS = (
    "nothing at once: it is asked again. If it lasts, raise pull_every_minutes or ask the vendor for a higher limit."
)
_LONGER = "nothing at once: it is asked again. If it lasts, raise the source's timeout_seconds, or ask the vendor."
_FOREIGN = (
    "nothing at once: it is asked again. If it lasts, open the source's url from this machine: a proxy, a sign-in page "
    "or a notice of maintenance answers in the vendor's place."
)
# Somebody waits for a probe's answer.
_PROBE_ATTEMPTS = 3
_PROBE_SECONDS = 10.0
_THROTTLE_TEXT = re.compile(rb"rate.?limit|throttl|too many requests|(quota|limit).?exceeded", re.IGNORECASE)
_PERSON_IN_PATH = re.compile(r"(/users/)[^/]+")


class NotFound(PermanentError):
    """404: there is nothing at this address, which for a part that not every server has is an answer too."""


class BadRequest(PermanentError):
    """400. What the vendor said is not shown, since it may repeat what was asked; `says` looks into it."""

    def __init__(self, message: str, *, remedy: str, body: bytes) -> None:
        super().__init__(message, remedy=remedy)
        self._body = body

    def says(self, pattern: re.Pattern[bytes]) -> bool:
        return pattern.search(self._body) is not None


@dataclass(frozen=True, slots=True)
class Answer:
    """A JSON answer: decoded body, headers, and the URL that gave it (to resolve links against; never to be shown)."""

    data: Any
    headers: httpx.Headers
    url: httpx.URL
    links: Mapping[str, str]


class HttpClient:
    """GETs of JSON from one vendor, and POSTs that ask and change nothing.

    connection: name of the credential, for remedies. attempts and retry_seconds bound what is spent on one request.
    trusted_domain: besides the base URL's own origin, hosts under this domain may be given the credential when the
    vendor redirects there. headers: sent with each request. errors: tells an answer that is not 200 by the vendor's own
    words, None where the status says enough.
    """

    def __init__(
        self,
        base_url: str,
        auth: httpx.Auth,
        *,
        connection: str,
        timeout_seconds: float = 60,
        retry_seconds: float = 300,
        attempts: int = 8,
        trusted_domain: str | None = None,
        headers: Mapping[str, str] | None = None,
        errors: Callable[[httpx.Response], UptakeError | None] = lambda response: None,
        sleep: Callable[[float], None] = time.sleep,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._base = httpx.URL(base_url.rstrip("/") + "/")
        self._connection = connection
        self._trusted_domain = trusted_domain
        self._timeout_seconds = timeout_seconds
        self._client = httpx.Client(
            auth=auth,
            timeout=httpx.Timeout(timeout_seconds, connect=min(timeout_seconds, 15)),
            headers={"Accept": "application/json", "User-Agent": "uptake", **(headers or {})},
            verify=trusted_authorities(),
            transport=transport,
        )
        self._plain = httpx.Client(
            timeout=httpx.Timeout(timeout_seconds, connect=min(timeout_seconds, 15)), verify=trusted_authorities()
        )
        self._errors = errors
        self._retry = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(TransientError),
            wait=_Wait(),
            stop=tenacity.stop_after_attempt(attempts) | tenacity.stop_before_delay(retry_seconds),
            sleep=sleep,
            before_sleep=_log_wait,
            reraise=True,
        )
        self._retry_probe = self._retry.copy(
            stop=tenacity.stop_after_attempt(min(attempts, _PROBE_ATTEMPTS))
            | tenacity.stop_before_delay(min(retry_seconds, _PROBE_SECONDS))
        )
        self._is_away = False

    def __enter__(self) -> HttpClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._client.close()
        self._plain.close()

    def get(
        self,
        path: str | httpx.URL,
        params: Mapping[str, Any] | Sequence[tuple[str, Any]] | None = None,
        *,
        is_probe: bool = False,
        read: Callable[[bytes], Any] = orjson.loads,
    ) -> Answer:
        """`path` under the base URL, or a whole URL that a former answer gave. Raises Transient- or PermanentError.

        read: decodes the body, and raises orjson.JSONDecodeError where it is malformed. A TransientError of it is asked
        again as well: some vendors write their errors into an answer that says 200.

        A probe has a small budget. A request after one that got no answer at all is tried once, until one gets an
        answer: a server that is away costs one budget and not one for each of its resources.
        """
        url = path if isinstance(path, httpx.URL) else self._base.join(path.lstrip("/"))
        if params:
            url = url.copy_merge_params(_pairs(params))
        return self._answer(self._client.build_request("GET", url), read, is_probe)

    def post(
        self,
        path: str,
        form: Mapping[str, str] | None = None,
        *,
        data: Any = None,
        is_probe: bool = False,
        read: Callable[[bytes], Any] = orjson.loads,
    ) -> Answer:
        """A question that stands in the body, as a form or as JSON (`data`), where no log of a server or a proxy writes
        it down. Raises as `get`.

        It is asked again as a GET is, so it must be one that changes nothing; it is not redirected.
        """
        url = self._base.join(path.lstrip("/"))
        return self._answer(self._client.build_request("POST", url, data=form, json=data), read, is_probe)

    def save(self, url: str, file: Path) -> None:
        """A file that the vendor keeps elsewhere, by an address that is itself the right to read it: it is asked for
        without the credential, and no error shows more of it than its host. Bytes are written as they come.

        Raises Transient- or PermanentError; NotFound also where the right has run out (403).
        """
        self._retry(self._save, httpx.URL(url), file)

    def _save(self, url: httpx.URL, file: Path) -> None:
        place = f"a file at {url.host}"
        if url.scheme != "https" and url.host != self._base.host:
            raise PermanentError(f"{place} would come without encryption", remedy="ask the vendor.")
        try:
            with self._plain.stream("GET", url) as response, file.open("wb") as opened:
                if response.status_code in (403, 404):
                    raise NotFound(f"{place} is not there any more ({response.status_code})", remedy=WAIT)
                if response.status_code != 200:
                    response.read()
                    raise _refusal(response, place, self._connection)
                for part in response.iter_raw():
                    opened.write(part)
        except (httpx.TransportError, httpx.StreamError) as error:
            raise TransientError(f"{place} broke off ({type(error).__name__})", remedy=_LONGER) from error

    def _answer(self, request: httpx.Request, read: Callable[[bytes], Any], is_probe: bool) -> Answer:
        self.require_own(request.url)
        try:
            if self._is_away:
                answer = self._ask(request, read)
            else:
                answer = (self._retry_probe if is_probe else self._retry)(self._ask, request, read)
        except TransientError as error:
            self._is_away = isinstance(error.__cause__, httpx.TransportError)
            raise
        self._is_away = False
        return answer

    def require_own(self, url: httpx.URL) -> None:
        """Raises PermanentError when the credential would go to a host that is not the vendor's."""
        if _origin(url) == _origin(self._base):
            return
        domain = self._trusted_domain
        if domain and url.scheme == "https" and (url.host == domain or url.host.endswith(f".{domain}")):
            return
        raise PermanentError(
            f"{self._base.host} points to {url.scheme}://{url.host}, which the credential is not meant for",
            remedy="check the source's url with the vendor.",
        )

    def _ask(self, request: httpx.Request, read: Callable[[bytes], Any]) -> Answer:
        place = f"{request.method} {shown(request.url)}"
        try:
            response = self._client.send(request)
            for _ in range(_REDIRECTS):
                if not response.has_redirect_location or request.method != "GET":
                    break
                url = response.url.join(response.headers["location"])
                self.require_own(url)
                response = self._client.get(url)
        except httpx.TimeoutException as error:
            raise TransientError(
                f"no answer from {place} within {self._timeout_seconds:g} s", remedy=_LONGER
            ) from error
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise TransientError(
                f"connection to {place} broke off ({type(error).__name__})",
                remedy="check the source's url and that this machine can reach it.",
            ) from error
        if response.has_redirect_location:
            raise PermanentError(
                f"{place} is redirected ({response.status_code})",
                remedy="write the address that it leads to, with https, as the source's url.",
            )
        if response.status_code != 200:
            raise self._errors(response) or _refusal(response, place, self._connection)
        return Answer(decoded(response, place, read), response.headers, response.url, _links(response))


def decoded(response: httpx.Response, place: str, read: Callable[[bytes], Any] = orjson.loads) -> Any:
    """JSON body. Raises TransientError: a broken or foreign body is what proxies and restarting servers send."""
    body = response.content
    try:
        with _no_collection():
            return read(body)
    except orjson.JSONDecodeError as error:
        is_html = body.lstrip()[:1] == b"<" or "html" in response.headers.get("content-type", "")
        what = "HTML in place of JSON" if is_html else f"JSON that breaks off or is malformed ({len(body)} bytes)"
        remedy = _FOREIGN if is_html else WAIT
        raise TransientError(f"{place} sent {what}", retry_after=retry_after(response), remedy=remedy) from error


@contextmanager
def _no_collection() -> Iterator[None]:
    """Thousands of new dicts set off the cycle collector again and again, though JSON has no cycles: twice as fast."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def retry_after(response: httpx.Response) -> float | None:
    """Seconds that the vendor asks to wait; None where it names none."""
    text = response.headers.get("retry-after", "").strip()
    if not text:
        return None
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


def is_throttle(response: httpx.Response) -> bool:
    """429, or the 403 by which some vendors say that a quota is used up."""
    if response.status_code == 429:
        return True
    if response.status_code != 403:
        return False
    if response.headers.get("retry-after"):
        return True
    remaining = response.headers.get("x-rate-limit-remaining", "")
    is_spent = bool(re.fullmatch(r"-\d+(\.\d+)?|0+(\.0+)?", remaining))
    return is_spent or _THROTTLE_TEXT.search(response.content[:2000]) is not None


def _refusal(response: httpx.Response, place: str, connection: str) -> TransientError | PermanentError:
    status = response.status_code
    if is_throttle(response):
        return TransientError(f"{place} throttles ({status})", retry_after=retry_after(response), remedy=_LESS)
    if status in (408, 425) or (status >= 500 and status not in (501, 505)):
        return TransientError(f"{place} answered {status}", retry_after=retry_after(response), remedy=WAIT)
    if status in (401, 403):
        return PermanentError(
            f"{place} refused the credential ({status})",
            remedy=f"mend connection {connection!r}: its secret may have expired, or may not be allowed to read this.",
        )
    if status == 404:
        return NotFound(f"{place} does not exist (404)", remedy="check the source's url with the vendor.")
    remedy = "ask the vendor what it means for this address."
    if status == 400:
        return BadRequest(f"{place} answered {status}", remedy=remedy, body=response.content[:2000])
    return PermanentError(f"{place} answered {status}", remedy=remedy)


def shown(url: httpx.URL) -> str:
    """The part of a URL that may be shown: no query, and nothing that stands for a person."""
    path = _PERSON_IN_PATH.sub(r"\1…", url.path)
    return f"{url.scheme}://{url.netloc.decode()}{path}"


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port or {"http": 80, "https": 443}.get(url.scheme)


def _pairs(params: Mapping[str, Any] | Sequence[tuple[str, Any]]) -> httpx.QueryParams:
    return httpx.QueryParams(params if isinstance(params, Mapping) else list(params))


def _links(response: httpx.Response) -> dict[str, str]:
    """`Link` header (RFC 8288) by relation; header name and relation in any case."""
    return {str(rel).lower(): link["url"] for rel, link in response.links.items() if "url" in link}


class _Wait(tenacity.wait.wait_base):
    """The vendor's own wait, else 0.5, 1, 2, ... up to 30 s, each shortened by up to half at random."""

    _backoff = tenacity.wait_exponential(multiplier=0.5, max=30)

    def __call__(self, retry_state: tenacity.RetryCallState) -> float:
        error = retry_state.outcome.exception() if retry_state.outcome else None
        if isinstance(error, TransientError) and error.retry_after is not None:
            return error.retry_after
        longest = self._backoff(retry_state)
        return longest / 2 + tenacity.wait_random(0, longest / 2)(retry_state)


def _log_wait(retry_state: tenacity.RetryCallState) -> None:
    error = retry_state.outcome.exception() if retry_state.outcome else None
    log.warning("%s; asking again in %.1f s", getattr(error, "message", error), retry_state.upcoming_sleep)
