// Short notices: what was done, or why it was not.

import { h, part } from "./dom.js";

const SHOWN_MS = 6_000;

/** Show a notice for a while, and have it read aloud. */
export function notice(text, kind = "good") {
  const line = h("p", { class: `notice ${kind}` }, text);
  const place = part("notices");
  // What is open as a dialog keeps all else from being seen and read.
  (document.querySelector("dialog[open]") ?? document.body).append(place);
  place.append(line);
  setTimeout(() => line.remove(), SHOWN_MS);
}
