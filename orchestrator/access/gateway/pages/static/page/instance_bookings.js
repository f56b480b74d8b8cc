// What an instance booked, the newest first, each with its evidence and its legs.

import { isNegative, readable } from "./amounts.js";
import { get } from "./api.js";
import { h, part, show } from "./dom.js";
import { clock, plural, words } from "./format.js";

const PAGE = 25;

export class InstanceBookings {
  #id = null;
  #cursor = null;
  #fresh = 0;

  constructor() {
    part("bookings-more").addEventListener("click", () => this.#read(false));
    part("bookings-fresh").addEventListener("click", () => this.#read(true));
  }

  show(id) {
    this.#id = id;
    part("bookings-list").replaceChildren();
    return this.#read(true);
  }

  /** Take news of a booking of this instance: it is shown on demand, so that the list does not run away. */
  hear() {
    this.#fresh += 1;
    this.#tellFresh();
  }

  #tellFresh() {
    const button = part("bookings-fresh");
    button.hidden = this.#fresh === 0;
    if (this.#fresh) show(button, `Show ${plural(this.#fresh, "new booking")}`);
  }

  async #read(fromNewest) {
    const id = this.#id;
    const list = part("bookings-list");
    const problem = part("bookings-problem");
    const asked = { instance: id, limit: PAGE, newest_first: true, cursor: fromNewest ? null : this.#cursor };
    let page;
    try {
      page = await get("/ledger/entries", asked);
    } catch (error) {
      show(problem, error.message);
      problem.hidden = false;
      return;
    }
    if (id !== this.#id) return;
    problem.hidden = true;
    if (fromNewest) {
      list.replaceChildren();
      this.#fresh = 0;
      this.#tellFresh();
    }
    list.append(...page.items.map(entry));
    this.#cursor = page.next_cursor;
    part("bookings-more").hidden = page.next_cursor === null;
    part("bookings-empty").hidden = list.children.length > 0;
  }
}

function entry(item) {
  const occurred = new Date(item.occurred_at);
  const details = h("details", {},
    h("summary", {},
      h("time", { datetime: item.occurred_at, title: item.occurred_at }, clock(occurred)),
      h("span", { class: "what" }, words(item.kind)),
      item.state !== "posted" && h("span", { class: `tag ${item.state}` }, item.state),
      h("span", { class: "tag book" }, item.book),
      h("span", { class: `number ${item.amount !== null && isNegative(item.amount) ? "loss" : "gain"}` },
        item.amount === null ? "–" : `${readable(item.amount, 0, true)} ${item.asset}`),
    ));
  details.addEventListener("toggle", () => details.children.length > 1 || details.append(story(item)), { once: true });
  return h("li", {}, details);
}

function story(item) {
  const rows = [
    ["Evidence", `${words(item.evidence.kind)} ${item.evidence.external_id}`],
    ["Its digest", item.evidence.digest],
    ["Transaction", `${item.id}, number ${item.sequence} of the chain`],
    ["Key", item.key],
    ["Happened", item.occurred_at],
    ["Booked", item.booked_at],
    ["Chain hash", item.hash],
    item.memo && ["Memo", item.memo],
    item.corrects && ["Corrects", `${item.corrects}: ${item.reason}`],
    item.resolves && ["Resolves", `${item.resolves.transaction}, ${item.resolves.outcome} ${item.resolves.reason}`],
    item.expires_at && ["Expires", item.expires_at],
    ...item.steps.map((step) => [words(step.outcome), `${step.booked_at} by ${step.transaction} ${step.reason}`]),
  ].filter(Boolean);
  return h("div", { class: "story" },
    h("table", { class: "legs" },
      h("caption", { class: "visually-hidden" }, "Postings"),
      h("tbody", {}, item.postings.map((leg) =>
        h("tr", {}, h("th", { scope: "row" }, leg.account), h("td", { class: "number" }, `${readable(leg.amount, 0, true)} ${leg.asset}`))))),
    h("dl", {}, rows.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value)))),
  );
}
