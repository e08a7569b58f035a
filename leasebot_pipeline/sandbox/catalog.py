"""What distinguishes the five sites: addresses, cookie, form fields, page sizes. The looks are templates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal
from urllib.parse import quote

from leasebot_pipeline.domain.platforms import Platform


@dataclass(frozen=True, slots=True)
class Site:
    """One platform's addresses. ``{id}`` stands for a thread's or advert's id."""

    platform: Platform
    title: str
    host: str
    """The real site's host name, shown on interstitial pages."""
    cookie: str
    login_path: str
    inbox_path: str
    thread_url: str
    listings_path: str
    advert_url: str
    user_field: str
    password_field: str
    reply_field: str
    paging: Literal["page", "offset"] = "page"
    threads_per_page: int = 10
    adverts_per_page: int = 5
    sorted_by_inbound: bool = False

    def thread_address(self, thread_id: str) -> str:
        """Path and query of a thread page."""
        return self.thread_url.format(id=quote(thread_id, safe=""))


SITES: Final[Mapping[Platform, Site]] = MappingProxyType(
    {
        site.platform: site
        for site in (
            Site(
                Platform.SPAREROOM,
                title="SpareRoom",
                host="www.spareroom.com",
                cookie="sr_session",
                login_path="/roommate/logon.pl",
                inbox_path="/roommate/mythreads_beta.pl",
                thread_url="/roommate/mythreads_beta.pl?thread_id={id}",
                listings_path="/roommate/mylistings.pl",
                advert_url="/roommate/{id}",
                user_field="email",
                password_field="password",  # noqa: S106 - a form field's name
                reply_field="message",
                paging="offset",
                adverts_per_page=10,
                sorted_by_inbound=True,
            ),
            Site(
                Platform.ROOMIES,
                title="Roomies",
                host="www.roomies.com",
                cookie="roomies_session",
                login_path="/login",
                inbox_path="/inbox",
                thread_url="/inbox/{id}",
                listings_path="/my-listings",
                advert_url="/rooms/{id}",
                user_field="email",
                password_field="password",  # noqa: S106
                reply_field="body",
            ),
            Site(
                Platform.LEASEBREAK,
                title="Leasebreak",
                host="www.leasebreak.com",
                cookie="_leasebreak_session",
                login_path="/users/sign_in",
                inbox_path="/messages",
                thread_url="/messages/{id}",
                listings_path="/my/listings",
                advert_url="/listing/{id}",
                user_field="user[email]",
                password_field="user[password]",  # noqa: S106
                reply_field="message",
            ),
            Site(
                Platform.RENTHOP,
                title="RentHop",
                host="www.renthop.com",
                cookie="rh_sid",
                login_path="/login",
                inbox_path="/account/messages",
                thread_url="/account/messages/{id}",
                listings_path="/account/listings",
                advert_url="/listings/{id}",
                user_field="username",
                password_field="password",  # noqa: S106
                reply_field="message",
            ),
            Site(
                Platform.FURNISHEDFINDER,
                title="Furnished Finder",
                host="www.furnishedfinder.com",
                cookie="ff_session",
                login_path="/login",
                inbox_path="/messaging/inbox",
                thread_url="/messaging/thread/{id}",
                listings_path="/owner/properties",
                advert_url="/property/{id}",
                user_field="email",
                password_field="password",  # noqa: S106
                reply_field="messageBody",
            ),
        )
    }
)
