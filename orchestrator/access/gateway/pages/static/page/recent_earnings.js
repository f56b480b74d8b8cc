// What was booked in the last minutes, as the page heard of it. A time that it did not hear of is left blank.

import { add, readable } from "./amounts.js";
import { clock } from "./format.js";

const BUCKET_MS = 15_000;
const BUCKETS = 60;

export class RecentEarnings {
  bucketS = BUCKET_MS / 1000;
  minutes = (BUCKETS * BUCKET_MS) / 60_000;
  #buckets = new Map(); // the bucket's number -> "book asset" -> net
  #heard = []; // spans of time that were listened to: [from, to or null]

  /** Take a booking, posted ones only. */
  add({ book, state, timestamp, amounts, outcome }) {
    if (state !== "posted" || outcome === "settled") return;
    const number = Math.floor(Date.parse(timestamp) / BUCKET_MS);
    const bucket = this.#buckets.get(number) ?? new Map();
    this.#buckets.set(number, bucket);
    for (const [asset, amount] of Object.entries(amounts)) {
      const key = `${book} ${asset}`;
      bucket.set(key, add(bucket.get(key) ?? "0", amount));
    }
    if (this.#buckets.size > BUCKETS * 2) this.#forget();
  }

  /** Take bookings of before; the time since the first of them counts as listened to. */
  remember(events) {
    if (!events.length) return;
    const from = Date.parse(events[0].timestamp);
    this.#heard.push([from, Date.now()]);
    for (const event of events) this.add(event);
  }

  /** Note that the page begins to listen, or no longer does. */
  watching(isLive) {
    const last = this.#heard.at(-1);
    if (isLive) this.#heard.push([Date.now(), null]);
    else if (last && last[1] === null) last[1] = Date.now();
  }

  bars(book, asset) {
    const last = Math.floor(Date.now() / BUCKET_MS);
    return Array.from({ length: BUCKETS }, (_, place) => {
      const number = last - BUCKETS + 1 + place;
      if (!this.#wasHeard(number)) return null;
      const net = this.#buckets.get(number)?.get(`${book} ${asset}`) ?? "0";
      const from = clock(new Date(number * BUCKET_MS));
      return { value: Number(net), title: `${from}: ${readable(net, 0, true)} ${asset}` };
    });
  }

  #wasHeard(number) {
    const [begin, end] = [number * BUCKET_MS, (number + 1) * BUCKET_MS];
    return this.#heard.some(([from, to]) => from < end && (to ?? Infinity) > begin);
  }

  #forget() {
    const oldest = Math.floor(Date.now() / BUCKET_MS) - BUCKETS;
    for (const number of this.#buckets.keys()) if (number < oldest) this.#buckets.delete(number);
  }
}
