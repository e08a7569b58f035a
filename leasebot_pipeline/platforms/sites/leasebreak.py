"""Leasebreak."""

from leasebot_pipeline.domain.pacing import DEFAULT_PACES
from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.platforms.adapter import Adapter, ListingPages, SelectorSet

LEASEBREAK = Adapter(
    platform=Platform.LEASEBREAK,
    base_url="https://www.leasebreak.com",
    inbox_path="/messages",
    thread_path="/messages/{id}",
    login_path="/users/sign_in",
    auth_url_parts=("/users/sign_in", "/login", "/session/new"),
    auth_text_markers=(
        "log in to continue",
        "sign in to continue",
        "please sign in",
        "you need to sign in",
        "you need to log in",
    ),
    challenge_selectors=(
        "#cf-challenge-running",
        ".challenge-form",
        "#challenge-stage",
        "[data-testid='challenge-page']",
    ),
    captcha_selectors=(
        "iframe[src*='hcaptcha']",
        "iframe[src*='recaptcha']",
        "[name='cf-turnstile-response']",
        "[data-sitekey]",
    ),
    selectors=SelectorSet(
        inbox_landmark=("#inbox",),
        inbox_empty=(".messages-empty",),
        message_items=(
            "[data-thread-id][data-message-id]",
            "[data-thread-id]",
            ".message-row",
            "a[href*='/messages/']",
        ),
        message_body=(
            ".message-preview",
            "[data-testid='message-body']",
            "[class*='preview' i]",
            "[class*='snippet' i]",
        ),
        message_sent_at=("time[datetime]", ".message-time", "[class*='time' i]", "[class*='date' i]"),
        lead_name=(
            "[data-testid='message-lead-name']",
            ".message-name",
            "[class*='name' i]",
            "h3",
            "h4",
            "strong",
        ),
        thread_label=(
            "[data-testid='message-thread-label']",
            ".listing-title",
            "[class*='listing' i]",
            "[class*='title' i]",
        ),
        outbound_preview=(".outbound",),
        inbound_preview=(".message-row",),
        thread_landmark=("#conversation",),
        thread_message_items=(
            "[data-message-id]",
            "[data-testid='thread-message']",
            ".message",
            "[class*='message-bubble' i]",
        ),
        thread_message_body=(
            "[data-testid='message-body']",
            ".message-body",
            "[class*='message-content' i]",
            "p",
        ),
        thread_message_sent_at=("time[datetime]", ".message-time", "[class*='time' i]", "[class*='date' i]"),
        outbound_message=("[data-direction='outbound']", ".from-me", ".outbound"),
        inbound_message=("[data-direction='inbound']", ".inbound"),
        thread_lead_name=("#conversation .lead-name",),
        thread_listing_label=("#conversation .listing-title",),
        composer=(
            "textarea[name='message']",
            "textarea[name='body']",
            "textarea[data-testid='message-input']",
            "textarea",
        ),
        submit=(
            "button[type='submit']",
            "button[data-testid='send-button']",
            "button[data-testid='thread-send']",
        ),
        listings_landmark=("#my-listings",),
        listings_empty=(".listings-empty",),
        listing_items=(
            "[data-listing-id]",
            "[data-testid='listing-card']",
            "article[class*='listing' i]",
            "li[class*='listing' i]",
        ),
        listing_title=(
            "[data-testid='listing-title']",
            ".listing-title",
            "[class*='listing-title' i]",
            "h2",
            "h3",
        ),
        listing_link=("a[href*='/listing/']", "a[href*='/for-rent/']", "a[href*='/listings/']"),
        closing=(".site-footer", "footer"),
    ),
    listings=ListingPages(
        paths=("/my/listings", "/my-listings", "/listings/my", "/account/listings"),
        markers=("my listings", "manage listings", "active listings", "inactive listings", "deactivate"),
    ),
    pace=DEFAULT_PACES[Platform.LEASEBREAK],
)
