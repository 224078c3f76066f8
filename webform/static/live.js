"use strict";
// Keeps the list of calls and one call's ladder up to date. The server sends escaped fragments, ready to insert.
const list = document.getElementById("calls");
const section = document.getElementById("call");
const ladder = document.getElementById("ladder");
const credit = document.getElementById("credit");
let rows;

function followCall(id) {
  rows?.close();
  section.dataset.call = id;
  const shown = ladder.lastElementChild ? ladder.lastElementChild.id.replace("row-", "") : "-1";
  rows = new EventSource(`/calls/${encodeURIComponent(id)}/events?after=${shown}`);
  rows.addEventListener("row", (event) => {
    if (!document.getElementById(`row-${event.lastEventId}`)) ladder.insertAdjacentHTML("beforeend", event.data);
  });
  rows.addEventListener("call", (event) => {
    document.getElementById("summary").innerHTML = event.data;
  });
}

// Nothing happens while people talk: count on from the seconds that the server said last.
function count() {
  const now = performance.now() / 1000;
  for (const shown of document.querySelectorAll("[data-talking]")) {
    shown.dataset.since ??= now - shown.dataset.talking;
    const seconds = Math.round(now - shown.dataset.since);
    const minutes = Math.floor(seconds / 60);
    shown.textContent = minutes ? `${minutes} min ${String(seconds % 60).padStart(2, "0")} s` : `${seconds} s`;
  }
}
setInterval(count, 500);

if (section && section.dataset.call) followCall(section.dataset.call);

if (list) {
  const events = new EventSource(credit ? "/calls/events?credit" : "/calls/events");
  events.addEventListener("credit", (event) => {
    if (credit) credit.textContent = event.data;
  });
  events.addEventListener("calls", (event) => {
    list.innerHTML = event.data;
    const newest = event.lastEventId;
    if (section && "follow" in section.dataset && newest && newest !== section.dataset.call) {
      ladder.replaceChildren();
      followCall(newest);
    }
  });
}
