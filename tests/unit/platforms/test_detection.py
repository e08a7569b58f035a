"""What page is this? Behaviour 148, G-40: positive proof, and each failure in its class."""

from __future__ import annotations

import pytest

from leasebot_pipeline.domain.failures import PlatformFailure
from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.platforms.detection import PageKind, require_page
from leasebot_pipeline.platforms.page import HIDDEN_ATTRIBUTE, PageSnapshot
from tests.unit.platforms.html import EMPTY_INBOXES, adapter_of, inbox, page

each_platform = pytest.mark.parametrize("platform", list(Platform), ids=lambda p: p.value)

CHALLENGES = {
    Platform.SPAREROOM: '<form id="challenge-form">wait</form>',
    Platform.ROOMIES: '<div id="challenge-stage">wait</div>',
    Platform.LEASEBREAK: '<div class="challenge-form">wait</div>',
    Platform.RENTHOP: '<div data-testid="challenge-screen">wait</div>',
    Platform.FURNISHEDFINDER: '<div data-testid="bot-challenge">wait</div>',
}
CAPTCHAS = {
    Platform.SPAREROOM: '<div data-sitekey="k">x</div>',
    Platform.ROOMIES: '<iframe src="https://www.google.com/recaptcha/x"></iframe>',
    Platform.LEASEBREAK: '<iframe src="https://hcaptcha.com/x"></iframe>',
    Platform.RENTHOP: '<input type="hidden" name="cf-turnstile-response">',
    Platform.FURNISHEDFINDER: '<div data-testid="captcha-frame">x</div>',
}


def code_of(snapshot: PageSnapshot, platform: Platform, kind: PageKind = PageKind.INBOX) -> str | None:
    try:
        require_page(adapter_of(platform), kind, snapshot)
    except PlatformFailure as failure:
        return failure.code
    return None


@each_platform
def test_an_empty_inbox_is_proven_by_its_own_words(platform: Platform) -> None:
    read = inbox(platform, EMPTY_INBOXES[platform])
    assert (read.rows, read.rows_without_identity) == ((), 0)


@each_platform
def test_an_inbox_with_neither_rows_nor_empty_state_has_changed(platform: Platform) -> None:
    with pytest.raises(PlatformFailure, match="MARKUP_DRIFT"):
        inbox(platform, "<p>Welcome back</p>")


@each_platform
@pytest.mark.parametrize("kind", list(PageKind))
def test_a_page_without_its_landmark_has_changed(platform: Platform, kind: PageKind) -> None:
    assert code_of(page(platform, kind, "<p>Hello</p>", landmark=False), platform, kind) == "MARKUP_DRIFT"


@each_platform
@pytest.mark.parametrize("kind", list(PageKind))
@pytest.mark.parametrize("landmark", [True, False])
def test_half_a_page_is_incomplete(platform: Platform, kind: PageKind, landmark: bool) -> None:
    snapshot = page(platform, kind, "<p>Hel", whole=False, landmark=landmark)
    assert code_of(snapshot, platform, kind) == "PAGE_INCOMPLETE"


@each_platform
def test_protection_is_looked_for_in_order(platform: Platform) -> None:
    login = adapter_of(platform).login_url
    both = CHALLENGES[platform] + CAPTCHAS[platform]
    assert code_of(page(platform, PageKind.INBOX, "", around=both, url=login), platform) == "BOT_CHALLENGE"
    captcha = page(platform, PageKind.INBOX, "", around=CAPTCHAS[platform], url=login)
    assert code_of(captcha, platform) == "CAPTCHA_REQUIRED"
    assert code_of(page(platform, PageKind.INBOX, "", url=login), platform) == "SESSION_EXPIRED"


@each_platform
def test_what_nobody_can_see_is_no_challenge_and_no_captcha(platform: Platform) -> None:
    hidden = (CHALLENGES[platform] + CAPTCHAS[platform]).replace("<div ", f"<div {HIDDEN_ATTRIBUTE} ")
    hidden = hidden.replace("<form ", f"<form {HIDDEN_ATTRIBUTE} ").replace(
        "<iframe ", f"<iframe {HIDDEN_ATTRIBUTE} "
    )
    hidden = hidden.replace("<input ", f"<input {HIDDEN_ATTRIBUTE} ")
    assert inbox(platform, EMPTY_INBOXES[platform], around=hidden).rows == ()


@pytest.mark.parametrize(
    ("platform", "words"),
    [
        (Platform.SPAREROOM, "To view this content you will need to either log in or register"),
        (Platform.ROOMIES, "Please login"),
        (Platform.LEASEBREAK, "You need to sign in first"),
        (Platform.RENTHOP, "Log in to continue"),
        (Platform.FURNISHEDFINDER, "Sign in to continue"),
    ],
)
def test_the_platforms_own_words_mean_an_expired_session(platform: Platform, words: str) -> None:
    around = f"<p>{words}.</p>"
    assert code_of(page(platform, PageKind.INBOX, "", around=around), platform) == "SESSION_EXPIRED"


def test_a_leads_words_mean_nothing_of_the_kind() -> None:
    row = (
        '<a href="/inbox/71001" class="flex gap-4"><div class="font-semibold text-gray-800">Please Login</div>'
        '<div class="text-gray-700 text-sm truncate">please login, ray id cloudflare, unable to access</div></a>'
    )
    assert inbox(Platform.ROOMIES, row, title="Access denied | Roomies").rows[0].lead_name == "Please Login"


@each_platform
def test_a_login_form_in_place_of_the_page_is_an_expired_session(platform: Platform) -> None:
    form = '<form><input name="email"><input type="password"></form>'
    assert code_of(page(platform, PageKind.INBOX, form, landmark=False), platform) == "SESSION_EXPIRED"


@pytest.mark.parametrize(
    ("status", "title", "text", "code"),
    [
        (403, "", "Verifying you are human", "BOT_CHALLENGE"),
        (200, "Just a moment...", "needs to review the security of your connection", "BOT_CHALLENGE"),
        (403, "Attention Required!", "Sorry, you have been blocked. Cloudflare Ray ID: 1", "ACCESS_BLOCKED"),
        (503, "", "Performance & security by Cloudflare", "BOT_CHALLENGE"),
        (403, "", "Forbidden", "PAGE_FORBIDDEN"),
        (401, "", "Unauthorized", "SESSION_EXPIRED"),
        (419, "", "Page expired", "SESSION_EXPIRED"),
        (404, "", "Not found", "PAGE_NOT_FOUND"),
        (410, "", "Gone", "PAGE_NOT_FOUND"),
        (429, "", "Slow down", "RATE_LIMITED"),
        (500, "", "Oops", "PLATFORM_UNAVAILABLE"),
        (503, "Service Unavailable", "Back soon", "PLATFORM_UNAVAILABLE"),
        (400, "", "Bad", "PAGE_FORBIDDEN"),
    ],
)
@each_platform
def test_blocks_and_statuses(platform: Platform, status: int, title: str, text: str, code: str) -> None:
    snapshot = page(
        platform, PageKind.INBOX, "", status=status, title=title, around=f"<h1>{text}</h1>", landmark=False
    )
    assert code_of(snapshot, platform) == code


@each_platform
def test_scripts_are_no_text(platform: Platform) -> None:
    around = "<script>var t = 'please login, log in to continue, sign in to continue'</script>"
    assert inbox(platform, EMPTY_INBOXES[platform], around=around).rows == ()
