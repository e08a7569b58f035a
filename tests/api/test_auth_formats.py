"""Hashes and cookies in Better Auth's formats; the fixed values were made by better-auth 1.4.22 itself."""

from __future__ import annotations

import pytest

from api.auth.cookies import CookieJar, parse, sign, unsign
from api.auth.passwords import hash_password, verify_password

TOKEN = "AbCdEfGhIjKlMnOpQrStUvWxYz012345"
SECRET = "a-secret-of-the-tests-that-is-long-enough"


@pytest.mark.parametrize(
    ("password", "stored"),
    [
        (
            "correct horse battery",
            "d054569bbf9b74f81115c9a9a5550472:0486efc1c7ff44b6cadcc1faf69f1603e9e4f0696928dae83c83c28076ceb1d76"
            "199cc347015f4749c16b0548d64662c449cfa801d0179663448b9822200d6a2",
        ),
        (
            "Ünïcödé ﬁ Å",
            "514dfacfc58745849c685e29ad39225c:b62e6acbe4f65632015952e69e1f17fe704c11ba42688a8d8d7473d206eb807e"
            "16a4db58ec0c5b54e065e10ec8744b86bf7c19fac4c94fd18611d2e38d471105",
        ),
        (
            "emoji 🏠 key",
            "1123457250f1ba12a47a4f9fc9096559:af8e723fc239ad6342a252e913f0fc9ebd8c82da621893b33e804262b1f37525"
            "cf5069c00206edcb7101cf1f716a2c94e1111e7f1ffc4f9da8648dae8f9ecdb8",
        ),
    ],
)
def test_a_password_stored_by_better_auth_is_accepted(password: str, stored: str) -> None:
    assert verify_password(stored, password)
    assert not verify_password(stored, password + "x")


def test_our_hash_has_the_same_form_and_a_fresh_salt() -> None:
    first, second = hash_password("Ünïcödé ﬁ Å"), hash_password("Ünïcödé ﬁ Å")
    assert first != second
    salt, key = first.split(":")
    assert (len(salt), len(key)) == (32, 128)
    assert verify_password(first, "Ünïcödé fi Å"), "compatibility forms of the same text are one password"


@pytest.mark.parametrize("stored", [None, "", "nonsense", "abc:nothex", f"{'0' * 32}:{'0' * 128}"])
def test_an_unusable_hash_matches_nothing(stored: str | None) -> None:
    assert not verify_password(stored, "x")


def test_a_lone_surrogate_in_a_password_is_refused_not_a_crash() -> None:
    assert not verify_password(None, "\ud800")


def test_the_session_cookie_is_byte_for_byte_the_library_s() -> None:
    [line] = CookieJar(SECRET, secure=False).signed_in(TOKEN, remember=True, max_age_s=604800)
    assert line == (
        "better-auth.session_token=AbCdEfGhIjKlMnOpQrStUvWxYz012345."
        "%2BHY7esYpvsXdUnZBnNnmZDir8f3ozss8b%2F5%2FppXp80g%3D; Max-Age=604800; Path=/; HttpOnly; SameSite=Lax"
    )


def test_the_cookie_of_an_https_site_is_byte_for_byte_the_library_s() -> None:
    [line] = CookieJar("ключ-é", secure=True).signed_in(TOKEN, remember=True, max_age_s=604800)
    assert line == (
        "__Secure-better-auth.session_token=AbCdEfGhIjKlMnOpQrStUvWxYz012345."
        "lGSe%2Fruu2paO0BeraTjIS%2Bl80Q%2F510%2F35R7wpXb%2Bu%2FA%3D; Max-Age=604800; Path=/; HttpOnly; Secure;"
        " SameSite=Lax"
    )


def test_a_session_that_is_not_remembered_ends_with_the_browser() -> None:
    lines = CookieJar(SECRET, secure=False).signed_in(TOKEN, remember=False, max_age_s=604800)
    assert [line.split("=")[0] for line in lines] == [
        "better-auth.session_token",
        "better-auth.dont_remember",
    ]
    assert not any("Max-Age" in line for line in lines)


def test_a_cookie_with_another_signature_or_value_is_not_ours() -> None:
    signed = sign(TOKEN, SECRET)
    assert unsign(signed, SECRET) == TOKEN
    assert unsign(signed, SECRET + "x") is None
    assert unsign("Z" + signed[1:], SECRET) is None
    for broken in (
        "",
        ".",
        TOKEN,
        f"{TOKEN}.",
        f"{TOKEN}.short=",
        f".{signed.split('.')[1]}",
        f"{TOKEN}.{'é' * 44}",
    ):
        assert unsign(broken, SECRET) is None


def test_a_cookie_header_is_read_as_browsers_write_it() -> None:
    header = 'theme=dark; better-auth.session_token=abc.d%2Be%3D; quoted="x y"; broken; theme=second'
    assert parse(header) == {"theme": "dark", "better-auth.session_token": "abc.d+e=", "quoted": "x y"}
