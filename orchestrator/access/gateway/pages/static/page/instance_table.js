// The fleet as a table. Of ten thousand rows, only those in view are in the page.

import { h } from "./dom.js";
import { words } from "./format.js";

const ROW = 34;
const SPARE = 8;

export class InstanceTable {
  #box;
  #body;
  #rows = [];
  #frame = 0;

  constructor(box) {
    this.#box = box;
    this.#body = box.querySelector("tbody");
    box.addEventListener("scroll", () => this.#later());
    new ResizeObserver(() => this.#later()).observe(box);
  }

  draw(rows) {
    this.#rows = rows;
    this.#box.querySelector("table").setAttribute("aria-rowcount", rows.length + 1);
    this.#later();
  }

  #later() {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#paint();
    });
  }

  #paint() {
    if (this.#box.hidden) return;
    const first = Math.max(0, Math.floor(this.#box.scrollTop / ROW) - SPARE);
    const last = Math.min(this.#rows.length, first + Math.ceil(this.#box.clientHeight / ROW) + 2 * SPARE);
    const focused = this.#body.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    this.#body.replaceChildren(
      room(first * ROW),
      ...this.#rows.slice(first, last).map((row, place) => rowOf(row, first + place)),
      room((this.#rows.length - last) * ROW),
    );
    if (focused) this.#body.querySelector(`a[href="${focused}"]`)?.focus({ preventScroll: true });
  }
}

/** What stands for the rows that are out of view. */
function room(height) {
  const cell = h("td", { colspan: 6 });
  cell.style.height = `${height}px`;
  return h("tr", { class: "room", "aria-hidden": "true", hidden: height === 0 }, cell);
}

function rowOf(row, place) {
  return h("tr", { "aria-rowindex": place + 2 },
    h("th", { scope: "row" }, h("a", { href: `#/instances/${encodeURIComponent(row.id)}` }, row.id)),
    h("td", { class: "wide" }, words(row.stream)),
    h("td", {}, h("span", { class: "pill" }, h("span", { class: `swatch ${row.state}`, "aria-hidden": "true" }), row.state)),
    h("td", { class: "number wide" }, String(row.port)),
    h("td", { class: "number" }, String(row.restarts)),
    h("td", { class: "failure wide", title: row.last_failure ?? "" }, row.last_failure ?? ""),
  );
}
