// Whether what the page shows is of now.

import { part, show } from "./dom.js";
import { clock } from "./format.js";

const LABELS = { live: "Live", connecting: "Connecting", waiting: "Offline" };

/** Show the connection's state, and since when the figures are old. */
export function startConnection(feed) {
  let lastLive = null;

  function tell() {
    const { state } = feed;
    document.body.dataset.connection = state;
    show(part("connection"), LABELS[state]);
    const banner = part("offline");
    if (state === "live") {
      lastLive = null;
      banner.hidden = true;
      return;
    }
    lastLive ??= new Date();
    if (state === "waiting") {
      const seconds = Math.max(0, Math.ceil((feed.nextAttempt - Date.now()) / 1000));
      show(
        part("offline-text"),
        `The connection to the daemon is lost. What you see is from ${clock(lastLive)}. Trying again in ${seconds} s.`,
      );
      banner.hidden = false;
    }
  }

  part("retry").addEventListener("click", () => feed.connect());
  feed.watch(tell);
  setInterval(() => {
    if (feed.state === "waiting") tell();
  }, 1000);
}
