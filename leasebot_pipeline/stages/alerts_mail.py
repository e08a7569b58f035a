"""Alerts by mail to the team, through the mail server that invitations use."""

from __future__ import annotations

import smtplib
import ssl
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from typing import Literal

from pydantic import SecretStr

from leasebot_pipeline.domain.alerts import AlertEvent
from leasebot_pipeline.stages.alerts import AlertNotDelivered


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mail is handed over. ``security``: tls from the first byte, starttls when offered, or neither."""

    host: str
    port: int
    security: Literal["tls", "starttls", "none"] = "starttls"
    user: str | None = None
    password: SecretStr | None = None


@dataclass(frozen=True, slots=True)
class Mail:
    """Plain-text mail to everybody on the team."""

    server: MailServer
    sender: str
    recipients: tuple[str, ...]

    def deliver(self, event: AlertEvent, now: datetime, timeout_s: float) -> None:
        """Hand the mail to the server. Raises AlertNotDelivered unless it took it for every recipient."""
        try:
            with self._connect(timeout_s) as smtp:
                refused = smtp.send_message(self.message(event, now))
        except (OSError, smtplib.SMTPException) as error:
            raise AlertNotDelivered(f"the mail server did not take it: {type(error).__name__}") from error
        if refused:
            raise AlertNotDelivered(f"the mail server refused {len(refused)} of the recipients")

    def message(self, event: AlertEvent, now: datetime) -> EmailMessage:
        """The mail as it leaves."""
        mail = EmailMessage()
        mail["From"] = self.sender
        mail["To"] = ", ".join(self.recipients)
        mail["Subject"] = f"Lease Bot: {event.type} on {event.platform.value}"
        mail["Date"] = format_datetime(now)
        mail["Message-ID"] = make_msgid(domain="leasebot.local")
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(event.text())
        return mail

    def _connect(self, timeout_s: float) -> smtplib.SMTP:
        server = self.server
        if server.security == "tls":
            smtp: smtplib.SMTP = smtplib.SMTP_SSL(
                server.host, server.port, timeout=timeout_s, context=ssl.create_default_context()
            )
        else:
            smtp = smtplib.SMTP(server.host, server.port, timeout=timeout_s)
        try:
            if server.security == "starttls":
                smtp.ehlo()
                # A password never leaves in the clear; without one, a local relay may speak no TLS.
                if smtp.has_extn("starttls") or server.user is not None:
                    smtp.starttls(context=ssl.create_default_context())
            if server.user is not None and server.password is not None:
                smtp.login(server.user, server.password.get_secret_value())
        except BaseException:
            smtp.close()
            raise
        return smtp
