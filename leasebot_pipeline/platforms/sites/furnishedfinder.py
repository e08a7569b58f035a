"""Furnished Finder. Messages carry no ids: their identity is hashed from what they show."""

from leasebot_pipeline.domain.pacing import DEFAULT_PACES
from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.platforms.adapter import Adapter, ListingPages, SelectorSet

FURNISHEDFINDER = Adapter(
    platform=Platform.FURNISHEDFINDER,
    base_url="https://www.furnishedfinder.com",
    inbox_path="/messaging/inbox",
    thread_path="/messaging/thread/{id}",
    login_path="/login",
    auth_url_parts=("/login", "/users/sign_in"),
    auth_text_markers=("log in to continue", "sign in to continue", "you need to sign in"),
    challenge_selectors=("#challenge-stage", "[data-testid='bot-challenge']"),
    captcha_selectors=("iframe[src*='captcha']", "[data-testid='captcha-frame']"),
    selectors=SelectorSet(
        inbox_landmark=("[data-testid='messaging-inbox']",),
        inbox_empty=("[data-testid='messaging-inbox-empty']",),
        message_items=("[data-thread-id][data-message-id]", ".thread-row"),
        message_body=("[data-testid='thread-preview']", ".thread-preview"),
        message_sent_at=("time[datetime]", ".thread-date", "[class*='time' i]", "[class*='date' i]"),
        lead_name=(".thread-name", "[class*='name' i]", "h3"),
        thread_label=(".thread-title", "[class*='title' i]"),
        outbound_preview=("[data-author='me']",),
        inbound_preview=("[data-author='lead']",),
        thread_landmark=("[data-testid='messaging-thread']",),
        thread_message_items=("[data-testid='thread-message']",),
        thread_message_body=("[data-testid='message-body']",),
        thread_message_sent_at=("[data-testid='message-time']", "time[datetime]"),
        outbound_message=("[data-author='me']", "[data-author='self']"),
        inbound_message=("[data-author='lead']",),
        thread_lead_name=("[data-testid='thread-lead-name']",),
        property_name=("[data-testid='thread-property-name']",),
        unit_number=("[data-testid='thread-unit-number']",),
        composer=("textarea[name='messageBody']",),
        submit=("button[data-testid='thread-send']",),
        listings_landmark=("[data-testid='owner-properties']",),
        listings_empty=("[data-testid='owner-properties-empty']",),
        listing_link=("a[href*='/property/']", "a[href]"),
        listing_property=("[data-testid='listing-property-name']",),
        listing_unit=("[data-testid='listing-unit-number']",),
        closing=("[data-testid='footer-end']", "footer"),
    ),
    listings=ListingPages(paths=("/owner/properties",), max_pages=50),
    pace=DEFAULT_PACES[Platform.FURNISHEDFINDER],
    message_ids=False,
)
