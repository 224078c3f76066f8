"use strict";
// Keeps the list of calls and one call's ladder up to date. The server sends escaped fragments, ready to insert.
const list = document.getElementById("calls");
const section = document.getElementById("call");
const ladder = document.getElementById("ladder");
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

if (section && section.dataset.call) followCall(section.dataset.call);

if (list) {
  new EventSource("/calls/events").addEventListener("calls", (event) => {
    list.innerHTML = event.data;
    const newest = event.lastEventId;
    if (section && "follow" in section.dataset && newest && newest !== section.dataset.call) {
      ladder.replaceChildren();
      followCall(newest);
    }
  });
}
