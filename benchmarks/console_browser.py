"""Taps of the console as somebody sees them: in Chromium, over the loaded database of `console.py`.

From the click until the page that answers it is in place and the browser has drawn a frame with it: the form, the
server, the script and the layout, on a phone's width. Milliseconds of wall clock; the browser and the API share the machine.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable
from pathlib import Path

from console import Loaded, figures, loaded_console
from playwright.sync_api import Page, sync_playwright

from leasebot_pipeline.platforms.browser_launch import find_executable
from leasebot_pipeline.platforms.options import RuntimeOptions

WIDTH, HEIGHT = 375, 812

# Two frames: the first is asked for before the layout, the second comes once that was drawn.
_WATCH = """() => {
  window.taken = new Promise((done) => {
    let began = 0;
    addEventListener("click", () => { began = performance.now(); }, { capture: true, once: true });
    document.addEventListener("htmx:afterSettle", () => {
      requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - began)));
    }, { once: true });
  });
}"""


def tapped(page: Page, tap: Callable[[], None]) -> float:
    page.evaluate(_WATCH)
    tap()
    return float(page.evaluate("window.taken"))


def run(page: Page, base: str, loaded: Loaded, rounds: int) -> dict[str, object]:
    drafts = iter(loaded.drafts)
    taken: dict[str, list[float]] = {}

    def timed(name: str, tap: Callable[[], None]) -> None:
        taken.setdefault(name, []).append(tapped(page, tap))

    for number in range(rounds):
        page.goto(f"{base}/admin/today")
        timed("open the inbox", page.locator("#bar").get_by_role("link", name="Inbox").click)
        timed("only what waits", page.get_by_role("link", name="Waiting").click)
        timed("open a conversation", page.get_by_test_id("inbox-row").get_by_role("link").first.click)
        page.get_by_label("New note").fill(f"Note {number}.")
        timed("add a note", page.get_by_role("button", name="Add note").click)
        for act in ("Approve and send", "Reject"):
            page.goto(f"{base}/admin/inbox/{next(drafts)[0]}")
            timed(act.lower(), page.get_by_role("button", name=act).click)
        page.get_by_label("Text to the lead").or_(page.get_by_label("Your reply")).last.fill(
            "Yes, it is still free."
        )
        timed("send a reply", page.get_by_role("button", name="Send", exact=True).click)
    return {name: figures(one) for name, one in taken.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--conversations", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    found = find_executable(
        RuntimeOptions(data_dir=Path("var"), environ={}, runtime="playwright"), headless=True
    )
    with loaded_console(args.conversations) as (port, loaded), sync_playwright() as playwright:
        base = f"http://127.0.0.1:{port}"
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        context = browser.new_context(viewport={"width": WIDTH, "height": HEIGHT}, has_touch=True)
        name, _, value = loaded.cookies["admin"].partition("=")
        context.add_cookies([{"name": name, "value": value, "url": base}])
        result = run(context.new_page(), base, loaded, args.rounds)
        browser.close()
    result["load"] = [round(one, 1) for one in os.getloadavg()]
    if args.json:
        print(json.dumps(result))
        return
    for name, figure in result.items():
        print(f"{name:<22}{figure}")


if __name__ == "__main__":
    main()
