// The fleet as tiles on a canvas: a tile an instance, however many there are. Only what is in view is drawn.

import { count, words } from "./format.js";
import { onTheme } from "./theme.js";

const PITCHES = [30, 26, 22, 18, 15, 12, 10, 9];
const NUMBERED = 26; // from this pitch on, a tile has room for its number
const ROUNDED = 15; // below this one, thousands of tiles are in view, and their corners would not be seen
const HEADING = 24;
const GAP_BELOW = 10;
const WANTED_HEIGHT = 420;
const BESIDE = 270; // streams stand beside each other where each has so much room
const PULSE_MS = 1_200;
const STILL = matchMedia("(prefers-reduced-motion: reduce)");

export class TileGrid {
  #box;
  #canvas;
  #spacer;
  #cursor;
  #tip;
  #open;
  #rows = [];
  #groups = []; // {stream, rows, first, left, top, ready}
  #pitch = PITCHES[0];
  #columns = 1; // of tiles, for each stream
  #wide = 1; // the room that each stream has
  #place = -1; // the tile that the keyboard is at
  #colours = null;
  #frame = 0;

  /** `box` scrolls; `tip` tells of the tile under the pointer; `open` is called with the id of a chosen instance. */
  constructor(box, tip, open) {
    [this.#box, this.#tip, this.#open] = [box, tip, open];
    this.#canvas = box.querySelector("canvas");
    this.#spacer = box.querySelector(".spacer");
    this.#cursor = box.querySelector("[role=option]");
    box.addEventListener("scroll", () => this.#later());
    box.addEventListener("keydown", (event) => this.#key(event));
    box.addEventListener("focus", () => this.#move(Math.max(0, this.#place), false));
    box.addEventListener("blur", () => this.#later());
    box.addEventListener("pointermove", (event) => this.#point(event));
    box.addEventListener("pointerleave", () => (this.#tip.hidden = true));
    box.addEventListener("click", (event) => {
      const row = this.#at(event);
      if (row) this.#open(row.id);
    });
    new ResizeObserver(() => this.#arrange()).observe(box);
    onTheme(() => {
      this.#colours = null;
      this.#later();
    });
  }

  draw(rows) {
    const at = this.#rows[this.#place]?.id;
    this.#rows = [...rows].sort((a, b) => (a.stream < b.stream ? -1 : a.stream > b.stream ? 1 : a.port - b.port));
    this.#place = at === undefined ? -1 : this.#rows.findIndex((row) => row.id === at);
    if (this.#place >= 0) this.#say();
    this.#arrange();
  }

  /** Show that an instance has just booked something. */
  pulse(row) {
    if (!row || STILL.matches || document.hidden) return;
    row.bookedAt = performance.now();
    this.#later();
  }

  #arrange() {
    const width = this.#box.clientWidth;
    if (!width) return;
    const streams = new Map();
    this.#rows.forEach((row, place) => {
      if (!streams.has(row.stream)) streams.set(row.stream, { stream: row.stream, rows: [], first: place, ready: 0 });
      const group = streams.get(row.stream);
      group.rows.push(row);
      group.ready += row.state === "ready";
    });
    this.#groups = [...streams.values()];
    const beside = Math.max(1, Math.min(this.#groups.length, Math.floor(width / BESIDE)));
    this.#wide = Math.floor(width / beside);
    let height = 0;
    for (const pitch of PITCHES) {
      [this.#pitch, this.#columns] = [pitch, Math.max(1, Math.floor((this.#wide - (beside > 1 ? 24 : 0)) / pitch))];
      height = 0;
      for (let first = 0; first < this.#groups.length; first += beside) {
        const side = this.#groups.slice(first, first + beside);
        side.forEach((group, place) => ([group.left, group.top] = [place * this.#wide, height]));
        const lines = Math.max(...side.map((group) => Math.ceil(group.rows.length / this.#columns)));
        height += HEADING + lines * pitch + GAP_BELOW;
      }
      if (height <= WANTED_HEIGHT) break;
    }
    this.#spacer.style.height = `${height}px`;
    this.#box.style.height = `${Math.min(height, WANTED_HEIGHT) + 2}px`;
    this.#later();
  }

  #later() {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#paint();
    });
  }

  #paint() {
    const [width, height] = [this.#box.clientWidth, this.#box.clientHeight];
    if (!width || !height) return;
    const scale = devicePixelRatio || 1;
    const canvas = this.#canvas;
    if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
      [canvas.width, canvas.height] = [Math.round(width * scale), Math.round(height * scale)];
      [canvas.style.width, canvas.style.height] = [`${width}px`, `${height}px`];
    }
    const pen = canvas.getContext("2d");
    const scrolled = this.#box.scrollTop;
    pen.setTransform(scale, 0, 0, scale, 0, -scrolled * scale);
    pen.clearRect(0, scrolled, width, height);
    this.#colours ??= colours();
    let pulsing = false;
    for (const group of this.#groups) {
      const lines = Math.ceil(group.rows.length / this.#columns);
      const bottom = group.top + HEADING + lines * this.#pitch;
      if (bottom < scrolled || group.top > scrolled + height) continue;
      this.#paintHeading(pen, group);
      const first = Math.max(0, Math.floor((scrolled - group.top - HEADING) / this.#pitch));
      const last = Math.min(lines, Math.ceil((scrolled + height - group.top - HEADING) / this.#pitch));
      const end = Math.min(group.rows.length, last * this.#columns);
      for (let place = first * this.#columns; place < end; place += 1) {
        pulsing = this.#paintTile(pen, group, place) || pulsing;
      }
    }
    if (pulsing) setTimeout(() => this.#later(), 80);
  }

  #paintHeading(pen, group) {
    pen.textBaseline = "middle";
    pen.textAlign = "left";
    pen.font = `600 12px ${this.#colours.font}`;
    pen.fillStyle = this.#colours.ink;
    const name = words(group.stream);
    pen.fillText(name, group.left, group.top + 10);
    const after = group.left + pen.measureText(name).width + 8;
    pen.font = `12px ${this.#colours.font}`;
    pen.fillStyle = this.#colours.muted;
    pen.fillText(`${count(group.ready)}/${count(group.rows.length)} ready`, after, group.top + 10);
  }

  #paintTile(pen, group, place) {
    const row = group.rows[place];
    const pitch = this.#pitch;
    const side = pitch - (pitch > 14 ? 4 : 2);
    const x = group.left + (place % this.#columns) * pitch;
    const y = group.top + HEADING + Math.floor(place / this.#columns) * pitch;
    const colour = this.#colours[row.state];
    const radius = pitch > 14 ? 4 : 2;
    if (row.state === "stopped" || row.state === "standby") {
      box(pen, x + 0.75, y + 0.75, side - 1.5, radius);
      pen.strokeStyle = colour;
      pen.lineWidth = 1.5;
      pen.setLineDash(row.state === "standby" ? [2, 2] : []);
      pen.stroke();
      pen.setLineDash([]);
    } else if (pitch < ROUNDED) {
      pen.fillStyle = colour;
      pen.fillRect(x, y, side, side);
    } else {
      box(pen, x, y, side, radius);
      pen.fillStyle = colour;
      pen.fill();
    }
    this.#paintSign(pen, row, x, y, side, pitch);
    const age = performance.now() - row.bookedAt;
    const pulses = row.bookedAt > 0 && age < PULSE_MS;
    if (pulses) {
      pen.globalAlpha = 1 - age / PULSE_MS;
      box(pen, x + 0.75, y + 0.75, side - 1.5, radius);
      pen.strokeStyle = this.#colours.ink;
      pen.lineWidth = 1.5;
      pen.stroke();
      pen.globalAlpha = 1;
    }
    if (group.first + place === this.#place && document.activeElement === this.#box) {
      pen.strokeStyle = this.#colours.focus;
      pen.lineWidth = 3;
      box(pen, x - 0.5, y - 0.5, side + 1, radius);
      pen.stroke();
    }
    return pulses;
  }

  /** A state is told by a sign as well as by its colour. */
  #paintSign(pen, { state, id }, x, y, side, pitch) {
    const middle = [x + side / 2, y + side / 2];
    const arm = side / 4;
    pen.strokeStyle = pen.fillStyle = state === "stopped" || state === "standby" ? this.#colours.muted : this.#colours.onTile;
    pen.lineWidth = Math.max(1.25, side / 14);
    if (state === "failed") {
      line(pen, middle[0] - arm, middle[1] - arm, middle[0] + arm, middle[1] + arm);
      line(pen, middle[0] + arm, middle[1] - arm, middle[0] - arm, middle[1] + arm);
    } else if (state === "paused") {
      line(pen, middle[0] - arm / 1.6, middle[1] - arm, middle[0] - arm / 1.6, middle[1] + arm);
      line(pen, middle[0] + arm / 1.6, middle[1] - arm, middle[0] + arm / 1.6, middle[1] + arm);
    } else if (state === "starting" || state === "restarting") {
      pen.beginPath();
      pen.arc(middle[0], middle[1], arm, 0, Math.PI * 1.4);
      pen.stroke();
    } else if (pitch >= NUMBERED) {
      pen.textAlign = "center";
      pen.textBaseline = "middle";
      pen.font = `${pitch >= 30 ? 11 : 10}px ${this.#colours.font}`;
      pen.fillText(String(Number(id.slice(id.lastIndexOf("-") + 1)) || ""), middle[0], middle[1] + 0.5);
    }
  }

  #at(event) {
    const bounds = this.#box.getBoundingClientRect();
    const [x, y] = [event.clientX - bounds.left, event.clientY - bounds.top + this.#box.scrollTop];
    const group = this.#groups.findLast((each) => each.top + HEADING <= y && each.left <= x);
    const column = Math.floor((x - (group?.left ?? 0)) / this.#pitch);
    if (!group || column >= this.#columns || x >= group.left + this.#wide) return undefined;
    return group.rows[Math.floor((y - group.top - HEADING) / this.#pitch) * this.#columns + column];
  }

  #point(event) {
    const row = this.#at(event);
    this.#tip.hidden = !row;
    this.#box.classList.toggle("over", Boolean(row));
    if (!row) return;
    this.#tip.textContent = `${row.id}, ${row.state}, port ${row.port}` + (row.restarts ? `, ${row.restarts} restarts` : "");
    const left = Math.min(event.clientX + 14, innerWidth - this.#tip.offsetWidth - 8);
    this.#tip.style.left = `${Math.max(8, left)}px`;
    this.#tip.style.top = `${event.clientY + 18}px`;
  }

  #key(event) {
    const steps = {
      ArrowRight: 1, ArrowLeft: -1, ArrowDown: this.#columns, ArrowUp: -this.#columns,
      Home: -this.#rows.length, End: this.#rows.length, PageDown: this.#columns * 8, PageUp: -this.#columns * 8,
    };
    if (event.key in steps) {
      event.preventDefault();
      this.#move(this.#place + steps[event.key], true);
    } else if ((event.key === "Enter" || event.key === " ") && this.#rows[this.#place]) {
      event.preventDefault();
      this.#open(this.#rows[this.#place].id);
    }
  }

  #move(place, scrolls) {
    this.#place = Math.max(0, Math.min(this.#rows.length - 1, place));
    this.#say();
    if (scrolls) this.#reveal();
    this.#later();
  }

  #say() {
    const row = this.#rows[this.#place];
    const text = row ? `${row.id}, ${row.state}` : "";
    if (this.#cursor.textContent !== text) this.#cursor.textContent = text;
  }

  #reveal() {
    const group = this.#groups.findLast((each) => each.first <= this.#place);
    if (!group) return;
    const y = group.top + HEADING + Math.floor((this.#place - group.first) / this.#columns) * this.#pitch;
    const { scrollTop, clientHeight } = this.#box;
    if (y - HEADING < scrollTop) this.#box.scrollTop = y - HEADING;
    else if (y + this.#pitch > scrollTop + clientHeight) this.#box.scrollTop = y + this.#pitch - clientHeight;
  }
}

function box(pen, x, y, side, radius) {
  pen.beginPath();
  pen.roundRect(x, y, side, side, radius);
}

function line(pen, fromX, fromY, toX, toY) {
  pen.beginPath();
  pen.moveTo(fromX, fromY);
  pen.lineTo(toX, toY);
  pen.stroke();
}

function colours() {
  const style = getComputedStyle(document.documentElement);
  const of = (name) => style.getPropertyValue(`--${name}`).trim();
  const states = ["ready", "starting", "restarting", "paused", "stopped", "failed", "standby"];
  return {
    ...Object.fromEntries(states.map((state) => [state, of(state)])),
    ink: of("ink"), muted: of("muted"), focus: of("focus"), onTile: of("on-tile"), font: of("font"),
  };
}
