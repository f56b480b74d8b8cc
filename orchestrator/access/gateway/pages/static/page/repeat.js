// Does something again and again while somebody looks at the page.

const LONGEST_MS = 30_000;

/**
 * Call `work` at once and then at intervals; ever more seldom while it fails, and not at all while the page is hidden.
 * Returns a function that asks for a call now, and one that ends it all.
 */
export function repeat(work, intervalMs) {
  let timer = 0;
  let failures = 0;
  let running = false;
  let again = false;
  let ended = false;

  async function turn() {
    clearTimeout(timer);
    if (ended || document.hidden) return;
    if (running) {
      again = true;
      return;
    }
    running = true;
    again = false;
    try {
      await work();
      failures = 0;
    } catch {
      failures += 1;
    }
    running = false;
    const waitMs = Math.min(LONGEST_MS, intervalMs * 2 ** Math.min(failures, 5));
    if (!ended) timer = setTimeout(turn, again ? Math.min(waitMs, 500) : waitMs);
  }

  const onVisibility = () => {
    if (!document.hidden) turn();
  };
  document.addEventListener("visibilitychange", onVisibility);
  turn();
  return {
    now: turn,
    end() {
      ended = true;
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", onVisibility);
    },
  };
}

/** Return a function that has `work` called soon, once for all calls within `waitMs`. */
export function soon(work, waitMs) {
  let timer = 0;
  return () => {
    if (timer) return;
    timer = setTimeout(() => {
      timer = 0;
      work();
    }, waitMs);
  };
}
