"""What a page must not do, noted while somebody uses it, and what is asked of every screen."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import ConsoleMessage, Page, Request

_AXE = Axe()
_LOOK = """async () => {
  const root = document.documentElement, was = root.dataset.theme, faults = [];
  for (const theme of ["light", "dark"]) {
    root.dataset.theme = theme;
    const found = await axe.run({
      runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
      resultTypes: ["violations"],
    });
    for (const rule of found.violations) for (const node of rule.nodes)
      faults.push(`${theme}: ${rule.id}: ${node.target} ${node.html.slice(0, 120)} ${(node.failureSummary ?? "").slice(0, 200)}`);
  }
  root.dataset.theme = was;
  return faults;
}"""

_SMALL_TARGETS = """() => [...document.querySelectorAll('a, button, input, select, textarea, summary')]
  .filter(e => e.checkVisibility({visibilityProperty: true}) && !e.closest('.skip, .sr-only')
    && !(e.matches('input[type=hidden]'))
    && !(e.matches('a') && getComputedStyle(e).display === 'inline')      // a link within a sentence
    && !(e.matches('input[type=checkbox], input[type=radio]') && e.closest('label')))
  .map(e => [e.outerHTML.slice(0, 120), e.getBoundingClientRect()])
  .filter(([, box]) => box.width > 0 && (box.height < 43.5 || box.width < 43.5))
  .map(([html, box]) => `${Math.round(box.width)}x${Math.round(box.height)} ${html}`)"""

_WIDER = """() => {
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= width) return [];
  return [...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > width + 1)
    .slice(0, 5).map(e => e.outerHTML.slice(0, 120));
}"""


_COVERED = """() => [...document.querySelectorAll('main :is(a[href], button, input:not([type=hidden]), select, textarea, summary)')]
  .filter(e => e.checkVisibility({visibilityProperty: true}) && !e.closest('.sr-only'))
  .filter(e => {
    e.focus();
    const box = e.getBoundingClientRect();
    return ![.1, .5, .9].some(x => [.1, .5, .9].some(y => {
      const top = document.elementFromPoint(box.x + x * box.width, box.y + y * box.height);
      return top && (e.contains(top) || top.contains(e) || top.closest('label')?.contains(e));
    }));
  })
  .map(e => e.outerHTML.slice(0, 120))"""

_JUMPS = """async () => {
  const shifts = [];
  const seen = new PerformanceObserver(list => shifts.push(...list.getEntries()));
  seen.observe({type: 'layout-shift', buffered: true});
  for (const _ of 'ab') await new Promise(requestAnimationFrame);
  return shifts.filter(shift => !shift.hadRecentInput).flatMap(shift => shift.sources.map(
    source => `${shift.value.toFixed(4)} ${(source.node?.outerHTML ?? source.node?.textContent ?? '').slice(0, 120)}`));
}"""


_CUT = ("htmx:sendError", "htmx:afterRequest")


class Person(Protocol):
    """Opens a page as ``stranger``, ``agent`` or ``admin``, at a width in CSS pixels."""

    def __call__(self, who: str, width: int = 375, **options: object) -> Page: ...


@dataclass
class Watched:
    """Complaints of pages: errors of script, messages of the console, requests to other hosts."""

    complaints: list[str] = field(default_factory=list)

    def follow(self, page: Page, origin: str) -> None:
        def console(message: ConsoleMessage) -> None:
            # Chromium reports every 4xx answer here, htmx a line that is cut; the tests expect some.
            expected = "Failed to load resource" in message.text or message.text.startswith(_CUT)
            if message.type in ("error", "warning") and not expected:
                self.complaints.append(f"{page.url}: {message.text}")

        def asked(request: Request) -> None:
            if not request.url.startswith((origin, "data:")):
                self.complaints.append(f"{page.url} asked {request.url}")

        page.on("console", console)
        page.on("pageerror", lambda error: self.complaints.append(f"{page.url}: {error}"))
        page.on("request", asked)


def accessibility_faults(page: Page) -> list[str]:
    """Violations axe finds in the light and in the dark theme, as ``theme: rule: selector``."""
    if page.evaluate("typeof axe === 'undefined'"):
        page.evaluate(_AXE.axe_script)
    return list(page.evaluate(_LOOK))


def small_targets(page: Page) -> list[str]:
    """Controls smaller than 44 px either way."""
    return list(page.evaluate(_SMALL_TARGETS))


def too_wide(page: Page) -> list[str]:
    """What makes the page scroll sideways."""
    return list(page.evaluate(_WIDER))


def covered(page: Page) -> list[str]:
    """Controls that are out of sight when the keyboard comes to them, below what sticks to an edge of the window."""
    return list(page.evaluate(_COVERED))


def jumps(page: Page) -> list[str]:
    """What has moved since the page was first painted, by itself."""
    return list(page.evaluate(_JUMPS))


def agrees(page: Page) -> None:
    """Says yes to every question the console asks from now on."""
    asked = page.get_by_role("alertdialog")
    page.add_locator_handler(asked, lambda dialog: dialog.get_by_role("button").last.click())
