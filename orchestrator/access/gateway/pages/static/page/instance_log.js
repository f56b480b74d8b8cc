// The log of an instance, as it grows.

import { h, part, show } from "./dom.js";
import { clock } from "./format.js";

const FIRST_LINES = 100;
const KEPT = 400;
const AGAIN_MS = 3_000;
const APART = new Set(["timestamp", "level", "event", "logger", "instance", "stream", "actor"]);

export class InstanceLog {
  #source = null;
  #timer = 0;
  #waiting = [];
  #frame = 0;

  /** Follow an instance's log; none where `id` is null. */
  show(id) {
    clearTimeout(this.#timer);
    this.#source?.close();
    this.#source = null;
    this.#waiting = [];
    if (id === null) return;
    part("log-list").replaceChildren();
    show(part("log-state"), "Reading…");
    const query = new URLSearchParams({ lines: FIRST_LINES, instance: id });
    const source = (this.#source = new EventSource(`/api/v1/logs/stream?${query}`));
    source.onopen = () => show(part("log-state"), "Following");
    source.onmessage = ({ data }) => {
      this.#waiting.push(JSON.parse(data));
      this.#frame ||= requestAnimationFrame(() => this.#draw());
    };
    source.onerror = () => {
      source.close();
      show(part("log-state"), "The connection is lost; trying again");
      this.#timer = setTimeout(() => this.show(id), AGAIN_MS);
    };
  }

  #draw() {
    this.#frame = 0;
    const list = part("log-list");
    const isAtEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
    list.append(...this.#waiting.map(line));
    this.#waiting = [];
    while (list.children.length > KEPT) list.firstElementChild.remove();
    if (isAtEnd) list.scrollTop = list.scrollHeight;
  }
}

function line(entry) {
  const rest = Object.entries(entry).filter(([name]) => !APART.has(name));
  return h("li", { class: entry.level },
    h("time", { datetime: entry.timestamp }, clock(new Date(entry.timestamp))),
    h("span", { class: "level" }, entry.level),
    h("span", { class: "what" }, entry.event),
    h("span", { class: "fields" }, rest.map(([name, value]) => `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`).join(" ")),
  );
}
