// What was earned: one book at a time, one asset at a time, because neither can be added to another.

import { add, isNegative, isZero, negate, placesOf, readable } from "./amounts.js";
import { get } from "./api.js";
import { bars, meter } from "./charts.js";
import { h, part, show } from "./dom.js";
import { words } from "./format.js";
import { RecentEarnings } from "./recent_earnings.js";
import { repeat, soon } from "./repeat.js";

const EVERY_MS = 30_000;
const AFTER_BOOKING_MS = 1_500;
const DAYS = 30;
const BOOKS = { paper: "Paper: the sandbox's money, not real", live: "Live: real money" };

export class RevenuePanel {
  #book = "paper";
  #asset = null;
  #chosen = false;
  #byStream = [];
  #byDay = [];
  #instances = {};
  #recent = new RecentEarnings();
  #onStream;

  /** `onStream` is called with a stream that the person wants to see the instances of. */
  constructor(onStream) {
    this.#onStream = onStream;
  }

  start(feed) {
    for (const input of document.querySelectorAll("input[name=book]")) {
      input.addEventListener("change", () => this.setBook(input.value));
    }
    const reading = repeat(() => this.#read(), EVERY_MS);
    this.readNow = reading.now;
    const booked = soon(reading.now, AFTER_BOOKING_MS);
    feed.on("ledger.booked", (event) => {
      this.#recent.add(event);
      booked();
    });
    feed.watch((state) => {
      this.#recent.watching(state === "live");
      if (state === "live") reading.now();
    });
    setInterval(() => document.hidden || this.#showRecent(), 5_000);
  }

  /** Take bookings that were told of before the page was opened, the oldest first. */
  remember(events) {
    this.#recent.remember(events);
    this.#showRecent();
  }

  /** Take a look at the daemon: which book it earns in, and how many instances a stream has. */
  see(status) {
    this.#instances = status.instances.by_stream;
    if (!this.#chosen) {
      const book = status.mode === "live" ? "live" : "paper";
      this.#chosen = true;
      if (book !== this.#book) this.setBook(book);
    }
  }

  setBook(book) {
    this.#chosen = true;
    this.#book = book;
    this.#asset = null;
    document.querySelector(`input[name=book][value=${book}]`).checked = true;
    this.#byStream = this.#byDay = [];
    this.#show();
    this.readNow();
  }

  otherBook() {
    this.setBook(this.#book === "paper" ? "live" : "paper");
  }

  async #read() {
    const book = this.#book;
    const [byStream, byDay] = await Promise.all(
      ["stream", "day"].map((by) => get("/ledger/totals", { book, by })),
    );
    if (book !== this.#book) return; // the person has turned to the other one meanwhile
    this.#byStream = byStream.items;
    this.#byDay = byDay.items;
    part("revenue").removeAttribute("aria-busy");
    this.#show();
  }

  #show() {
    part("revenue").dataset.book = this.#book;
    show(part("book-label"), BOOKS[this.#book]);
    const assets = assetsOf(this.#byStream);
    if (!assets.includes(this.#asset)) this.#asset = assets.includes("USD") ? "USD" : (assets[0] ?? null);
    part("revenue-empty").hidden = this.#asset !== null;
    part("revenue-body").hidden = this.#asset === null;
    if (this.#asset === null) return;
    this.#showAssets(assets);
    this.#showTotals();
    this.#showStreams();
    this.#showDays();
    this.#showRecent();
  }

  #showAssets(assets) {
    const chips = assets.map((asset) =>
      h("button", {
        type: "button", class: "chip", "aria-pressed": String(asset === this.#asset), dataset: { asset },
        onclick: () => {
          this.#asset = asset;
          this.#show();
          part("assets").querySelector(`[data-asset="${asset}"]`)?.focus();
        },
      }, h("span", { class: "code" }, asset), " ", h("span", { class: "number" }, readable(netOf(this.#byStream, asset)))),
    );
    const focused = document.activeElement?.dataset?.asset;
    part("assets").replaceChildren(...chips);
    if (focused) part("assets").querySelector(`[data-asset="${focused}"]`)?.focus();
  }

  #showTotals() {
    const asset = this.#asset;
    show(part("net"), readable(netOf(this.#byStream, asset)));
    show(part("net-asset"), asset);
    const today = netOf(this.#byDay.filter((item) => item.day === dayOf(new Date())), asset);
    const change = part("today");
    show(change, `${readable(today, 0, true)} ${asset}`);
    change.dataset.sign = isNegative(today) ? "loss" : isZero(today) ? "none" : "gain";
    const pending = netOf(this.#byStream, asset, "pending");
    show(part("pending"), `${readable(pending)} ${asset}`);
  }

  #showStreams() {
    const items = this.#byStream.filter((item) => item.asset === this.#asset);
    const streams = [...new Set([...Object.keys(this.#instances), ...this.#byStream.map((item) => item.stream)])].sort();
    const rows = streams.map((stream) => {
      const own = items.filter((item) => item.stream === stream);
      return {
        stream,
        income: sum(own.filter((item) => item.kind === "income" && item.state === "posted")),
        cost: sum(own.filter((item) => item.kind === "cost" && item.state === "posted")),
        pending: netOf(own, this.#asset, "pending"),
        net: netOf(own, this.#asset),
      };
    });
    const places = Object.fromEntries(
      ["income", "cost", "pending", "net"].map((column) => [column, placesOf(rows.map((row) => row[column]))]),
    );
    const greatest = Math.max(...rows.map((row) => Number(row.net)), 0) || 1;
    const cell = (row, column) =>
      h("td", { class: `number ${column} ${isZero(row[column]) ? "none" : ""}` },
        isZero(row[column]) ? "–" : readable(row[column], places[column]));
    part("stream-rows").replaceChildren(
      ...rows.map((row) =>
        h("tr", {},
          h("th", { scope: "row" },
            h("button", { type: "button", class: "link", title: "Show its instances", onclick: () => this.#onStream(row.stream) },
              words(row.stream))),
          h("td", { class: "number instances" }, String(this.#instances[row.stream] ?? 0)),
          cell(row, "income"), cell(row, "cost"), cell(row, "pending"), cell(row, "net"),
          h("td", { class: "share" }, meter(Number(row.net) / greatest)),
        ),
      ),
    );
  }

  #showDays() {
    const days = lastDays(DAYS).map((day) => {
      const items = this.#byDay.filter((item) => item.day === day);
      const net = netOf(items, this.#asset);
      return { value: Number(net), title: `${day}: ${readable(net, 0, true)} ${this.#asset}` };
    });
    const earned = days.filter((day) => day.value !== 0).length;
    const label = `Net by day, the last ${DAYS} days; ${earned} with bookings. Today ${days.at(-1).title}`;
    part("days").replaceChildren(bars(days, { label }));
  }

  #showRecent() {
    if (this.#asset === null) return;
    const items = this.#recent.bars(this.#book, this.#asset);
    const label = `Net in the last ${this.#recent.minutes} minutes, by ${this.#recent.bucketS} seconds, in ${this.#asset}`;
    part("recent").replaceChildren(bars(items, { label }));
  }
}

function assetsOf(items) {
  const order = (asset) => (asset === "USD" ? "" : asset);
  return [...new Set(items.map((item) => item.asset))].sort((a, b) => (order(a) < order(b) ? -1 : 1));
}

function sum(items) {
  return items.reduce((total, item) => add(total, item.amount), "0");
}

/** Return income less cost of one asset. */
function netOf(items, asset, state = "posted") {
  return items
    .filter((item) => item.asset === asset && item.state === state)
    .reduce((total, item) => add(total, item.kind === "income" ? item.amount : negate(item.amount)), "0");
}

function dayOf(moment) {
  return moment.toISOString().slice(0, 10);
}

function lastDays(number) {
  const now = Date.now();
  return Array.from({ length: number }, (_, place) => dayOf(new Date(now - (number - 1 - place) * 86_400_000)));
}
