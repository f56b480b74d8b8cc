// The fleet: filters, and the same instances as tiles or as a table.

import { h, part, show } from "./dom.js";
import { STATES } from "./fleet_model.js";
import { count, plural, words } from "./format.js";
import { InstanceTable } from "./instance_table.js";
import { TileGrid } from "./tile_grid.js";

const KEY = "automate.fleet_view";

export class FleetPanel {
  #model;
  #text = "";
  #stream = "";
  #states = new Set(); // none: all
  #shown = [];
  #tiles;
  #table;
  #streams = "";

  constructor(model) {
    this.#model = model;
    const open = (id) => (location.hash = `#/instances/${encodeURIComponent(id)}`);
    this.#tiles = new TileGrid(part("tiles"), part("tile-tip"), open);
    this.#table = new InstanceTable(part("table"));
  }

  start(feed) {
    const text = part("fleet-text");
    text.addEventListener("input", () => this.#filter({ text: text.value }));
    text.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && text.value) {
        text.value = "";
        this.#filter({ text: "" });
      }
    });
    part("fleet-stream").addEventListener("change", (event) => this.#filter({ stream: event.target.value }));
    part("fleet-clear").addEventListener("click", () => this.clear());
    for (const input of document.querySelectorAll("input[name=fleet-view]")) {
      input.checked = input.value === (localStorage.getItem(KEY) ?? "tiles");
      input.addEventListener("change", () => {
        localStorage.setItem(KEY, input.value);
        this.#draw();
      });
    }
    this.#model.watch(() => this.#draw());
    feed.on("ledger.booked", ({ instance }) => this.#tiles.pulse(this.#model.find(instance)));
    this.#drawChips();
  }

  /** Show the instances of one stream only. */
  only(stream) {
    part("fleet-stream").value = stream;
    this.#filter({ stream });
    part("fleet").scrollIntoView({ block: "start" });
  }

  clear() {
    part("fleet-text").value = "";
    part("fleet-stream").value = "";
    this.#states.clear();
    this.#filter({ text: "", stream: "" });
  }

  /** Return the instance that stands `step` places after one, among those shown. */
  neighbour(id, step) {
    const place = this.#shown.findIndex((row) => row.id === id);
    return place < 0 ? undefined : this.#shown[place + step]?.id;
  }

  #filter({ text = this.#text, stream = this.#stream }) {
    this.#text = text.trim().toLowerCase();
    this.#stream = stream;
    this.#draw();
  }

  #toggle(state) {
    if (!this.#states.delete(state)) this.#states.add(state);
    this.#draw();
  }

  #draw() {
    const { rows, loaded } = this.#model;
    const ofStream = rows.filter(
      (row) =>
        (!this.#stream || row.stream === this.#stream) &&
        (!this.#text || row.id.includes(this.#text) || String(row.port).includes(this.#text) ||
          (row.last_failure ?? "").toLowerCase().includes(this.#text)),
    );
    this.#shown = this.#states.size ? ofStream.filter((row) => this.#states.has(row.state)) : ofStream;
    this.#drawStreams(rows);
    this.#countChips(this.#model.countStates(ofStream));
    const isFiltered = Boolean(this.#stream || this.#text || this.#states.size);
    const all = plural(rows.length, "instance");
    show(part("fleet-count"), isFiltered ? `${count(this.#shown.length)} of ${all}` : all);
    part("fleet-clear").hidden = !isFiltered;
    if (loaded) part("fleet").removeAttribute("aria-busy");
    const empty = part("fleet-empty");
    empty.hidden = this.#shown.length > 0;
    show(empty, !loaded ? "Reading the fleet…" : rows.length ? "No instance fits these filters." : "There are no instances.");
    const isTable = document.querySelector("input[name=fleet-view]:checked")?.value === "table";
    part("tiles").hidden = isTable || !this.#shown.length;
    part("table").hidden = !isTable || !this.#shown.length;
    if (isTable) this.#table.draw(this.#shown);
    else this.#tiles.draw(this.#shown);
  }

  #drawStreams(rows) {
    const streams = [...new Set(rows.map((row) => row.stream))].sort();
    if (streams.join() === this.#streams) return;
    this.#streams = streams.join();
    const options = streams.map((stream) => h("option", { value: stream }, words(stream)));
    part("fleet-stream").replaceChildren(h("option", { value: "" }, "All streams"), ...options);
    part("fleet-stream").value = this.#stream;
  }

  #drawChips() {
    const chips = STATES.map((state) =>
      h("button", { type: "button", class: "chip state", dataset: { state }, "aria-pressed": "false", onclick: () => this.#toggle(state) },
        h("span", { class: `swatch ${state}`, "aria-hidden": "true" }), state, " ", h("span", { class: "number" }, "0")),
    );
    part("fleet-states").replaceChildren(...chips);
  }

  #countChips(counted) {
    for (const chip of part("fleet-states").children) {
      const { state } = chip.dataset;
      show(chip.querySelector(".number"), count(counted[state]));
      chip.setAttribute("aria-pressed", String(this.#states.has(state)));
      chip.hidden = !counted[state] && !this.#states.has(state);
    }
  }
}
