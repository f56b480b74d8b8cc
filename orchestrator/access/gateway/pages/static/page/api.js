// The daemon's REST interface. What it refuses is a `Problem`, in the daemon's own words.

const PREFIX = "/api/v1";
const LIMIT_MS = 30_000;

export class Problem extends Error {
  constructor(status, code, detail) {
    super(detail);
    this.status = status;
    this.code = code;
  }
}

/** Read something. */
export async function get(path, params = {}) {
  const query = new URLSearchParams(Object.entries(params).filter(([, value]) => value !== null && value !== undefined));
  return ask(query.size ? `${path}?${query}` : path, { method: "GET" });
}

/** Do something. The header shows that this page is asking; another site's could not send it. */
export async function post(path, body = {}) {
  const headers = { "Content-Type": "application/json", "X-Automate": "page" };
  return ask(path, { method: "POST", headers, body: JSON.stringify(body) });
}

async function ask(path, options) {
  let answer;
  try {
    answer = await fetch(PREFIX + path, { ...options, signal: AbortSignal.timeout(LIMIT_MS) });
  } catch {
    throw new Problem(0, "unreachable", "the daemon does not answer");
  }
  if (answer.status === 401) logInAgain();
  const told = await answer.json().catch(() => null);
  if (!answer.ok) throw new Problem(answer.status, told?.code ?? "unknown", told?.detail ?? answer.statusText);
  return told;
}

/** The session is over: what was open is opened again after the login. */
function logInAgain() {
  location.assign("/login?next=/");
}
