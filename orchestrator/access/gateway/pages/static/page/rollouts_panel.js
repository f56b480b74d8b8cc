// Deployments under way, and how the last ones went.

import { get } from "./api.js";
import { h, part } from "./dom.js";
import { clock, duration, words } from "./format.js";
import { repeat, soon } from "./repeat.js";

const EVERY_MS = 20_000;
const WHILE_RUNNING_MS = 700;
const SHOWN = 8;

export class RolloutsPanel {
  start(feed) {
    const reading = repeat(() => this.#read(), EVERY_MS);
    this.#again = soon(reading.now, WHILE_RUNNING_MS);
    feed.on("rollout.", soon(reading.now, 100));
    feed.watch((state) => state === "live" && reading.now());
  }

  #again = () => {};

  async #read() {
    const { items } = await get("/rollouts", { limit: SHOWN });
    part("rollouts-empty").hidden = items.length > 0;
    const open = new Set([...part("rollouts-list").querySelectorAll("details[open]")].map((each) => each.dataset.id));
    part("rollouts-list").replaceChildren(...items.map((item) => rollout(item, open)));
    if (items.some((item) => item.ended_at === null)) this.#again();
  }
}

function rollout(item, open) {
  const { id, stream, strategy, state, phase, stage, stages, total, done, failed, reason, started_at, ended_at } = item;
  const failures = Object.entries(failed);
  const tookS = (Date.parse(ended_at ?? new Date().toISOString()) - Date.parse(started_at)) / 1000;
  return h("li", { class: state },
    h("div", { class: "head" },
      h("span", { class: "what" }, words(stream)),
      h("span", { class: "muted" }, `${id}, ${strategy}`),
      h("span", { class: `tag ${state}` }, words(state)),
    ),
    h("progress", { max: total || 1, value: total ? done : 1, "aria-label": `${id}: ${done} of ${total} done` }),
    h("div", { class: "foot muted" },
      h("span", {}, `${done} of ${total} done`,
        stages > 1 && ended_at === null ? `, batch ${stage} of ${stages} ${phase}` : "",
        failures.length ? `, ${failures.length} not ready` : ""),
      h("time", { datetime: started_at }, `${clock(new Date(started_at))}, ${duration(tookS)}`),
    ),
    reason ? h("div", { class: "foot muted" }, h("span", {}, reason)) : null,
    failures.length
      ? h("details", { dataset: { id }, open: open.has(id) },
          h("summary", {}, "What was not ready"),
          h("ul", {}, failures.map(([instance, reason]) =>
            h("li", {}, h("a", { href: `#/instances/${encodeURIComponent(instance)}` }, instance), ` ${reason}`))))
      : null,
  );
}
