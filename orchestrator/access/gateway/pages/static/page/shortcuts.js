// Keys that do something wherever one is, unless one is writing. They can be switched off.

import { part } from "./dom.js";

const KEY = "automate.shortcuts";
const actions = new Map();

/** Have `action` called for a key. What the keys do stands in the help. */
export function shortcut(key, action) {
  actions.set(key, action);
}

function isWriting(target) {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|SELECT|TEXTAREA)$/.test(target.tagName));
}

export function startShortcuts() {
  const help = part("help");
  const enabled = part("shortcuts-enabled");
  enabled.checked = localStorage.getItem(KEY) !== "off";
  enabled.addEventListener("change", () => localStorage.setItem(KEY, enabled.checked ? "on" : "off"));
  const toggleHelp = () => (help.open ? help.close() : help.showModal());
  part("help-button").addEventListener("click", toggleHelp);
  part("help-close").addEventListener("click", () => help.close());
  shortcut("?", toggleHelp);
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !enabled.checked || isWriting(event.target)) return;
    if (help.open && event.key !== "?") return;
    const action = actions.get(event.key);
    if (action && action() !== false) event.preventDefault();
  });
}
