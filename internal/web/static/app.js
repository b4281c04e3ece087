// What pages can do beyond what they do without a script: stay up to date, let a log
// grow, fold its sections, say how long ago something was, copy.
"use strict";
(() => {
  const byID = (id) => document.getElementById(id);

  // Times: "3 min ago" in the place of a date, which stays in the title.
  const words = (s) => {
    if (s < 60) return Math.floor(s) + " s";
    if (s < 3600) return Math.floor(s / 60) + " min";
    if (s < 86400) return Math.floor(s / 3600) + " h";
    return Math.floor(s / 86400) + " d";
  };
  const running = (s) => {
    s = Math.max(0, Math.floor(s));
    if (s < 60) return s + " s";
    if (s < 3600) return Math.floor(s / 60) + " min " + (s % 60) + " s";
    return Math.floor(s / 3600) + " h " + (Math.floor(s / 60) % 60) + " min";
  };
  const times = (root) => {
    for (const t of root.querySelectorAll("time[datetime]")) {
      const then = new Date(t.dateTime), s = (Date.now() - then) / 1000;
      if (!t.title) t.title = then.toLocaleString();
      if (t.classList.contains("since")) t.textContent = running(s);
      else if (s < -5) t.textContent = "in " + words(-s);
      else t.textContent = s < 5 ? "just now" : words(s) + " ago";
    }
  };
  times(document);
  setInterval(() => times(document), 1000);

  // Things that need a script to be of use.
  for (const e of document.querySelectorAll(".js")) e.hidden = false;
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("button.copy");
    if (!button) return;
    const text = byID(button.dataset.copy);
    try {
      await navigator.clipboard.writeText(text.textContent);
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    } catch {
      getSelection().selectAllChildren(text);
    }
  });
  document.addEventListener("submit", (event) => {
    const question = event.target.dataset.confirm;
    if (question && !confirm(question)) event.preventDefault();
  });

  // The log. A row is in as many sections as data-d says; the head of a section
  // comes before its rows and folds them.
  const log = byID("log"), maxRows = 5000;
  const tidy = () => {
    const closed = []; // of the section at each depth
    for (const row of log.children) {
      const depth = +row.dataset.d;
      closed.length = Math.min(closed.length, depth);
      row.hidden = closed.includes(true);
      if (row.classList.contains("sec")) closed[depth] = row.querySelector(".fold").getAttribute("aria-expanded") === "false";
    }
  };
  const foldable = (row) => {
    const button = document.createElement("button");
    button.className = "fold";
    button.type = "button";
    button.setAttribute("aria-expanded", row.dataset.c ? "false" : "true");
    button.setAttribute("aria-label", "Section from line " + row.id.slice(1));
    row.querySelector(".n").after(button);
  };
  const took = (row, text) => {
    if (!row || row.querySelector(".k")) return;
    const k = document.createElement("span");
    k.className = "k";
    k.textContent = text;
    row.append(k);
  };
  const show = (r) => {
    const row = document.createElement("div"), n = document.createElement("a"), t = document.createElement("span");
    row.className = r.s ? "l sec" : "l";
    row.id = "L" + r.n;
    row.dataset.d = r.d || 0;
    if (r.c) row.dataset.c = "1";
    n.className = "n";
    n.href = "#L" + r.n;
    n.textContent = r.n;
    if (r.t) n.title = r.t;
    t.className = "t";
    for (const [look, text] of r.x) {
      if (!look) { t.append(text); continue; }
      const span = document.createElement("span");
      span.className = look;
      span.textContent = text;
      t.append(span);
    }
    row.append(n, t);
    if (r.s) foldable(row);
    if (r.k) took(row, r.k);
    const old = byID(row.id);
    if (old) {
      const was = old.querySelector(".fold"), now = row.querySelector(".fold");
      if (was && now) now.setAttribute("aria-expanded", was.getAttribute("aria-expanded"));
      old.replaceWith(row);
    } else log.append(row);
  };
  if (log) {
    for (const row of log.querySelectorAll(".sec")) foldable(row);
    tidy();
    log.addEventListener("click", (event) => {
      const button = event.target.closest(".fold");
      if (!button) return;
      button.setAttribute("aria-expanded", String(button.getAttribute("aria-expanded") === "false"));
      tidy();
    });
    const announce = byID("announce");
    if (announce) announce.addEventListener("change", () => { log.setAttribute("aria-live", announce.checked ? "polite" : "off"); });
  }

  // The stream of the page.
  let source = null, place = log ? log.dataset.after : "", over = false, lines = 0, said = 0, alarm = 0;
  const say = (text) => { byID("say").textContent = text; };
  const swap = (event) => {
    const { html, say: words } = JSON.parse(event.data), box = byID("live"), active = document.activeElement;
    const focused = active && box.contains(active) ? active.id : "";
    const open = [...box.querySelectorAll("details[open]")].map((d) => d.id), graph = byID("graph"), left = graph ? graph.scrollLeft : 0;
    const list = byID("list"), across = list ? list.scrollLeft : 0;
    box.innerHTML = html;
    times(box);
    for (const id of open) if (byID(id)) byID(id).open = true;
    if (byID("graph")) byID("graph").scrollLeft = left;
    if (byID("list")) byID("list").scrollLeft = across;
    if (focused && byID(focused)) byID(focused).focus({ preventScroll: true });
    if (words && words !== byID("say").textContent) say(words);
  };
  const grow = (event) => {
    const { rows, ends } = JSON.parse(event.data), page = document.documentElement;
    const below = page.scrollHeight - innerHeight - scrollY < 80 && scrollY > 0;
    place = event.lastEventId;
    const empty = byID("nolog");
    if (empty) empty.remove();
    for (const r of rows || []) show(r);
    for (const e of ends || []) took(byID("L" + e.n), e.k);
    while (log.children.length > maxRows) log.firstElementChild.remove();
    tidy();
    if (below) scrollTo(0, page.scrollHeight);
    lines += (rows || []).length;
    if (Date.now() - said > 10000) {
      say(lines + " new lines");
      said = Date.now();
      lines = 0;
    }
  };
  const close = () => { if (source) source.close(); source = null; };
  const connect = () => {
    if (source || over || document.hidden) return;
    const url = document.body.dataset.live;
    source = new EventSource(place ? url + (url.includes("?") ? "&" : "?") + "after=" + place : url);
    source.addEventListener("open", () => { clearTimeout(alarm); alarm = 0; byID("paused").hidden = true; });
    source.addEventListener("swap", swap);
    if (log) source.addEventListener("log", grow);
    source.addEventListener("end", () => { over = true; close(); });
    source.addEventListener("error", () => { // it comes again by itself, unless it was refused
      alarm = alarm || setTimeout(() => { byID("paused").hidden = over || document.hidden; }, 4000);
      if (source && source.readyState === EventSource.CLOSED) { close(); setTimeout(connect, 5000); }
    });
  };
  if (document.body.dataset.live && window.EventSource) {
    connect();
    // A browser opens few connections to one server: a page that nobody sees gives its own back.
    document.addEventListener("visibilitychange", () => { if (document.hidden) close(); else connect(); });
    addEventListener("pagehide", close);
    addEventListener("pageshow", connect);
  }
})();
