// Exact decimal amounts. Money comes as text and stays text; only charts are drawn from rounded numbers.

function parse(text) {
  const [whole, fraction = ""] = text.split(".");
  return { units: BigInt(whole + fraction), places: fraction.length };
}

function write(units, places) {
  const digits = (units < 0n ? -units : units).toString().padStart(places + 1, "0");
  const whole = digits.slice(0, digits.length - places);
  return (units < 0n ? "-" : "") + whole + (places ? "." + digits.slice(-places) : "");
}

/** Return the sum of two amounts of one asset. */
export function add(left, right) {
  const [a, b] = [parse(left), parse(right)];
  const places = Math.max(a.places, b.places);
  const scaled = ({ units, places: own }) => units * 10n ** BigInt(places - own);
  return write(scaled(a) + scaled(b), places);
}

/** Return the amount with the other sign. */
export function negate(text) {
  return isZero(text) ? text : text.startsWith("-") ? text.slice(1) : "-" + text;
}

export function isZero(text) {
  return parse(text).units === 0n;
}

export function isNegative(text) {
  return parse(text).units < 0n;
}

/** Return how many decimal places the longest of some amounts has. */
export function placesOf(texts) {
  return Math.max(0, ...texts.map((text) => parse(text).places));
}

/** Return an amount for people: thousands parted, and decimal places filled up so that columns align. */
export function readable(text, places = 0, signed = false) {
  const { units, places: own } = parse(text);
  const [whole, fraction = ""] = write(units < 0n ? -units : units, own).split(".");
  const parted = whole.replace(/\B(?=(\d{3})+$)/g, " ");
  const filled = fraction.padEnd(places, "0");
  const sign = units < 0n ? "−" : signed && units > 0n ? "+" : "";
  return sign + parted + (filled ? "." + filled : "");
}
