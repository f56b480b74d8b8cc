// One instance, in a drawer with an address of its own: what it does, what it earned, what it says, and what to do with it.

import { get, post } from "./api.js";
import { meter } from "./charts.js";
import { h, part, show } from "./dom.js";
import { clock, count, duration, words } from "./format.js";
import { InstanceBookings } from "./instance_bookings.js";
import { InstanceLog } from "./instance_log.js";
import { notice } from "./notices.js";
import { repeat, soon } from "./repeat.js";
import { shortcut } from "./shortcuts.js";
import { startTabs } from "./tabs.js";
import { tree } from "./value_tree.js";

const EVERY_MS = 2_000;
const ADDRESS = /^#\/instances\/([^/]+)$/;
const SURE_MS = 4_000;
const DONE = { restart: "restarted", pause: "paused", resume: "resumed", stop: "stopped", start: "started" };
const RUNS = ["ready", "paused", "starting", "restarting"];

export class InstancePage {
  #dialog = part("instance");
  #id = null;
  #reading = null;
  #settings = "";
  #details = "";
  #bookings = new InstanceBookings();
  #log = new InstanceLog();
  #neighbour;
  #again = () => {};
  #unsure = 0;

  /** `neighbour` returns the id of the instance before or after one. */
  constructor(neighbour) {
    this.#neighbour = neighbour;
  }

  start(feed) {
    addEventListener("hashchange", () => this.#follow());
    this.#dialog.addEventListener("close", () => this.#leave());
    this.#dialog.addEventListener("click", (event) => {
      if (event.target === this.#dialog) this.#dialog.close(); // beside the drawer
    });
    part("instance-close").addEventListener("click", () => this.#dialog.close());
    for (const button of part("instance-actions").children) {
      button.addEventListener("click", () => this.#press(button));
    }
    startTabs(part("instance-tabs"), (name) => this.#log.show(name === "log" ? this.#id : null));
    feed.on("instance.", ({ instance }) => instance === this.#id && this.#again());
    feed.on("ledger.booked", (event) => event.instance === this.#id && this.#bookings.hear(event));
    shortcut("r", () => this.#pressOneOf("restart"));
    shortcut("p", () => this.#pressOneOf("pause", "resume"));
    shortcut("]", () => this.#step(1));
    shortcut("[", () => this.#step(-1));
    this.#follow();
  }

  #follow() {
    const asked = location.hash.match(ADDRESS);
    if (!asked) {
      if (this.#dialog.open) this.#dialog.close();
      return;
    }
    const id = decodeURIComponent(asked[1]);
    if (id === this.#id) return;
    this.#reading?.end();
    this.#id = id;
    this.#settings = this.#details = "";
    show(part("instance-name"), id);
    part("instance-body").setAttribute("aria-busy", "true");
    part("instance-problem").hidden = true;
    if (!this.#dialog.open) this.#dialog.showModal();
    this.#reading = repeat(() => this.#read(id), EVERY_MS);
    this.#again = soon(this.#reading.now, 150);
    this.#bookings.show(id);
    const tab = part("instance-tabs").querySelector("[aria-selected=true]").dataset.tab;
    this.#log.show(tab === "log" ? id : null);
  }

  #leave() {
    this.#reading?.end();
    this.#reading = this.#id = null;
    this.#log.show(null);
    if (ADDRESS.test(location.hash)) history.pushState(null, "", location.pathname);
  }

  #step(step) {
    const next = this.#id === null ? undefined : this.#neighbour(this.#id, step);
    if (next === undefined) return false;
    location.hash = `#/instances/${encodeURIComponent(next)}`;
    return true;
  }

  async #read(id) {
    let view;
    try {
      view = await get(`/fleet/instances/${encodeURIComponent(id)}`);
    } catch (problem) {
      if (id === this.#id) {
        show(part("instance-problem"), problem.message);
        part("instance-problem").hidden = false;
      }
      throw problem;
    }
    if (id !== this.#id) return;
    part("instance-problem").hidden = true;
    part("instance-body").removeAttribute("aria-busy");
    this.#show(view);
  }

  #show(view) {
    part("instance-state").replaceChildren(h("span", { class: `swatch ${view.state}`, "aria-hidden": "true" }), view.state);
    part("instance-state").dataset.state = view.state;
    show(part("instance-stream"), words(view.stream));
    for (const button of part("instance-actions").children) button.hidden = !isPossible(button.dataset.action, view.state);
    const url = `http://${view.host.includes(":") ? `[${view.host}]` : view.host}:${view.port}`;
    fact("address", h("a", { href: url, rel: "noreferrer", target: "_blank" }, `${view.host}:${view.port}`));
    fact("up", view.ready ? duration(view.up_s) : "not serving");
    fact("health", view.health || (view.ready ? "serves its customers" : "does not serve"));
    const left = view.restarts_left === null ? "" : `, ${view.restarts_left} left`;
    fact("restarts", `${count(view.restarts)}${left}`);
    fact("isolation", view.isolation);
    fact("directory", h("code", {}, view.directory));
    const failure = view.last_failure;
    part("instance-failure").hidden = failure === null;
    if (failure !== null) show(part("instance-failure"), `Last failure: ${said(failure)}`);
    part("instance-funnel").replaceChildren(...funnel(view.funnel));
    part("instance-funnel-empty").hidden = Object.keys(view.funnel).length > 0;
    this.#settings = redraw("instance-settings", view.settings, this.#settings);
    this.#details = redraw("instance-details", view.details, this.#details);
  }

  #pressOneOf(...actions) {
    const buttons = [...part("instance-actions").children];
    const button = buttons.find((each) => !each.hidden && actions.includes(each.dataset.action));
    if (this.#id === null || !button) return false;
    button.focus();
    this.#press(button);
    return true;
  }

  /** What interrupts customers is asked for twice. */
  #press(button) {
    const { action } = button.dataset;
    const isSure = button.dataset.sure !== undefined;
    clearTimeout(this.#unsure);
    for (const each of part("instance-actions").children) calm(each);
    if (isSure || !["restart", "stop"].includes(action)) {
      this.#do(action, button);
      return;
    }
    button.dataset.sure = "";
    button.textContent = `Really ${action}?`;
    this.#unsure = setTimeout(() => calm(button), SURE_MS);
  }

  async #do(action, button) {
    const id = this.#id;
    button.disabled = true;
    try {
      const view = await post(`/fleet/instances/${encodeURIComponent(id)}/${action}`);
      notice(`${id} is ${DONE[action]}.`);
      if (id === this.#id) this.#show(view);
    } catch (problem) {
      notice(`${id} could not be ${DONE[action]}: ${problem.message}`, "bad");
    } finally {
      button.disabled = false;
    }
  }
}

function calm(button) {
  delete button.dataset.sure;
  const { action } = button.dataset;
  show(button, action[0].toUpperCase() + action.slice(1));
}

function isPossible(action, state) {
  if (action === "pause") return state === "ready";
  if (action === "resume") return state === "paused";
  if (action === "start") return state === "stopped" || state === "failed";
  return RUNS.includes(state);
}

function fact(name, value) {
  const place = part("instance-facts").querySelector(`[data-fact=${name}]`);
  if (typeof value === "string") show(place, value);
  else if (place.textContent !== value.textContent) place.replaceChildren(value);
}

function said(failure) {
  const during = failure.message ? ` while handling ${failure.message}` : "";
  return `${clock(new Date(failure.at))} ${failure.kind}: ${failure.text}${during}`;
}

function funnel(counts) {
  const entries = Object.entries(counts);
  const most = Math.max(1, ...entries.map(([, number]) => number));
  return entries.map(([name, number]) =>
    h("li", { class: name.startsWith("rejected") || name.startsWith("filtered") ? "lost" : "" },
      h("span", { class: "name" }, words(name)), h("span", { class: "number" }, count(number)), meter(number / most)),
  );
}

/** Draw a tree again only where it changed: what somebody has opened stays open. */
function redraw(id, value, before) {
  const now = JSON.stringify(value);
  if (now === before) return before;
  const place = part(id);
  const open = new Set([...place.querySelectorAll("details[open]")].map(pathOf));
  place.replaceChildren(Object.keys(value).length ? tree(value) : h("p", { class: "muted" }, "Nothing to show."));
  for (const each of place.querySelectorAll("details")) if (open.has(pathOf(each))) each.open = true;
  return now;
}

function pathOf(details) {
  const names = [];
  for (let each = details; each; each = each.parentElement.closest("details")) {
    names.unshift(each.querySelector("summary .name").textContent);
  }
  return names.join("/");
}
