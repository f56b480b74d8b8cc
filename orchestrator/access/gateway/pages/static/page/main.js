// The page: its parts, and what they tell each other.

import { ActivityPanel } from "./activity_panel.js";
import { get } from "./api.js";
import { startConnection } from "./connection.js";
import { DecisionsPanel } from "./decisions_panel.js";
import { part } from "./dom.js";
import { EventFeed } from "./event_feed.js";
import { FleetModel } from "./fleet_model.js";
import { FleetPanel } from "./fleet_panel.js";
import { HealthPanel } from "./health_panel.js";
import { InstancePage } from "./instance_page.js";
import { RevenuePanel } from "./revenue_panel.js";
import { RolloutsPanel } from "./rollouts_panel.js";
import { shortcut, startShortcuts } from "./shortcuts.js";
import { nextTheme, startTheme } from "./theme.js";

const REMEMBERED_LINES = 1000;
const TOLD = /^(instance|rollout|scaling|profit|standbys|health|service|daemon|config|fleet|loop|gateway|ledger)\./;

const feed = new EventFeed("/api/v1/events");
const model = new FleetModel();
const fleet = new FleetPanel(model);
const revenue = new RevenuePanel((stream) => fleet.only(stream));
const activity = new ActivityPanel();
const decisions = new DecisionsPanel();
const instance = new InstancePage((id, step) => fleet.neighbour(id, step));
const health = new HealthPanel((status) => {
  model.see(status.instances);
  revenue.see(status);
});

startTheme();
startShortcuts();
startConnection(feed);
health.start(feed);
revenue.start(feed);
model.start(feed);
fleet.start(feed);
activity.start(feed);
decisions.start(feed);
new RolloutsPanel().start(feed);
instance.start(feed);
remember().finally(() => feed.connect());

shortcut("/", () => part("fleet-text").focus());
shortcut("t", nextTheme);
shortcut("b", () => revenue.otherBook());
shortcut("s", () => part("services").togglePopover());
["health", "revenue", "activity", "fleet", "decisions", "rollouts"].forEach((section, place) => {
  shortcut(String(place + 1), () => {
    part(section).scrollIntoView({ block: "start" });
    part(section).focus({ preventScroll: true });
  });
});

/** What happened before the page was opened stands in the log, under the same names. */
async function remember() {
  const { items } = await get("/logs", { lines: REMEMBERED_LINES, level: "info" }).catch(() => ({ items: [] }));
  const events = items.filter((line) => TOLD.test(line.event));
  activity.remember(events);
  decisions.remember(events);
  revenue.remember(events.filter((event) => event.event === "ledger.booked"));
}
