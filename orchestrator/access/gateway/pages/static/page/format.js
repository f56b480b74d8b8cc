// Figures for people.

const STEPS = ["B", "KiB", "MiB", "GiB", "TiB"];

/** Return a size, three digits of it. */
export function size(bytes) {
  let step = 0;
  while (bytes >= 1000 && step < STEPS.length - 1) {
    bytes /= 1024;
    step += 1;
  }
  return `${bytes.toFixed(bytes < 10 && step ? 1 : 0)} ${STEPS[step]}`;
}

/** Return a length of time, its two largest units. */
export function duration(seconds) {
  const s = Math.max(0, Math.floor(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
}

/** Return a short length of time, in milliseconds. */
export function milliseconds(seconds) {
  const ms = seconds * 1000;
  return ms < 10 ? ms.toFixed(2) : ms.toFixed(0);
}

export function count(number) {
  return number.toLocaleString("en").replaceAll(",", " ");
}

/** Return the time of day of a moment, in the viewer's zone. */
export function clock(moment) {
  const two = (number) => String(number).padStart(2, "0");
  return `${two(moment.getHours())}:${two(moment.getMinutes())}:${two(moment.getSeconds())}`;
}

/** Return a name of the daemon's as words: `api_services` as `api services`. */
export function words(name) {
  return name.replaceAll("_", " ");
}

export function plural(number, one, many = one + "s") {
  return `${count(number)} ${number === 1 ? one : many}`;
}
