// What the scaler and the profit maximizer decided, and why.

import { h, part } from "./dom.js";
import { clock, words } from "./format.js";
import { tree } from "./value_tree.js";

const KEPT = 50;
const NAMES = { "scaling.decided": "Scaling", "profit.decided": "Allocation" };
const REASONS = ["reason", "reasons", "why", "because", "detail"];
const TITLES = ["action", "decision", "direction", "outcome"];
const APART = ["event", "timestamp", "stream", ...REASONS, ...TITLES];

export class DecisionsPanel {
  #decisions = []; // the newest first

  start(feed) {
    for (const name of Object.keys(NAMES)) feed.on(name, (event) => this.#add([event]));
  }

  /** Take events, the oldest first; those that are no decisions are passed over. */
  remember(events) {
    this.#add(events.filter((event) => event.event in NAMES));
  }

  #add(events) {
    const known = new Set(this.#decisions.map(identity));
    this.#decisions.unshift(...events.filter((event) => !known.has(identity(event))).reverse());
    this.#decisions.length = Math.min(this.#decisions.length, KEPT);
    part("decisions-empty").hidden = this.#decisions.length > 0;
    const open = new Set([...part("decisions-list").querySelectorAll("details[open]")].map((each) => each.dataset.id));
    part("decisions-list").replaceChildren(...this.#decisions.map((event) => decision(event, open.has(identity(event)))));
  }
}

function identity(event) {
  return `${event.timestamp} ${event.event} ${event.stream ?? ""}`;
}

function decision(event, isOpen) {
  const title = TITLES.map((name) => event[name]).find((value) => value !== undefined);
  const reason = REASONS.map((name) => event[name]).find((value) => value !== undefined);
  const rest = Object.fromEntries(Object.entries(event).filter(([name]) => !APART.includes(name)));
  return h("li", {},
    h("details", { open: isOpen, dataset: { id: identity(event) } },
      h("summary", {},
        h("time", { datetime: event.timestamp }, clock(new Date(event.timestamp))),
        h("span", { class: "tag" }, NAMES[event.event]),
        h("span", { class: "what" }, [title, event.stream].filter(Boolean).map((word) => words(String(word))).join(" ") || "decided"),
        h("span", { class: "reason" }, said(reason)),
      ),
      Object.keys(rest).length ? tree(rest) : h("p", { class: "muted" }, "Nothing more was told."),
    ),
  );
}

function said(reason) {
  if (reason === undefined) return "No reason was told.";
  if (Array.isArray(reason)) return reason.map(said).join(" ");
  return typeof reason === "object" ? JSON.stringify(reason) : String(reason);
}
