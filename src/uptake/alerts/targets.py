"""Sends one message to one target: by SMTP (RFC 5321) or as JSON to a webhook.

What a target's connection holds is secret and is read when it is used; see `uptake.config.AlertTarget`.
"""

from __future__ import annotations

import smtplib
import ssl
from dataclasses import dataclass
from email.message import EmailMessage

import httpx

from uptake.config import AlertTarget
from uptake.credentials import Credential
from uptake.errors import ConfigError, TransientError

SECONDS = 10.0  # for each answer of a server
_SECURITY = ("starttls", "tls", "none")


@dataclass(frozen=True, slots=True)
class Message:
    """`state`: open or mended."""

    district: str
    subject: str
    state: str
    headline: str
    body: str
    at: str


def send(target: AlertTarget, credential: Credential, message: Message) -> None:
    """Raises ConfigError for a connection that lacks something, TransientError when the message was not taken."""
    try:
        (_mail if target.kind == "email" else _post)(target, credential, message)
    except (smtplib.SMTPException, httpx.HTTPError, OSError) as error:
        raise TransientError(
            f"alert target {target.name!r} did not take a message ({type(error).__name__})",
            remedy="look at its server and its connection; the message is sent again with the next run.",
        ) from error


def _mail(target: AlertTarget, credential: Credential, message: Message) -> None:
    host, security = credential.extra.get("host"), credential.extra.get("security", "starttls")
    if not host or security not in _SECURITY:
        raise ConfigError(
            f"connection {target.connection!r} is no SMTP server",
            remedy=f"its extra needs host, and may have port and security ({', '.join(_SECURITY)}).",
        )
    mail = EmailMessage()
    mail["Subject"], mail["From"], mail["To"] = message.headline, target.sender, ", ".join(target.to)
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers
    mail.set_content(message.body)
    port = int(credential.extra.get("port", 465 if security == "tls" else 587))
    context = ssl.create_default_context()
    if security == "tls":
        server: smtplib.SMTP = smtplib.SMTP_SSL(host, port, timeout=SECONDS, context=context)
    else:
        server = smtplib.SMTP(host, port, timeout=SECONDS)
    with server:
        if security == "starttls":
            server.starttls(context=context)
        if credential.login:
            server.login(credential.login, credential.password)
        server.send_message(mail)


def _post(target: AlertTarget, credential: Credential, message: Message) -> None:
    """`text` is what chat services show (https://api.slack.com/messaging/webhooks)."""
    if not credential.password:
        raise ConfigError(
            f"connection {target.connection!r} has no address",
            remedy="put the webhook's address in it as the password.",
        )
    body = {
        "text": f"{message.headline}\n{message.body}",
        "district": message.district,
        "subject": message.subject,
        "state": message.state,
        "at": message.at,
    }
    httpx.post(credential.password, json=body, timeout=SECONDS).raise_for_status()
