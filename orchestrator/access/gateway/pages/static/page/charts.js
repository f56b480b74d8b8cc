// Small charts, drawn as SVG. Each says in words what it shows.

import { g } from "./dom.js";

/** Return a line of values in time. `ceiling` is the least that the chart's full height stands for. */
export function sparkline(values, { label, ceiling = 0, width = 120, height = 28 }) {
  const top = Math.max(ceiling, ...values) || 1;
  const x = (place) => (values.length > 1 ? (place * width) / (values.length - 1) : width);
  const y = (value) => height - 1.5 - (value / top) * (height - 3);
  const points = values.map((value, place) => `${x(place).toFixed(1)},${y(value).toFixed(1)}`);
  return g(
    "svg",
    { class: "sparkline", viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", role: "img", "aria-label": label },
    points.length > 1 && g("polygon", { class: "area", points: `0,${height} ${points.join(" ")} ${width},${height}` }),
    points.length > 1 && g("polyline", { class: "line", points: points.join(" ") }),
  );
}

/**
 * Return bars, those below zero downwards. Each item is {value, title}; an item of null is a time that nobody looked at.
 */
export function bars(items, { label, width = 600, height = 96 }) {
  const values = items.map((item) => item?.value ?? 0);
  const high = Math.max(0, ...values);
  const low = Math.min(0, ...values);
  const span = high - low || 1;
  const base = height - 2 - ((0 - low) / span) * (height - 4);
  const pitch = width / items.length;
  const gap = Math.min(3, pitch * 0.25);
  const drawn = items.map((item, place) => {
    const x = place * pitch + gap / 2;
    const wide = Math.max(1, pitch - gap);
    if (item === null) return g("rect", { class: "unseen", x, y: base - 2, width: wide, height: 2 });
    const length = Math.max(item.value === 0 ? 1 : 2, (Math.abs(item.value) / span) * (height - 4));
    const kind = item.value === 0 ? "none" : item.value < 0 ? "loss" : "gain";
    const y = item.value < 0 ? base : base - length;
    return g("rect", { class: kind, x, y, width: wide, height: length, rx: Math.min(2, wide / 3) }, g("title", {}, item.title));
  });
  return g(
    "svg",
    { class: "bars", viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", role: "img", "aria-label": label },
    g("line", { class: "base", x1: 0, x2: width, y1: base, y2: base }),
    ...drawn,
  );
}

/** Return a share of a whole, from 0 to 1. It is an ornament of a figure that stands beside it. */
export function meter(share, kind = "") {
  const width = Math.max(0, Math.min(1, share)) * 100;
  return g(
    "svg",
    { class: `meter ${kind}`, viewBox: "0 0 100 4", preserveAspectRatio: "none", "aria-hidden": "true" },
    g("rect", { class: "track", width: 100, height: 4 }),
    g("rect", { class: "fill", width, height: 4 }),
  );
}
