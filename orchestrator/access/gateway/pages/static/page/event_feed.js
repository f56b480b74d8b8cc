// The daemon's events, as they happen. A lost connection is taken up again, ever more patiently.

const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 30_000;

/** States: `connecting`, `live`, `waiting` (with the moment of the next attempt). */
export class EventFeed {
  #url;
  #source = null;
  #timer = 0;
  #attempts = 0;
  #listeners = [];
  #watchers = [];
  state = "connecting";
  nextAttempt = null;

  constructor(url) {
    this.#url = url;
    // A machine that wakes up, or a network that is back, need not wait for the timer.
    addEventListener("online", () => this.connect());
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden && this.state === "waiting") this.connect();
    });
  }

  /** Have `listener` called with each event whose name starts with `prefix`. */
  on(prefix, listener) {
    this.#listeners.push([prefix, listener]);
  }

  /** Have `watcher` called with each change of the connection's state, and whether it is a first or later life. */
  watch(watcher) {
    this.#watchers.push(watcher);
  }

  connect() {
    clearTimeout(this.#timer);
    this.#source?.close();
    this.#tell("connecting");
    const source = (this.#source = new EventSource(this.#url));
    source.onopen = () => {
      this.#attempts = 0;
      this.#tell("live");
    };
    source.onerror = () => {
      // The browser would try again by itself, at a pace of its own and without saying so.
      source.close();
      this.#wait();
    };
    source.onmessage = ({ data }) => this.#hand(JSON.parse(data));
  }

  #wait() {
    const waitMs = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** this.#attempts) * (0.75 + Math.random() / 2);
    this.#attempts = Math.min(this.#attempts + 1, 10);
    this.nextAttempt = Date.now() + waitMs;
    this.#timer = setTimeout(() => this.connect(), waitMs);
    this.#tell("waiting");
  }

  #tell(state) {
    this.state = state;
    for (const watcher of this.#watchers) watcher(state);
  }

  #hand(event) {
    for (const [prefix, listener] of this.#listeners) {
      if (event.event.startsWith(prefix)) listener(event);
    }
  }
}
