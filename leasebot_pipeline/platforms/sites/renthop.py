"""RentHop."""

from leasebot_pipeline.domain.pacing import DEFAULT_PACES
from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.platforms.adapter import Adapter, ListingPages, SelectorSet

RENTHOP = Adapter(
    platform=Platform.RENTHOP,
    base_url="https://www.renthop.com",
    inbox_path="/account/messages",
    thread_path="/account/messages/{id}",
    login_path="/login",
    auth_url_parts=("/login", "/users/sign_in"),
    auth_text_markers=("log in to continue", "sign in to continue", "you need to log in"),
    challenge_selectors=("#challenge-form", "[data-testid='challenge-screen']"),
    captcha_selectors=("iframe[src*='recaptcha']", "[name='cf-turnstile-response']"),
    selectors=SelectorSet(
        inbox_landmark=("[data-testid='message-list']",),
        inbox_empty=("[data-testid='message-list-empty']",),
        message_items=("[data-thread-id][data-message-id]", "[data-testid='message-item']"),
        message_body=("[data-testid='message-snippet']", ".message-text"),
        message_sent_at=("time[datetime]", "[class*='time' i]", "[class*='date' i]"),
        lead_name=("[data-testid='message-lead-name']", "[class*='name' i]", "strong"),
        thread_label=("[data-testid='message-listing-title']", "[class*='listing' i]", "[class*='title' i]"),
        outbound_preview=("[data-direction='outbound']", ".outbound"),
        inbound_preview=("[data-direction='inbound']",),
        thread_landmark=("[data-testid='thread']",),
        thread_message_items=("[data-testid='thread-message']", "[data-message-id][data-direction]"),
        thread_message_body=("[data-testid='message-body']", ".message-text", "p"),
        thread_message_sent_at=("time[datetime]",),
        outbound_message=("[data-direction='outbound']",),
        inbound_message=("[data-direction='inbound']",),
        thread_lead_name=("[data-testid='thread-lead-name']",),
        thread_listing_label=("[data-testid='thread-listing-title']",),
        composer=("textarea[name='message']",),
        submit=("button[data-testid='send-button']",),
        listings_landmark=("[data-testid='listing-list']",),
        listings_empty=("[data-testid='listing-list-empty']",),
        closing=("[data-testid='page-end']", "footer"),
    ),
    listings=ListingPages(paths=("/account/listings",), max_pages=50),
    pace=DEFAULT_PACES[Platform.RENTHOP],
)
