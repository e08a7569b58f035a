"""Sends mail through SMTP; without a server there is nothing to send through."""

from __future__ import annotations

import smtplib
import ssl
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import make_msgid
from typing import Final

import anyio.to_thread

TIMEOUT_S: Final = 10.0
_TLS_PORT: Final = 465


class MailNotDelivered(Exception):
    """The server was not reached or refused; the text holds no password."""


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mail goes out. Port 465 speaks TLS from the first byte, others upgrade when the server offers it."""

    host: str
    port: int
    sender: str
    user: str | None = None
    password: str | None = None

    def __repr__(self) -> str:
        return f"MailServer(host={self.host!r}, port={self.port})"

    async def send(self, to: str, subject: str, body: str) -> str:
        """Deliver to the server; its message id. Raises MailNotDelivered."""
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = self.sender, to, subject
        message["Message-ID"] = make_msgid(domain="leasebot.local")
        message.set_content(body)
        try:
            await anyio.to_thread.run_sync(self._deliver, message)
        except (OSError, smtplib.SMTPException) as error:
            raise MailNotDelivered(f"the mail server did not take it: {type(error).__name__}") from error
        return str(message["Message-ID"])

    def _deliver(self, message: EmailMessage) -> None:
        context = ssl.create_default_context()
        if self.port == _TLS_PORT:
            with smtplib.SMTP_SSL(self.host, self.port, timeout=TIMEOUT_S, context=context) as server:
                self._hand_over(server, message)
            return
        with smtplib.SMTP(self.host, self.port, timeout=TIMEOUT_S) as server:
            server.ehlo()
            if server.has_extn("starttls"):
                server.starttls(context=context)
            self._hand_over(server, message)

    def _hand_over(self, server: smtplib.SMTP, message: EmailMessage) -> None:
        if self.user and self.password:
            server.login(self.user, self.password)
        server.send_message(message)
