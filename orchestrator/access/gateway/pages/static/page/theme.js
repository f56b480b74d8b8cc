// Light or dark: what the system says, unless the person says otherwise.

import { part } from "./dom.js";

const KEY = "automate.theme";
const ORDER = ["system", "light", "dark"];
const SIGNS = { system: "◐", light: "☀", dark: "☾" };
const watchers = [];

/** Have `watcher` called when colours have changed, for what is drawn rather than styled. */
export function onTheme(watcher) {
  watchers.push(watcher);
}

function apply(choice) {
  if (choice === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = choice;
  const button = part("theme");
  button.textContent = SIGNS[choice];
  button.setAttribute("aria-label", `Theme: ${choice}`);
  button.title = `Theme: ${choice} (t)`;
  for (const watcher of watchers) watcher();
}

function chosen() {
  const stored = localStorage.getItem(KEY);
  return ORDER.includes(stored) ? stored : "system";
}

/** Go on to the next theme. */
export function nextTheme() {
  const next = ORDER[(ORDER.indexOf(chosen()) + 1) % ORDER.length];
  localStorage.setItem(KEY, next);
  apply(next);
}

export function startTheme() {
  apply(chosen());
  part("theme").addEventListener("click", nextTheme);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => apply(chosen()));
}
