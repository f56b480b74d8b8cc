// How the daemon is: services, instances, processor, memory, disk, event loop.

import { get } from "./api.js";
import { meter, sparkline } from "./charts.js";
import { h, part, show } from "./dom.js";
import { count, duration, milliseconds, size } from "./format.js";
import { repeat } from "./repeat.js";

const EVERY_MS = 3_000;
const KEPT = 60;

const HIGH_LAG_S = 0.1;
const FULL_DISK = 0.9;

export class HealthPanel {
  #history = { cpu: [], memory: [], lag: [] };
  #onStatus;

  /** `onStatus` is called with each look at the daemon. */
  constructor(onStatus) {
    this.#onStatus = onStatus;
  }

  start(feed) {
    const looking = repeat(() => this.#look(), EVERY_MS);
    feed.on("service.", looking.now);
    // Whether the daemon is away, or only this session over, is told by an answer alone.
    feed.watch((state) => state !== "connecting" && looking.now());
  }

  async #look() {
    const [status, vitals] = await Promise.all([get("/system/status"), get("/system/vitals")]);
    this.#showStatus(status);
    this.#showVitals(status, vitals);
    this.#showServices(vitals.services);
    this.#onStatus(status);
  }

  #showStatus({ state, mode, uptime_s, version, services, instances }) {
    show(part("daemon-state"), state);
    show(part("mode"), mode === "sandbox" ? "Sandbox" : "Live");
    part("mode").dataset.mode = mode;
    show(part("uptime"), `up ${duration(uptime_s)}`);
    show(part("version"), `version ${version}`);
    figure("services", `${services.up}`, `of ${services.total} up`, services.up < services.total && "bad");
    chart("services", meter(services.total ? services.up / services.total : 0, "good"));
    chart("instances", meter(instances.total ? instances.active / instances.total : 0, "good"));
    const asleep = instances.total - instances.active;
    const { standby } = instances.by_state;
    const spare = standby ? `, ${count(standby)} on standby` : "";
    figure("instances", count(instances.active), `of ${count(instances.total)} ready${spare}`, asleep > 0 && "warn");
    document.title = `${instances.active}/${instances.total} ready - automate`;
  }

  #showVitals(status, { loop_lag_s, machine }) {
    const { cpu, memory, lag } = this.#history;
    keep(cpu, status.cpu_percent);
    keep(memory, status.memory_bytes);
    keep(lag, loop_lag_s);
    figure("cpu", status.cpu_percent.toFixed(0), "% of a core");
    chart("cpu", sparkline(cpu, { ceiling: 100, label: `Processor use of late, up to ${Math.max(...cpu)} %` }));
    figure("memory", size(status.memory_bytes), `${status.memory_percent.toFixed(1)} % of all`);
    chart("memory", sparkline(memory, { label: `Memory of late, up to ${size(Math.max(...memory))}` }));
    figure("lag", milliseconds(loop_lag_s), "ms", loop_lag_s > HIGH_LAG_S && "warn");
    chart("lag", sparkline(lag, { ceiling: 0.01, label: `Event loop lag of late, up to ${milliseconds(Math.max(...lag))} ms` }));
    if (machine === null) {
      figure("disk", "?", "cannot be asked");
      return;
    }
    const used = 1 - machine.disk_free_bytes / machine.disk_total_bytes;
    const isFull = used > FULL_DISK;
    figure("disk", size(machine.disk_free_bytes), `free of ${size(machine.disk_total_bytes)}`, isFull && "warn");
    chart("disk", meter(used, isFull ? "warn" : ""));
  }

  #showServices(services) {
    const rows = services.map((service) =>
      h("tr", { class: service.up ? "" : "bad" },
        h("th", { scope: "row" }, service.name),
        h("td", {}, service.up ? "up" : "down"),
        h("td", { class: "number" }, service.restarts === null ? "" : count(service.restarts)),
        h("td", { class: "number" }, service.mailbox_messages === null ? "" : count(service.mailbox_messages)),
        h("td", { class: "number" }, service.handled_messages === null ? "" : count(service.handled_messages)),
        h("td", { class: "failure" }, service.last_failure ?? ""),
      ),
    );
    part("services-rows").replaceChildren(...rows);
  }
}

function keep(values, value) {
  values.push(value);
  if (values.length > KEPT) values.shift();
}

function figure(name, value, unit, alarm = "") {
  const tile = part(`tile-${name}`);
  show(tile.querySelector(".value"), value);
  show(tile.querySelector(".unit"), unit);
  tile.dataset.alarm = alarm || "";
}

function chart(name, drawn) {
  part(`tile-${name}`).querySelector(".chart").replaceChildren(drawn);
}
