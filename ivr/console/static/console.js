// What pages do beside htmx: times that count, keys, the warning when the connection is lost.
"use strict";

function lasted(seconds) {
  const two = (n) => String(n).padStart(2, "0");
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  return hours ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}

function count() {
  for (const time of document.querySelectorAll("time.since")) {
    const seconds = Math.max(0, Math.floor((Date.now() - Date.parse(time.dateTime)) / 1000));
    time.textContent = lasted(seconds);
  }
}
setInterval(count, 1000);

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.shiftKey) return;
  if (event.key === "F2") {
    event.preventDefault();
    (document.getElementById("q") || document.getElementById("find")).select();
    return;
  }
  const link = document.querySelector(`a[aria-keyshortcuts="${CSS.escape(event.key)}"]`);
  if (link) {
    event.preventDefault();
    link.click();
  }
});

// Nothing is said of a short interruption: the browser comes back by itself.
let lost = null;
document.body.addEventListener("htmx:sseError", () => {
  lost ??= setTimeout(() => { document.getElementById("offline").hidden = false; }, 3000);
});
document.body.addEventListener("htmx:sseOpen", () => {
  clearTimeout(lost);
  lost = null;
  document.getElementById("offline").hidden = true;
});

// A list that somebody is filling in a form of, or is just pressing something in, is not changed
// under their hands: a click on what is replaced between press and release is lost. The latest of
// what has come meanwhile is shown afterwards.
const held = new Map(); // element: HTML
let pressed = null;
function inHand(element) {
  return element.contains(pressed) || element.querySelector("details[open]") !== null;
}
function showHeld() {
  for (const [element, html] of held) {
    if (inHand(element)) continue;
    held.delete(element);
    htmx.swap(element, html, { swapStyle: "innerHTML" });
    htmx.trigger(element, "htmx:sseMessage"); // for whoever looks at what is new
  }
}
function released() {
  pressed = null;
  setTimeout(showHeld); // after the click that comes of it
}
document.body.addEventListener("htmx:sseBeforeMessage", (event) => {
  held.delete(event.target);
  if (!inHand(event.target)) return;
  held.set(event.target, event.detail.data);
  event.preventDefault();
});
document.addEventListener("pointerdown", (event) => { pressed = event.target; });
document.addEventListener("pointerup", released);
document.addEventListener("pointercancel", released);
document.addEventListener("toggle", showHeld, true);

// A transcript shows its end, unless somebody has gone back in it.
const FROM_THE_END_PX = 40;
document.body.addEventListener("htmx:sseBeforeMessage", (event) => {
  const log = event.target.querySelector("[role=log]");
  const below = log ? log.scrollHeight - log.scrollTop - log.clientHeight : 0;
  event.target.readAt = below > FROM_THE_END_PX ? log.scrollTop : null;
});
function follow(element) {
  const log = element.querySelector("[role=log]");
  if (log) log.scrollTop = element.readAt ?? log.scrollHeight;
}
document.body.addEventListener("htmx:sseMessage", (event) => follow(event.target));
follow(document);

// Fields that are asked for only when another one has been changed.
for (const part of document.querySelectorAll("[data-shown-when-changed]")) {
  const field = document.getElementById(part.dataset.shownWhenChanged);
  const show = () => { part.hidden = field.value === field.dataset.was; };
  field.addEventListener("change", show);
  show();
}
