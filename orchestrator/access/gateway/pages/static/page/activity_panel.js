// What happens, while it happens. Bookings come many at a time: those of a stream within some seconds share a line.

import { add, isNegative, readable } from "./amounts.js";
import { h, part } from "./dom.js";
import { clock, plural, words } from "./format.js";

const SHOWN = 80;
const KEPT = 400;
const TOGETHER_MS = 10_000;
const DRAW_EVERY_MS = 500;

const BAD = /\.(crashed|failed|alert|blocked|reload_failed|record_broken|adoption_failed|stream_refused)$/;
const WARN = /\.(restarting|incomplete|paused|reverting|rolled_back|aborted|not_listening|stopping|failover|counts_waiting)$/;
const DECISIONS = /^(scaling|profit|rollout)\./;

export class ActivityPanel {
  #items = []; // the newest first
  #groups = new Map(); // "book stream" -> the line that is still open
  #kind = "all";
  #dirty = false;
  #drawnAt = 0;

  start(feed) {
    feed.on("", (event) => this.add(event));
    for (const input of document.querySelectorAll("input[name=activity]")) {
      input.addEventListener("change", () => {
        this.#kind = input.value;
        this.#draw();
      });
    }
    setInterval(() => {
      if (this.#dirty && !document.hidden && !this.#isRead()) this.#draw();
    }, DRAW_EVERY_MS);
    const list = part("activity-list");
    for (const end of ["mouseleave", "focusout"]) list.addEventListener(end, () => (this.#dirty = true));
  }

  /** Take events, the oldest first. */
  remember(events) {
    for (const event of events) this.add(event);
    this.#draw();
  }

  add(event) {
    const kind = kindOf(event);
    if (kind === "money") this.#addBooking(event);
    else this.#items.unshift({ kind, at: Date.parse(event.timestamp), event });
    if (this.#items.length > KEPT) this.#items.length = KEPT;
    this.#dirty = true;
  }

  #addBooking(event) {
    const at = Date.parse(event.timestamp);
    const key = `${event.book} ${event.stream} ${event.state}`;
    let group = this.#groups.get(key);
    if (!group || at - group.at > TOGETHER_MS) {
      group = { kind: "money", at, event, count: 0, amounts: {}, instances: new Set() };
      this.#groups.set(key, group);
      this.#items.unshift(group);
    }
    group.count += 1;
    group.instances.add(event.instance);
    for (const [asset, amount] of Object.entries(event.amounts)) {
      group.amounts[asset] = add(group.amounts[asset] ?? "0", amount);
    }
  }

  /** Whether somebody is about to click into the list: it must not move under the pointer. */
  #isRead() {
    const list = part("activity-list");
    return list.matches(":hover") || list.contains(document.activeElement);
  }

  #draw() {
    this.#dirty = false;
    const items = this.#items.filter((item) => this.#kind === "all" || item.kind === this.#kind).slice(0, SHOWN);
    part("activity-list").replaceChildren(...items.map(line));
    part("activity-empty").hidden = items.length > 0;
  }
}

function kindOf({ event }) {
  if (event === "ledger.booked") return "money";
  return DECISIONS.test(event) ? "decisions" : "fleet";
}

function line(item) {
  const { event } = item;
  const tone = item.kind === "money" ? "money" : BAD.test(event.event) ? "bad" : WARN.test(event.event) ? "warn" : "";
  return h("li", { class: tone },
    h("time", { datetime: event.timestamp }, clock(new Date(item.at))),
    h("div", {}, item.kind === "money" ? booking(item) : happening(event)),
  );
}

function booking({ count, amounts, instances, event }) {
  const sums = Object.entries(amounts).map(([asset, amount]) =>
    h("span", { class: isNegative(amount) ? "loss" : "" }, `${readable(amount, 0, true)} ${asset} `));
  const who = instances.size === 1 ? link(event.instance) : `${words(event.stream)}, ${plural(instances.size, "instance")}`;
  return [
    h("span", { class: "what" }, count === 1 ? words(event.kind) : plural(count, "booking"), event.state === "pending" ? ", pending" : ""),
    " ", h("span", { class: "who" }, who),
    h("span", { class: "amounts" }, sums.length ? sums : "moved, nothing earned"),
    event.book === "live" && h("span", { class: "book" }, "live"),
  ];
}

function happening(event) {
  const said = event.reason ?? event.failure ?? event.detail ?? progress(event);
  return [
    h("span", { class: "what" }, words(event.event)),
    " ",
    event.instance ? link(event.instance) : h("span", { class: "who" }, words(event.stream ?? event.actor ?? event.section ?? "")),
    said ? h("span", { class: "said" }, String(said)) : null,
  ];
}

function progress({ rollout, done, total }) {
  if (!rollout) return null;
  return done === undefined ? `${rollout}, ${plural(total, "instance")}` : `${rollout}, ${done} of ${total} done`;
}

function link(instance) {
  return h("a", { class: "who", href: `#/instances/${encodeURIComponent(instance)}` }, instance);
}
