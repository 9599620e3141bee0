"use strict";
// Each event has the moving part of the page, made by the server's template, which escapes what it shows.
const live = document.getElementById("live"), link = document.getElementById("link");
const events = new EventSource("events");
events.onmessage = (e) => {
	const open = [...live.querySelectorAll("details")].map((d) => d.open);
	live.innerHTML = e.data;
	[...live.querySelectorAll("details")].forEach((d, i) => { d.open = Boolean(open[i]); });
	const rollout = live.querySelector("[data-rollout]")?.dataset.rollout;
	// The buttons aren't a part of what moves: one that was replaced between press and release would miss its click.
	document.querySelectorAll("[data-when]").forEach((b) => { b.hidden = !b.dataset.when.split(" ").includes(rollout); });
	link.textContent = "live";
};
events.onerror = () => {
	link.textContent = "reconnecting …";
	if (events.readyState === EventSource.CLOSED) setTimeout(() => location.reload(), 3000);
};
