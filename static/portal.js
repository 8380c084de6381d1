/* The portal's one script: copying, live lights that rest while nobody looks, things that lapse, times in the viewer's
   zone. Every page works without it. No inline handlers (CSP): listeners sit on the document and find data-* attributes. */
"use strict";
(() => {
  const words = document.body.dataset;
  /* `seen`: shown as well as spoken, for what no button answers. */
  const SEEN_FOR = 10 * 1000;
  const say = (text, { seen = false } = {}) => {
    const line = document.getElementById("say");
    line.textContent = "";
    line.classList.toggle("seen", seen);
    clearTimeout(line.timer);
    if (seen) line.timer = setTimeout(() => line.classList.remove("seen"), SEEN_FOR);
    requestAnimationFrame(() => (line.textContent = text));
  };

  /* sessionStorage may be switched off; then ticks and the opening time last as long as the page. */
  const remembered = (key) => { try { return JSON.parse(sessionStorage.getItem(key)); } catch { return null; } };
  const remember = (key, value) => { try { sessionStorage.setItem(key, JSON.stringify(value)); } catch { /* off */ } };

  /* Copying. The clipboard needs HTTPS; elsewhere we select and ask the browser to copy what is selected. */
  async function toClipboard(text) {
    if (window.isSecureContext && navigator.clipboard) {
      try { await navigator.clipboard.writeText(text); return true; } catch { /* refused: try the old way */ }
    }
    const area = Object.assign(document.createElement("textarea"), { value: text, readOnly: true, className: "unseen" });
    const focused = document.activeElement;
    document.body.append(area);
    area.select();
    let copied = false;
    try { copied = document.execCommand("copy"); } catch { /* not allowed */ }
    area.remove();
    focused?.focus({ preventScroll: true });
    return copied;
  }

  function answer(button, word) {
    const label = button.querySelector("[data-word]");
    button.dataset.was ??= label.textContent;
    label.textContent = word;
    button.classList.add("done");
    clearTimeout(button.timer);
    button.timer = setTimeout(() => { label.textContent = button.dataset.was; button.classList.remove("done"); }, 2500);
  }

  async function copy(button, { quietly = false } = {}) {
    const source = document.getElementById(button.dataset.copy);
    if (await toClipboard(source.textContent)) {
      answer(button, words.copied);
      say(words.sayCopied.replace("{field}", button.dataset.name));
      tick(button.closest("[data-field]"));
    } else if (quietly) {
      button.classList.add("urged");
      say(words.sayPress, { seen: true });
    } else {
      getSelection().selectAllChildren(source);
      say(words.sayByHand, { seen: true });
    }
  }

  /* Ticks: the names of copied fields, never their values. */
  const ticksOf = (field) => "ticks:" + field.closest("[data-scope]").dataset.scope;
  function tick(field) {
    if (!field) return;
    field.classList.add("ticked");
    remember(ticksOf(field), [...new Set([...(remembered(ticksOf(field)) ?? []), field.dataset.field])]);
  }
  function showTicks(root) {
    for (const field of root.querySelectorAll("[data-scope] [data-field]"))
      field.classList.toggle("ticked", (remembered(ticksOf(field)) ?? []).includes(field.dataset.field));
  }

  /* "Show and copy" first shows, by a request; then copies, where the browser still takes that for the visitor's wish. */
  let afterShowing = null;
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-copy]");
    if (button) copy(button);
    const then = event.target.closest?.("button[type=submit], button:not([type])");
    if (then) afterShowing = then.dataset.then ?? null;
  });
  function copyWhatWasAskedFor() {
    const button = afterShowing && document.querySelector(`[data-copy="value-${CSS.escape(afterShowing)}"]`);
    afterShowing = null;
    if (!button) return;
    button.focus({ preventScroll: true });
    copy(button, { quietly: true });
  }

  /* "/" leads to the search; the arrow keys walk through what it found. */
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const field = document.querySelector("[data-find]");
    if (event.key === "/" && field && !event.target.closest?.("input, textarea, select, [contenteditable]")) {
      event.preventDefault();
      field.focus();
      field.select();
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      const hits = [...document.querySelectorAll("[data-hit]")];
      const at = hits.indexOf(event.target);
      if (!hits.length || (at < 0 && event.target !== field)) return;
      event.preventDefault();
      const next = at + (event.key === "ArrowDown" ? 1 : -1);
      (next < 0 ? field : hits[Math.min(next, hits.length - 1)]).focus();
    }
  });

  /* Times in the viewer's own zone, with its name. */
  function showTimes(root) {
    for (const time of root.querySelectorAll("time[data-time]")) {
      const at = new Date(time.dateTime);
      const today = at.toDateString() === new Date().toDateString();
      const year = at.getFullYear() === new Date().getFullYear() ? {} : { year: "numeric" };
      const day = today ? {} : { day: "numeric", month: "short", ...year };
      time.textContent = at.toLocaleString(undefined, { ...day, hour: "2-digit", minute: "2-digit", timeZoneName: "short" });
    }
  }

  /* The moment a page was first opened outlives a reload, so that a phone that connected meanwhile counts as this set-up's. */
  const OPENED_FOR = 30 * 60 * 1000;
  function keepOpened() {
    const input = document.querySelector("[data-opened]");
    if (!input) return;
    const key = "opened:" + input.dataset.opened;
    const kept = remembered(key);
    if (kept && Date.now() - kept.at < OPENED_FOR) input.value = kept.value;
    else remember(key, { value: input.value, at: Date.now() });
  }

  /* What lapses: warned of a minute before, then replaced by its own <template> or asked for anew without its secret. */
  const lapsing = new Map();
  function watchLapsing(root) {
    for (const part of [...(root.matches?.("[data-lapses-in]") ? [root] : []), ...root.querySelectorAll("[data-lapses-in]")])
      if (!lapsing.has(part)) lapsing.set(part, { ends: Date.now() + part.dataset.lapsesIn * 1000, warned: false });
  }
  function lapse(part) {
    const instead = part.querySelector(":scope > template[data-lapsed]");
    if (!instead) { const hide = part.querySelector("[hx-trigger~=lapse]"); if (hide) htmx.trigger(hide, "lapse"); return; }
    const focusInside = part.contains(document.activeElement);
    part.replaceChildren(instead.content.cloneNode(true));
    part.classList.remove("drawn");
    part.removeAttribute("data-lapses-in");
    htmx.process(part);
    if (focusInside) part.querySelector("button")?.focus();
  }
  setInterval(() => {
    for (const [part, state] of lapsing) {
      const left = state.ends - Date.now();
      if (!part.isConnected) lapsing.delete(part);
      else if (left <= 0) { lapsing.delete(part); lapse(part); }
      else if (left <= 60000 && !state.warned) { state.warned = true; if ("warn" in part.dataset) say(words.sayLapses, { seen: true }); }
    }
  }, 1000);

  /* Live parts rest while the page is hidden and look at once when it is seen again. */
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (document.hidden && event.target.matches("[data-live]")) event.preventDefault();
  });

  /* A press ends on what it began on: nothing live is replaced under it, or the press would be lost. The next look shows it. */
  const A_PRESS = 2000;
  let pressedUntil = 0;
  addEventListener("pointerdown", () => (pressedUntil = Date.now() + A_PRESS), true);
  for (const end of ["pointerup", "pointercancel"])
    addEventListener(end, () => (pressedUntil = Date.now() + 100), true); // the click follows
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (Date.now() < pressedUntil && event.detail.requestConfig.elt.matches("[data-live]")) event.detail.shouldSwap = false;
  });

  const lookNow = () => { if (!document.hidden) for (const part of document.querySelectorAll("[data-live]")) htmx.trigger(part, "look"); };
  document.addEventListener("visibilitychange", lookNow);
  addEventListener("pageshow", (event) => { if (event.persisted) lookNow(); });

  /* One look of a live part may get lost; after two the page says that it no longer knows. */
  let blindLooks = 0;
  for (const trouble of ["htmx:responseError", "htmx:sendError"])
    document.addEventListener(trouble, (event) => {
      if (event.target.matches("[data-live]")) {
        if (event.detail.xhr?.status === 404) location.reload(); // what the page shows is gone
        else if (++blindLooks >= 2) say(words.sayBlind, { seen: true });
        return;
      }
      afterShowing = null;
      say(words.sayFailed, { seen: true });
    });
  document.addEventListener("htmx:afterRequest", (event) => {
    if (!event.detail.successful || !event.target.matches("[data-live]")) return;
    if (blindLooks >= 2) say("");
    blindLooks = 0;
  });

  /* What was pressed is gone when the answer takes its place: the keyboard goes on in what came. */
  let leaving = null;
  document.addEventListener("htmx:beforeRequest", (event) => {
    const { target } = event.detail;
    if (!event.target.matches("[data-live]")) leaving = target.contains(document.activeElement) ? target.id : null;
  });
  function goOnIn(part) {
    if (part.id !== leaving) return;
    leaving = null;
    if (document.activeElement !== document.body) return;
    (part.matches("[tabindex]") ? part : part.querySelector("a.button, button"))?.focus({ preventScroll: true });
  }

  /* The server has something said (HX-Trigger): a change came into another state. */
  document.addEventListener("say", (event) => say(event.detail.value));

  /* Passkeys: allauth's scripts, which are there once all of the page is, do the talking. */
  document.addEventListener("DOMContentLoaded", () => {
    const call = document.querySelector("[data-passkey]")?.dataset.passkey;
    const ids = { add: "passkey-button", authenticate: "passkey-button", credential: "id_credential", data: "passkey-options" };
    if (call) allauth.webauthn.forms[call]({ ids });
  });
  /* A passkey that was refused, or that the browser could not make: allauth's script tells. */
  document.addEventListener("allauth.error", (event) => {
    event.preventDefault();
    for (const note of document.querySelectorAll("[data-passkey-failed]")) note.hidden = false;
  });

  /* Choosing rows: what is ticked stays so over pages and searches, until it is used or let go. After Back it is there again. */
  const choices = new Map();
  const cameBack = performance.getEntriesByType("navigation")[0]?.type === "back_forward";
  function choiceIn(form) {
    const list = form.dataset.choose;
    if (!choices.has(list)) {
      const kept = remembered("chosen:" + list);
      choices.set(list, new Set(kept && (!kept.used || cameBack) ? kept.keys : []));
    }
    return choices.get(list);
  }
  const keepChoice = (form, used) => remember("chosen:" + form.dataset.choose, { keys: [...choiceIn(form)], used });
  const picksOf = (form) => [...form.querySelectorAll("[data-pick]")];
  function showChoice(form) {
    const keys = choiceIn(form), picks = picksOf(form);
    const all = form.querySelector("[data-pick-all]"), page = form.querySelector("[data-pick-page]");
    for (const box of picks) box.checked = all?.checked || keys.has(box.value);
    const here = picks.filter((box) => box.checked).length;
    page.checked = here > 0 && here === picks.length;
    page.indeterminate = here > 0 && here < picks.length;
    const elsewhere = [...keys].filter((key) => !picks.some((box) => box.value === key));
    form.querySelector("[data-elsewhere]").value = elsewhere.join(",");
    const count = form.querySelector("[data-chosen]");
    const found = form.querySelector("[data-found]")?.dataset.found;
    const { some, more, noneHere } = count.dataset;
    const part = !elsewhere.length ? some : elsewhere.length < keys.size ? more : noneHere;
    const say = all?.checked ? (found ? some : count.dataset.all) : part;
    count.textContent = say.replace("{count}", all?.checked ? found : keys.size).replace("{elsewhere}", elsewhere.length);
    form.classList.toggle("some", all?.checked || keys.size > 0);
  }
  function letGo(form) {
    choiceIn(form).clear();
    for (const box of form.querySelectorAll("[data-pick-all]")) box.checked = false;
    keepChoice(form, false);
    showChoice(form);
  }
  let lastPick = null;
  document.addEventListener("click", (event) => {
    const box = event.target.closest?.("[data-pick]");
    if (box) {
      const picks = picksOf(box.form), [from, to] = [picks.indexOf(lastPick), picks.indexOf(box)].sort((a, b) => a - b);
      if (event.shiftKey && from >= 0) for (const each of picks.slice(from, to + 1)) each.checked = box.checked;
      lastPick = box;
    }
    const none = event.target.closest?.("[data-pick-none]");
    if (none) { letGo(none.form); picksOf(none.form)[0]?.focus(); }
    if (event.target.closest?.("[data-print]")) print();
  });
  document.addEventListener("change", (event) => {
    const box = event.target, form = box.closest?.("form[data-choose]");
    if (!form) return;
    const keys = choiceIn(form), all = form.querySelector("[data-pick-all]");
    if (box === all) keys.clear();
    else {
      if (box.matches("[data-pick-page]")) for (const each of picksOf(form)) each.checked = box.checked;
      if (all) all.checked = false;
      for (const each of picksOf(form)) each.checked ? keys.add(each.value) : keys.delete(each.value);
    }
    keepChoice(form, false);
    showChoice(form);
  });
  document.addEventListener("keydown", (event) => {
    const form = event.target.closest?.("form[data-choose]");
    if (!form || event.isComposing) return;
    if (event.key === "Escape" && form.matches(".some")) { letGo(form); say(words.sayLetGo); }
    if (event.key === "Enter" && event.target.matches("input")) { event.preventDefault(); form.querySelector(".chosen-acts button")?.focus(); }
  });
  document.addEventListener("submit", (event) => { if (event.target.matches("form[data-choose]")) keepChoice(event.target, true); });

  function fresh(root) { showTimes(root); showTicks(document); watchLapsing(root); for (const form of document.querySelectorAll("form[data-choose]")) showChoice(form); }
  document.addEventListener("htmx:afterSettle", (event) => {
    const part = event.detail.elt;
    fresh(part);
    if (part.id === "path") copyWhatWasAskedFor(); // the light may have come first
    goOnIn(part);
    if (part.matches(".code.drawn")) part.scrollIntoView({ block: "nearest" });
  });
  keepOpened();
  fresh(document);
})();
