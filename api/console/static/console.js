// What the console does beyond plain links and forms. Everything here is a convenience: without it pages
// are read, and the main forms are sent, all the same.
"use strict";

const THEME = "lease-bot-theme";

// Theme: the cookie lets the server draw the right colours at once; the stored value is the earlier system's name.
const nightly = matchMedia("(prefers-color-scheme: dark)");

function isDark() {
  const { theme } = document.documentElement.dataset;
  return theme === "dark" || (theme !== "light" && nightly.matches);
}

// Buttons say what a tap would do; following the system is offered to who does not.
function sayTheme() {
  const dark = isDark();
  const other = dark ? "light" : "dark";
  for (const button of document.querySelectorAll("[data-theme-toggle]")) {
    button.value = other;
    button.setAttribute("aria-label", `Switch to ${other} theme`);
    button.setAttribute("aria-pressed", String(dark));
    const drawing = button.querySelector("use");
    drawing.setAttribute("href", drawing.getAttribute("href").replace(/#.*/, dark ? "#sun" : "#moon"));
  }
  for (const button of document.querySelectorAll("[data-theme-system]")) {
    button.hidden = document.documentElement.dataset.theme === "system";
  }
}

function setTheme(theme) {
  const root = document.documentElement;
  root.dataset.theme = theme;
  root.classList.toggle("dark", theme === "dark");
  const secure = location.protocol === "https:" ? "; Secure" : "";
  const age = theme === "system" ? 0 : 31536000;
  document.cookie = `${THEME}=${theme}; Path=/; Max-Age=${age}; SameSite=Lax${secure}`;
  try {
    if (theme === "system") localStorage.removeItem(THEME); else localStorage.setItem(THEME, theme);
  } catch { /* private windows may refuse it */ }
  sayTheme();
}

document.addEventListener("click", (event) => {
  const wanted = event.target.closest("[data-theme-toggle], [data-theme-system]");
  if (wanted) {
    event.preventDefault();
    const toggle = wanted.parentElement.querySelector("[data-theme-toggle]");
    setTheme(wanted === toggle ? (isDark() ? "light" : "dark") : "system");
    toggle.focus();  // the other button may have gone
    return;
  }
  const close = event.target.closest("[data-close]");
  if (close) close.closest(".notice").remove();
});

nightly.addEventListener("change", sayTheme);
sayTheme();

// What went well goes by itself after a while, unless somebody points at it; what failed stays until it is dismissed.
const NOTICE_MS = 10_000;

function letNoticesGo() {
  for (const notice of document.querySelectorAll('.notice[data-kind="done"]:not([data-going])')) {
    notice.dataset.going = "";
    const go = () => (notice.matches(":hover, :focus-within") ? setTimeout(go, NOTICE_MS) : notice.remove());
    setTimeout(go, NOTICE_MS);
  }
}

// A tap that nobody answered is not silent.
document.addEventListener("htmx:sendError", () => {
  const notices = document.getElementById("notices");
  const notice = document.createElement("div");
  const text = document.createElement("p");
  const close = document.createElement("button");
  notice.className = "notice";
  notice.dataset.kind = "failed";
  text.textContent = "No answer: there is no connection just now. What you typed is still here; try again in a moment.";
  close.type = "button";
  close.className = "quiet";
  close.dataset.close = "";
  close.textContent = "Dismiss";
  notice.append(text, close);
  notices.replaceChildren(notice);
});

// A choice that takes effect at once: <select data-submit>. By keyboard it takes the button beside it, because some
// browsers change a list's value with every arrow key.
let byKey = false;
document.addEventListener("keydown", () => { byKey = true; }, true);
document.addEventListener("pointerdown", () => { byKey = false; }, true);
document.addEventListener("change", (event) => {
  if (event.target.matches("[data-submit]") && !byKey) event.target.form.requestSubmit();
});

// What cannot be taken back asks first: <form data-confirm="...">.
document.addEventListener("submit", (event) => {
  const question = event.submitter?.dataset.confirm ?? event.target.dataset.confirm;
  if (question && !confirm(question)) { event.preventDefault(); event.stopImmediatePropagation(); }
}, true);

// Text somebody typed is not lost by a change of page: fields with data-keep="key" are remembered until sent,
// and put back unless the page has filled something else in (data-keep-fresh).
function keepTyped(root) {
  for (const field of root.querySelectorAll("[data-keep]")) {
    const key = `keep:${field.dataset.keep}`;
    const kept = sessionStorage.getItem(key);
    if (kept !== null && !("keepFresh" in field.dataset) && field.value === field.defaultValue) field.value = kept;
    field.addEventListener("input", () => sessionStorage.setItem(key, field.value));
    field.form?.addEventListener("submit", () => sessionStorage.removeItem(key));
  }
}

// After a change of page the reader starts at its top. After an answer of a form they stay where they were, unless the
// form led elsewhere, or something was refused: then the reason is brought into sight.
let before = null;

document.addEventListener("htmx:beforeSwap", (event) => {
  const main = event.detail.target;
  if (main?.id === "main") before = { y: window.scrollY, path: location.pathname, keys: keyboardIn(main) };
});

// Before anything is painted: while two pages stand below each other the browser holds on to the one that goes.
document.addEventListener("htmx:afterSwap", () => { if (before) window.scrollTo(0, before.y); });

document.addEventListener("htmx:afterSettle", (event) => {
  letNoticesGo();
  if (event.target.id !== "main" && event.detail.elt?.id !== "main") return;
  const main = document.getElementById("main");
  keepTyped(main);
  listen();
  showChosen();
  document.getElementById("menu")?.hidePopover?.();
  const was = before;
  before = null;
  const asked = event.detail.requestConfig;
  if ((asked?.verb === "get" && asked.triggeringEvent?.type === "click") || (was && was.path !== location.pathname)) {
    if (!location.hash) window.scrollTo(0, 0);
    (main.querySelector("[data-focus]") ?? main).focus({ preventScroll: true });
  } else if (was && asked?.verb === "post") {
    giveKeyboard(main, was.keys);
    main.querySelector(".problem")?.scrollIntoView({ block: "nearest" });
  }
});

// How to find a control again in newer content of the page: by what it has of these, and by its form.
function nameOf(control) {
  const told = ["id", "href", "name", "value"].map((name) => (control.hasAttribute(name)
    ? `[${name}=${JSON.stringify(control.getAttribute(name))}]` : `:not([${name}])`));
  const form = control.form ? `form[action=${JSON.stringify(control.form.getAttribute("action"))}] ` : "";
  return form + control.localName + told.join("");
}

// The control of `root` that has the keyboard, then the parts of the page it stands in: where the keyboard goes on.
function keyboardIn(root) {
  const names = [];
  const control = document.activeElement;
  if (!control || control === root || !root.contains(control)) return names;
  names.push(nameOf(control));
  for (let part = control.parentElement; part && part !== root; part = part.parentElement) {
    if (part.id) names.push(`#${CSS.escape(part.id)}`);
  }
  return names;
}

function giveKeyboard(root, names) {
  for (const name of names) {
    const found = root.querySelector(name);
    if (!found) continue;
    if (found.tabIndex < 0) found.tabIndex = -1;
    found.focus({ preventScroll: true });
    return;
  }
  if (names.length && root.tabIndex === -1) root.focus({ preventScroll: true });
}

// In a row of choices that scrolls sideways, the chosen one is in sight.
function showChosen() {
  for (const chosen of document.querySelectorAll(".chips [aria-current]")) {
    const row = chosen.parentElement;
    row.scrollLeft = Math.max(0, chosen.offsetLeft + chosen.offsetWidth - row.offsetLeft - row.clientWidth + 48);
  }
}

// Live: <main data-live="/console/live?..."> names a stream that says when something shown has changed; then every
// [data-live-region] of the page is fetched anew, except one somebody is typing in or has typed in.
let stream = null;
let subject = null;

function listen() {
  const wanted = document.querySelector("[data-live]")?.dataset.live ?? null;
  if (wanted === subject) return;
  stream?.close();
  subject = wanted;
  stream = wanted ? new EventSource(wanted) : null;
  stream?.addEventListener("changed", refresh);
}

let refreshing = false;
let again = false;

// While an answer is awaited no region is exchanged: what was clicked must still be there when the answer comes, because
// htmx looks up then, from that element, what to do with it.
const awaited = new Set();

document.addEventListener("htmx:beforeRequest", ({ detail: { xhr } }) => {
  awaited.add(xhr);
  xhr.addEventListener("loadend", () => {
    awaited.delete(xhr);
    if (again && !awaited.size) { again = false; refresh(); }
  });
});

async function refresh() {
  if (refreshing || awaited.size) { again = true; return; }
  refreshing = true;
  try {
    const answer = await fetch(location.href, { headers: { "HX-Request": "true" }, credentials: "same-origin" });
    if (!answer.ok || answer.redirected) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (awaited.size) { again = true; return; }
    for (const region of document.querySelectorAll("[data-live-region]")) {
      const next = fresh.getElementById(region.id);
      const fields = [...region.querySelectorAll("input:not([type=hidden]), textarea, select")];
      const typing = fields.some((field) => field === document.activeElement || "typed" in field.dataset ||
        (field.matches("textarea, input") && field.value !== field.defaultValue));
      if (!next || typing || next.innerHTML === region.innerHTML) continue;
      const keys = keyboardIn(region);
      region.replaceChildren(...next.childNodes);
      htmx.process(region);
      if (keys.length) giveKeyboard(region.parentElement, [...keys, `#${CSS.escape(region.id)}`]);
    }
  } finally {
    refreshing = false;
    if (again && !awaited.size) { again = false; refresh(); }
  }
}

keepTyped(document);
letNoticesGo();
listen();
showChosen();
addEventListener("pagehide", () => { stream?.close(); stream = null; subject = null; });
addEventListener("pageshow", (event) => { if (event.persisted) listen(); });

// Copying what stands in a field: <button data-copy="id of the field">.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const field = document.getElementById(button.dataset.copy);
  field.select();
  try { await navigator.clipboard.writeText(field.value); button.lastChild.textContent = "Copied"; } catch { /* it stays selected, to copy by hand */ }
});
