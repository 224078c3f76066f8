"use strict";
// Follows the visitor's call: writes each stage into the page until the last one.
const call = document.getElementById("call");
const stages = new EventSource(call.dataset.events);

stages.addEventListener("status", (event) => {
  const { stage, cancel, final, headline, sentence, due } = JSON.parse(event.data);
  call.dataset.stage = stage;
  document.title = headline;
  document.getElementById("headline").textContent = headline;
  document.getElementById("sentence").textContent = sentence;
  document.getElementById("cancel").hidden = !cancel;
  document.getElementById("again").hidden = !final;
  tellHere(due);
  if (final) stages.close();
});

// The time of a later call by the visitor's own clock and calendar.
function tellHere(due) {
  const here = document.getElementById("here");
  const told = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "full", timeStyle: "short" });
  here.hidden = !due;
  here.textContent = due ? `By the clock of your device: ${told.format(new Date(due * 1000))}.` : "";
}
tellHere(Number(document.getElementById("here").dataset.due));

// The browser reconnects by itself; where the server refused for good, the page asks again as without JavaScript.
stages.addEventListener("error", () => {
  if (stages.readyState === EventSource.CLOSED) setTimeout(() => location.reload(), 3000);
});
