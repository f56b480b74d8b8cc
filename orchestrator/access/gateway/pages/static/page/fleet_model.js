// Every instance, as the page knows it: read once by pages, then kept up to date by events.

import { get } from "./api.js";
import { repeat, soon } from "./repeat.js";

const PAGE = 1000;
const EVERY_MS = 60_000;
const UNSURE_MS = 1_000;

/** All states, in the order in which they are shown. */
export const STATES = ["ready", "starting", "restarting", "paused", "stopped", "failed", "standby"];

const BECOMES = {
  "instance.ready": "ready",
  "instance.restarted": "ready",
  "instance.started": "starting",
  "instance.restarting": "restarting",
  "instance.crashed": "restarting",
  "instance.failed": "failed",
  "instance.failover": "ready",
  "instance.failover_refused": "failed",
  "instance.stopped": "stopped",
  "instance.paused": "paused",
  "instance.resumed": "ready",
};

export class FleetModel {
  rows = []; // in the order of their ports
  loaded = false;
  #byId = new Map();
  #watchers = [];
  #told = new Map(); // what events said while a list was read, which may be older

  /** Have `watcher` called after changes, some times a second at most. */
  watch(watcher) {
    this.#watchers.push(watcher);
  }

  find(id) {
    return this.#byId.get(id);
  }

  start(feed) {
    this.#tell = soon(() => this.#watchers.forEach((watcher) => watcher()), 120);
    const reading = repeat(() => this.#read(), EVERY_MS);
    this.#unsure = soon(reading.now, UNSURE_MS);
    feed.on("instance.", (event) => this.#hear(event));
    feed.on("rollout.", this.#unsure);
    feed.watch((state) => state === "live" && reading.now());
  }

  /** Take a look at the fleet: where it counts otherwise than this model, the list is read again. */
  see({ by_state }) {
    if (!this.loaded) return;
    const own = this.countStates(this.rows);
    // Standbys are counted there, but are no part of the fleet.
    if (STATES.some((state) => state !== "standby" && (by_state[state] ?? 0) !== own[state])) this.#unsure();
  }

  countStates(rows) {
    const counted = Object.fromEntries(STATES.map((state) => [state, 0]));
    for (const row of rows) counted[row.state] += 1;
    return counted;
  }

  #tell = () => {};
  #unsure = () => {};

  async #read() {
    const rows = [];
    let cursor = null;
    this.#told.clear();
    do {
      const page = await get("/fleet/instances", { limit: PAGE, cursor });
      rows.push(...page.items);
      cursor = page.next_cursor;
      if (!this.loaded) this.#take(rows.slice());
    } while (cursor !== null);
    for (const row of rows) row.state = this.#told.get(row.id) ?? row.state;
    this.loaded = true;
    this.#take(rows);
  }

  #take(rows) {
    for (const row of rows) row.bookedAt = this.#byId.get(row.id)?.bookedAt ?? 0;
    this.rows = rows;
    this.#byId = new Map(rows.map((row) => [row.id, row]));
    this.#tell();
  }

  #hear(event) {
    const row = this.#byId.get(event.instance);
    const state = BECOMES[event.event];
    if (!row || !state) {
      this.#unsure();
      return;
    }
    row.state = state;
    this.#told.set(row.id, state);
    if (event.restarts !== undefined) row.restarts = event.restarts;
    if (event.failure !== undefined) row.last_failure = event.failure;
    this.#tell();
  }
}
