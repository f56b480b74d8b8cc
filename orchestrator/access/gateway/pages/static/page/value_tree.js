// Any JSON value as a tree that opens.

import { h } from "./dom.js";
import { count } from "./format.js";

const OPEN_DEPTH = 1;
const LONGEST = 200;

/** Return an object or a list as names and values; what is nested deeper opens on demand. */
export function tree(value, depth = 0) {
  const entries = Object.entries(value);
  const rows = entries.slice(0, LONGEST).map(([name, item]) => row(name, item, depth));
  if (entries.length > LONGEST) rows.push(h("div", { class: "muted" }, `and ${count(entries.length - LONGEST)} more`));
  return h("div", { class: "tree" }, rows);
}

function row(name, item, depth) {
  if (item === null || typeof item !== "object") {
    return h("div", { class: "leaf" }, h("span", { class: "name" }, name), h("span", { class: `value ${typeof item}` }, leaf(item)));
  }
  const entries = Object.entries(item);
  if (!entries.length) {
    return h("div", { class: "leaf" }, h("span", { class: "name" }, name), h("span", { class: "value none" }, "empty"));
  }
  const isFlat = Array.isArray(item) && item.every((each) => each === null || typeof each !== "object");
  if (isFlat && item.length <= 12) {
    return h("div", { class: "leaf" }, h("span", { class: "name" }, name), h("span", { class: "value" }, item.map(leaf).join(", ")));
  }
  const branch = h("details", { open: depth < OPEN_DEPTH && entries.length <= 8 },
    h("summary", {}, h("span", { class: "name" }, name), h("span", { class: "muted" }, ` ${count(entries.length)}`)));
  // Made when it is first opened: settings can be large, and most of it is never looked at.
  const fill = () => branch.children.length > 1 || branch.append(tree(item, depth + 1));
  branch.addEventListener("toggle", fill);
  if (branch.open) fill();
  return branch;
}

function leaf(item) {
  if (item === null) return "none";
  if (item === "") return "empty";
  return String(item);
}
