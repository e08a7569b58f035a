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

// Some browsers keep a cookie that a script set for a week only: it is set anew with each page, and where it is gone
// (or was never set, by the earlier system) the stored value brings the theme back.
function remembered() {
  const { theme } = document.documentElement.dataset;
  if (theme !== "system") return theme;
  try { return localStorage.getItem(THEME); } catch { return null; }
}

if (["light", "dark"].includes(remembered())) setTheme(remembered()); else sayTheme();

// What went well goes by itself after a while, unless somebody points at it; what failed stays until it is dismissed.
const NOTICE_MS = 10_000;

function letNoticesGo() {
  for (const notice of document.querySelectorAll('.notice[data-kind="done"]:not([data-going])')) {
    notice.dataset.going = "";
    const go = () => (notice.matches(":hover, :focus-within") ? setTimeout(go, NOTICE_MS) : notice.remove());
    setTimeout(go, NOTICE_MS);
  }
}

// A tap that nobody answered, or that was answered by no page of ours, is not silent.
function sayFailed(words) {
  const notice = document.createElement("div");
  const text = document.createElement("p");
  const close = document.createElement("button");
  notice.className = "notice";
  notice.dataset.kind = "failed";
  text.textContent = `${words} What you typed is still here.`;
  close.type = "button";
  close.className = "quiet";
  close.dataset.close = "";
  close.textContent = "Dismiss";
  notice.append(text, close);
  document.getElementById("notices").replaceChildren(notice);
}

// What changed by itself in the thread is told to who listens instead of looking.
function sayQuietly(words) {
  const told = document.createElement("p");
  told.className = "sr-only";
  told.textContent = words;
  document.getElementById("notices").append(told);
  setTimeout(() => told.remove(), NOTICE_MS);
}

// The newest message and its state; without its time, which alone is no news.
function newestIn(thread) {
  const pieces = thread.lastElementChild?.querySelectorAll(":scope > .said, :scope > .delivery > .badge") ?? [];
  return [...pieces].map((piece) => piece.textContent.trim()).join(": ");
}

document.addEventListener("htmx:sendError", () => {
  sayFailed("No answer: there is no connection just now. Try again in a moment.");
});

// A choice that takes effect at once: <select data-submit>. By keyboard it takes the button beside it, because some
// browsers change a list's value with every arrow key.
let byKey = false;
document.addEventListener("keydown", () => { byKey = true; }, true);
document.addEventListener("pointerdown", () => { byKey = false; }, true);
document.addEventListener("change", (event) => {
  if (event.target.matches("[data-submit]") && !byKey) event.target.form.requestSubmit();
});

// What cannot be taken back asks first: <form data-confirm="the question">, or a button with that. Its answers say what
// they do: data-yes, else the button's own words, and data-no. The keyboard starts at the one that changes nothing.
let agreed = null;

function ask(question, yes, no, then) {
  const dialog = document.createElement("dialog");
  const text = document.createElement("p");
  const buttons = document.createElement("div");
  dialog.setAttribute("role", "alertdialog");
  dialog.setAttribute("aria-labelledby", "question");
  text.id = "question";
  text.textContent = question;
  buttons.className = "cluster";
  for (const [words, value] of [[no, ""], [yes, "yes"]]) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = words;
    if (value) button.className = "danger";
    button.addEventListener("click", () => dialog.close(value));
    buttons.append(button);
  }
  dialog.append(text, buttons);
  dialog.addEventListener("close", () => {
    dialog.remove();
    if (dialog.returnValue) then();
    goOn();
  });
  document.body.append(dialog);
  dialog.showModal();
}

document.addEventListener("submit", (event) => {
  const { submitter, target: form } = event;
  const told = { ...form.dataset, ...submitter?.dataset };
  if (!told.confirm || agreed === form) {
    if (form.matches('[action="/logout"]')) sessionStorage.clear();  // what was typed is not for who comes next
    return;
  }
  event.preventDefault();
  event.stopImmediatePropagation();
  const button = submitter ?? form.querySelector("button");
  ask(told.confirm, told.yes ?? button.getAttribute("aria-label") ?? button.textContent.trim(), told.no ?? "Go back", () => {
    agreed = form;
    button.focus();  // htmx sends the name of the button that has the keyboard
    form.requestSubmit(submitter);
    agreed = null;
  });
}, true);

// Text somebody typed is not lost by a change of page: fields with data-keep="key" are remembered until an answer says
// that their text was taken, and put back. What is typed over a text just filled in (data-keep-fresh) is kept apart: it
// comes back over that text alone, and what was typed before it is not lost.
function keptAs({ dataset, defaultValue }) {
  return `keep:${dataset.keep}${"keepFresh" in dataset ? `+${defaultValue}` : ""}`;
}

document.addEventListener("input", ({ target: field }) => {
  if (field.matches("[data-keep]")) sessionStorage.setItem(keptAs(field), field.value);
});

// Whoever goes to choose times takes along what they typed: <a data-takes="id of the field">.
document.addEventListener("click", ({ target }) => {
  const link = target.closest("[data-takes]");
  if (!link) return;
  const field = document.getElementById(link.dataset.takes);
  const as = `keep:${field.dataset.keep}+taken`;
  if (field.value !== field.defaultValue || "typed" in field.dataset) sessionStorage.setItem(as, field.value);
  else sessionStorage.removeItem(as);
});

// An offer of times (data-keep-add) comes below what was typed before it, once.
function addBelow(field, typed) {
  const taken = `keep:${field.dataset.keep}+taken`;
  const here = sessionStorage.getItem(keptAs(field));
  const above = sessionStorage.getItem(taken) ?? (here === null ? typed : null);
  sessionStorage.removeItem(taken);
  if (!above?.trim()) return;
  const offer = field.defaultValue;
  sessionStorage.setItem(keptAs(field), above.includes(offer) ? above : `${above.trimEnd()}\n\n${offer}`);
}

function putBack(root) {
  for (const field of root.querySelectorAll("[data-keep]")) {
    const { dataset, defaultValue } = field;
    const typed = sessionStorage.getItem(`keep:${dataset.keep}`);
    if ("typed" in dataset) sessionStorage.setItem(keptAs(field), field.value);  // refused, and in the page again
    else if ("keepAdd" in dataset) addBelow(field, typed);
    const kept = sessionStorage.getItem(keptAs(field));
    if (kept !== null && kept !== defaultValue && field.value === defaultValue) {
      field.value = kept;
      field.dispatchEvent(new Event("kept"));
    }
  }
  // What says that, with the way to the other text, stands beside the fields: <… data-kept="their ids">.
  for (const beside of root.querySelectorAll("[data-kept]")) {
    beside.hidden = !beside.dataset.kept.split(" ").some((id) => otherText(document.getElementById(id)));
  }
}

// Whether a text just filled in took the place of one somebody had typed, or the other way round.
function otherText({ dataset, value, defaultValue }) {
  if (!("keepFresh" in dataset)) return value !== defaultValue;
  const typed = sessionStorage.getItem(`keep:${dataset.keep}`)?.trim();
  return Boolean(typed) && !value.includes(typed);
}

// Back to what is stored: <button data-unkept> in a form whose texts are kept.
document.addEventListener("click", ({ target }) => {
  const button = target.closest("[data-unkept]");
  if (!button) return;
  const { form } = button;
  form.reset();
  forget(form);
  for (const beside of form.querySelectorAll("[data-kept]")) beside.hidden = true;
  for (const field of form.querySelectorAll("[data-keep]")) field.dispatchEvent(new Event("kept"));
  form.querySelector("[data-keep]").focus();
});

function forget(form) {
  for (const field of form.querySelectorAll("[data-keep]")) {
    const key = `keep:${field.dataset.keep}`;
    for (const name of Object.keys(sessionStorage)) {
      if (name === key || name.startsWith(`${key}+`)) sessionStorage.removeItem(name);
    }
  }
}

// After a change of page the reader starts at its top. After an answer of a form they stay where they were, unless the
// form led elsewhere, or something was refused or made: then the reason, or what was made, is brought into sight.
let before = null;
let swaps = 0;

// What comes is looked at before it takes a place in the page. Only a page of ours may take that of the page, and none
// that has nothing but an error for a form: that stays, as it was filled in. Who has to sign in does so on a page of
// its own, and comes back.
document.addEventListener("htmx:beforeSwap", ({ detail }) => {
  const { xhr, target, requestConfig: asked } = detail;
  const stranger = new URL(xhr.responseURL).pathname === "/login";
  if (target?.id !== "main") {  // a piece of the page: an error is none
    if ((stranger || xhr.status >= 400) && !xhr.responseText.includes(`id="${target?.id}"`)) detail.shouldSwap = false;
    return;
  }
  if (stranger) {
    detail.shouldSwap = false;
    location.assign(xhr.responseURL);
    return;
  }
  const sent = asked.verb !== "get";
  const [page] = xhr.responseText.match(/<main [^>]*id="main"[^>]*>/) ?? [];
  if (!page || (sent && page.includes("data-error"))) {
    detail.shouldSwap = false;
    const told = new DOMParser().parseFromString(xhr.responseText, "text/html").querySelector(".empty-title + p");
    sayFailed(told?.textContent ??
      `That did not work: the server answered with an error (${xhr.status}). Try again in a moment.`);
    return;
  }
  if (sent && xhr.status < 300) forget(asked.elt);
  before = {
    y: window.scrollY, path: location.pathname, keys: keyboardIn(target), sent, opened: sent ? openIn(target) : [],
    list: list()?.dataset.list, row: list()?.scrollTop, place: document.getElementById("side")?.scrollTop,
  };
  swaps += 1;
  shownSince = awaited.get(xhr) ?? Date.now();
});

// Before anything is painted: while two pages stand below each other the browser holds on to the one that goes.
document.addEventListener("htmx:afterSwap", () => {
  if (!before) return;
  const folds = foldsIn(document.getElementById("main"));
  for (const words of before.opened) folds.get(words)?.setAttribute("open", "");
  window.scrollTo(0, before.y);
  if (before.place) document.getElementById("side").scrollTop = before.place;
  if (before.list !== undefined && before.list === list()?.dataset.list) list().scrollTop = before.row;
  if (before.sent) showMade();
});

// The list beside a conversation, which scrolls by itself.
const list = () => document.querySelector("[data-list]");

// What an answer made, or leads to, is in sight: its notice names it.
function showMade() {
  const { at } = document.querySelector("#notices [data-at]")?.dataset ?? {};
  const made = at ? document.getElementById(at) : null;
  made?.scrollIntoView({ block: "nearest" });
  return Boolean(made);
}

document.addEventListener("htmx:afterSettle", (event) => {
  letNoticesGo();
  if (event.target.id !== "main" && event.detail.elt?.id !== "main") return;
  const main = document.getElementById("main");
  putBack(main);
  listen();
  tellSeen();
  showChosen();
  document.getElementById("menu")?.hidePopover?.();
  const was = before;
  before = null;
  const asked = event.detail.requestConfig;
  if ((asked?.verb === "get" && asked.triggeringEvent?.type === "click") || (was && was.path !== location.pathname)) {
    if (!location.hash && !(was?.sent && showMade())) window.scrollTo(0, 0);
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

// The control of `root` that has the keyboard, and which it is of those of its name; then the parts of the page it
// stands in: where the keyboard goes on.
function keyboardIn(root) {
  const control = document.activeElement;
  if (!control || control === root || !root.contains(control)) return [];
  const name = nameOf(control);
  const names = [[name, [...root.querySelectorAll(name)].indexOf(control)]];
  for (let part = control.parentElement; part && part !== root; part = part.parentElement) {
    if (part.id) names.push([`#${CSS.escape(part.id)}`, 0]);
  }
  return names;
}

function giveKeyboard(root, names) {
  if (!names.length) return;
  const named = names.map(([name, nth]) => [...root.querySelectorAll(name)].slice(0, nth + 1).at(-1));
  const found = named.find((one) => one) ?? root;
  if (found.tabIndex < 0) found.tabIndex = -1;
  found.focus({ preventScroll: true });
}

// Every part of `root` that can be opened, by its words and which it is of those with the same.
function foldsIn(root) {
  const folds = new Map();
  for (const fold of root.querySelectorAll("details")) {
    const words = fold.firstElementChild.textContent;
    let nth = 0;
    while (folds.has(`${words} ${nth}`)) nth += 1;
    folds.set(`${words} ${nth}`, fold);
  }
  return folds;
}

function openIn(root) {
  return [...foldsIn(root)].filter(([, fold]) => fold.open).map(([words]) => words);
}

// What somebody has opened or closed stays so in newer content.
function keepFolds(root, next) {
  const folds = foldsIn(root);
  for (const [words, fold] of foldsIn(next)) fold.open = folds.get(words)?.open ?? fold.open;
}

// In a row of choices that scrolls sideways, in the list beside a conversation and in that of the places, the chosen one
// is in sight.
function showChosen() {
  for (const chosen of document.querySelectorAll("[data-list] li[aria-current], #side [aria-current]")) {
    const list = chosen.closest("[data-list], #side");
    const [row, frame] = [chosen, list].map((one) => one.getBoundingClientRect());
    if (row.top < frame.top) list.scrollTop += row.top - frame.top - 8;
    else if (row.bottom > frame.bottom) list.scrollTop += row.bottom - frame.bottom + 8;
  }
  for (const chosen of document.querySelectorAll(".chips [aria-current]")) {
    const row = chosen.parentElement;
    row.scrollLeft = Math.max(0, chosen.offsetLeft + chosen.offsetWidth - row.offsetLeft - row.clientWidth + 48);
  }
}

// Live: <main data-live="/console/live?topic=..."> names what a stream shall tell of; when that has changed, every
// [data-live-region] of the page is fetched anew, except one somebody is typing in or has typed in. Only a page in sight
// listens, and one of a browser's windows for all of them, because a browser has six connections to a host and a
// seventh window would wait for ever: the one that holds a lock has the stream, the others tell it what they show, and
// it tells them what it hears. Where there are no locks (http on another host) each has a stream of its own.
const PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 60_000;
const UNDER_WAY_MS = 1_000;
const GATHER_MS = 50;
const TOPICS = 30;

const SHARED = document.currentScript.src;  // with its version: what another one says is not understood
const others = navigator.locks && "BroadcastChannel" in window ? new BroadcastChannel(SHARED) : null;
const me = String(Math.random());

// What the page shows: its topic, as of which state of it, and until one was named, asked for when.
let topic = null;
let known = null;
let shownSince = performance.timeOrigin;
let leave = null;  // while it listens: gives the lock back, or the place in its queue

function listen() {
  const wanted = document.querySelector("[data-live]")?.dataset.live.split("topic=")[1] ?? null;
  if (wanted !== topic) known = null;
  topic = wanted;
  if (document.hidden || !topic) hush();
  else if (leave) tell();
  else join();
}

function join() {
  const queue = new AbortController();
  let over;
  const left = new Promise((resolve) => { over = resolve; });
  const mine = () => { over(); queue.abort(); };
  leave = mine;
  const lead = () => {
    if (leave !== mine) return null;
    leads = true;
    tell();
    others?.postMessage({ ask: true });
    return left;
  };
  if (!others) { lead(); return; }
  navigator.locks.request(SHARED, { signal: queue.signal }, lead).catch(() => { /* it left the queue */ });
  tell();
}

function tell() {
  if (leads) note(me, topic); else others?.postMessage({ from: me, topic });
}

function hush() {
  if (!leave) return;
  others?.postMessage({ from: me, topic: null });
  clearTimeout(gathering);
  clearTimeout(retry);
  stream?.close();
  stream = null;
  leads = false;
  shown.clear();
  pause = PAUSE_MS;
  leave();
  leave = null;
}

function hear({ of, name, at }) {
  if (of !== topic || !leave) return;
  // What happened while nobody listened is told by the name of the newest state; the first time there is none to
  // compare it with, but when the last step began: before the page was asked for, or since.
  const missed = known === null ? at > shownSince - UNDER_WAY_MS : name !== known;
  known = name;
  if (missed) refresh();
}

others?.addEventListener("message", ({ data }) => {
  if (data.of) hear(data);
  else if (data.from) { if (leads) note(data.from, data.topic); }
  else if (leave && !leads) tell();
});

// What only the one that has the stream knows: the topic of each window, and what was told of each topic last.
let leads = false;
let stream = null;
let streamed = "";
let pause = PAUSE_MS;
let retry = 0;
let gathering = 0;
const shown = new Map();
const told = new Map();

function note(who, its) {
  if (its) shown.set(who, its); else shown.delete(who);
  clearTimeout(gathering);
  gathering = setTimeout(attend, GATHER_MS);
}

function attend() {
  const topics = [...new Set([topic, ...shown.values()])].slice(0, TOPICS).sort();
  const wanted = topics.map((one) => `topic=${one}`).join("&");
  if (stream && wanted === streamed) { for (const one of told.values()) pass(one); return; }
  clearTimeout(retry);
  stream?.close();
  told.clear();
  streamed = wanted;
  const opened = new EventSource(`/console/live?${wanted}`);
  stream = opened;
  for (const kind of ["ready", "changed"]) {
    opened.addEventListener(kind, ({ data, lastEventId }) => {
      pause = PAUSE_MS;
      const { topic: of, age } = JSON.parse(data);
      told.set(of, { of, name: lastEventId, at: age === null ? 0 : Date.now() - age });
      pass(told.get(of));
    });
  }
  // A lost connection is taken up again by the browser; after any other answer than a stream it never asks again.
  opened.addEventListener("error", () => {
    if (opened.readyState !== EventSource.CLOSED || opened !== stream) return;
    retry = setTimeout(() => { stream = null; attend(); }, pause * (0.5 + Math.random()));
    pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
  });
}

function pass(one) {
  others?.postMessage(one);
  hear(one);
}

// A message is read once it is in sight, not in a tab nobody looks at: <span data-seen="where to tell that">.
const toldSeen = new WeakSet();

function tellSeen() {
  if (document.hidden) return;
  for (const unread of document.querySelectorAll("[data-seen]")) {
    if (toldSeen.has(unread)) continue;
    toldSeen.add(unread);
    fetch(unread.dataset.seen, { method: "POST", credentials: "same-origin" }).catch(() => toldSeen.delete(unread));
  }
}

let refreshing = false;
let again = false;

// While an answer is awaited no region is exchanged: what was clicked must still be there when the answer comes, because
// htmx looks up then, from that element, what to do with it. Each by when it was asked for.
const awaited = new Map();

document.addEventListener("htmx:beforeRequest", ({ detail: { xhr } }) => {
  awaited.set(xhr, Date.now());
  xhr.addEventListener("loadend", () => {
    awaited.delete(xhr);
    goOn();
  });
});

// Nor while a question waits for its answer.
const busy = () => awaited.size || document.querySelector("dialog[open]");

function goOn() {
  if (again && !busy()) { again = false; refresh(); }
}

async function refresh() {
  if (refreshing || busy()) { again = true; return; }
  refreshing = true;
  const of = swaps;
  try {
    const answer = await fetch(location.href, { headers: { "HX-Request": "true" }, credentials: "same-origin" });
    if (!answer.ok || answer.redirected) { known = ""; return; }  // tried again with the next word of the stream
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    // It is of a page that went meanwhile, or is about to.
    if (busy() || swaps !== of) { again = true; return; }
    for (const region of document.querySelectorAll("[data-live-region]")) {
      const next = fresh.getElementById(region.id);
      const fields = [...region.querySelectorAll("input:not([type=hidden]), textarea, select")];
      const typing = fields.some((field) => field === document.activeElement || "typed" in field.dataset ||
        (field.matches("textarea, input") && field.value !== field.defaultValue));
      if (!next || typing) continue;
      keepFolds(region, next);
      if (next.innerHTML === region.innerHTML) continue;
      const keys = keyboardIn(region);
      const newest = newestIn(region);
      region.replaceChildren(...next.childNodes);
      if (region.id === "thread" && newestIn(region) !== newest) sayQuietly(newestIn(region));
      htmx.process(region);
      putBack(region);
      giveKeyboard(region, keys);
    }
    tellSeen();
  } catch {
    known = "";
  } finally {
    refreshing = false;
    goOn();
  }
}

document.addEventListener("DOMContentLoaded", () => putBack(document));  // after htmx, which is told of it
letNoticesGo();
listen();
tellSeen();
showChosen();
document.addEventListener("visibilitychange", () => { listen(); tellSeen(); });
addEventListener("pagehide", hush);
addEventListener("pageshow", (event) => { if (event.persisted) listen(); });

// Copying what stands in a field: <button data-copy="id of the field">.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const field = document.getElementById(button.dataset.copy);
  field.select();
  try { await navigator.clipboard.writeText(field.value); button.lastChild.textContent = "Copied"; } catch { /* it stays selected, to copy by hand */ }
});
