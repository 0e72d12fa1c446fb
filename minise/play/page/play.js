// The page of minise play. Python computes every number that stands here; this only asks and draws.
//
// `start(root, transport)` fills an element: a page of its own does so with a websocket, a notebook
// with the model of anywidget (`render`). What is asked and answered: minise/play/messages.py.

const STOPPED = "minise play has stopped; start it again with: minise play";
const ENDED = "the kernel has ended, or begun anew; run this cell again";
const PEN = 0.07; // of the sheet, as in minise/play/drawing.py
const MOST_BYTES = 2 ** 23; // of a picture, as in minise/play/frames.py
const ROOM = 60; // pixels for a map and its bars, side by side with those of other channels
const WIDE = 96; // as wide as they get where there is more
const LEAST = 36; // pixels that a finger still finds
const FRAMES = { scores: 30, layers: 100 }; // ms between two paintings while one draws
const REST = 1000; // ms without an answer, after which the layers far from the window are asked for, too
const BAR = 52; // pixels: how high bars are
const GRADIENT_OF = { y: "dy", x: "dx", z: "dz", hidden: "dhidden", s: "ds" };
const GRADIENTS = new Set(["dy", "dx", "scaled", "squeezed", "dz", "dhidden", "ds"]);

// ---------------------------------------------------------------------------------- elements

/** An element with attributes, listeners ("onclick") and children, without those that are null. */
function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== false && value != null) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child != null));
  return element;
}

function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** A choice with a label; `options` are [value, text]. */
function choice(label, options, onchange) {
  const id = anId();
  const select = h("select", { id, onchange: () => onchange(select.value) },
    options.map(([value, text]) => h("option", { value }, text)));
  return [h("span", { class: "choice" }, h("label", { for: id }, label), select), select];
}

/** A choice of a class, or of none: null. */
function classChoice(label, none, { classes }, onchange, { prefix = "", offered = () => true } = {}) {
  const options = classes.map((text, k) => [k, prefix + text]).filter(([k]) => offered(k));
  return choice(label, [["", none], ...options], (k) => onchange(k === "" ? null : Number(k)));
}

function checkbox(text, attributes) {
  const input = h("input", { type: "checkbox", ...attributes });
  return [h("label", { class: "check" }, input, h("span", {}, text)), input];
}

const button = (text, onclick, name) => h("button", { type: "button", "aria-label": name, onclick }, text);

/** Change a text only where it is another: what stays the same costs no layout. */
function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

let made = 0; // several pages may stand in one notebook: ids differ
const anId = () => `minise-play-${(made += 1)}`;

// ----------------------------------------------------------------------------------- numbers

const signed = (text) => text.replaceAll("-", "−");

/** A number as one reads it: 0.531, 2.1e−5. */
export function short(v) {
  if (v === null || Number.isNaN(v)) return "not a number";
  const size = Math.abs(v);
  if (size === 0 || !Number.isFinite(v)) return signed(String(v));
  return signed(size >= 1e4 || size < 1e-3 ? v.toExponential(1) : String(Number(v.toPrecision(3))));
}

/** All digits that tell a float32 from its neighbours. */
export function exact(v) {
  if (v === null || Number.isNaN(v)) return "not a number";
  const float = Math.fround(v);
  let digits = 1;
  while (digits < 9 && Math.fround(Number(float.toPrecision(digits))) !== float) digits += 1;
  return signed(String(Number(float.toPrecision(digits))));
}

function percent(p) {
  const text = `${(100 * p).toFixed(0)}\u00a0%`; // which no line parts
  return text === "100\u00a0%" && p < 1 ? "over 99\u00a0%" : text;
}

/** The least and the largest number, or 0. */
function ends(arrays) {
  let low = 0;
  let high = 0;
  for (const { data } of arrays) {
    for (const v of data) {
      if (v < low) low = v;
      else if (v > high) high = v;
    }
  }
  return [low, high];
}

/** Where a colour scale or an axis ends: it goes from 0, or as far below it as above. */
function rangeOf(arrays, signed = false) {
  const [low, high] = ends(arrays);
  const most = Math.max(-low, high);
  return { low: signed || low < 0 ? -most : 0, high: most, signed: signed || low < 0 };
}

/** An array of an answer: {"at", "shape"} in its numbers, or a row in the JSON. */
function arrayOf(given, numbers) {
  if (given == null) return null;
  if (Array.isArray(given)) {
    return { data: Float32Array.from(given, (v) => (v === null ? NaN : v)), shape: [given.length] };
  }
  const size = given.shape.reduce((product, n) => product * n, 1);
  return { data: numbers.subarray(given.at, given.at + size), shape: given.shape };
}

// ----------------------------------------------------------------------------------- colours

// The lightness rises all the way, so that both scales read in black and white. What is not
// negative goes from black to white; what has a sign is grey at 0, darker below, lighter above.
const INK = [[13, 17, 28], [30, 78, 125], [62, 140, 178], [140, 200, 215], [246, 250, 242]];
const SIGNED = [[48, 12, 2], [134, 62, 22], [128, 128, 128], [140, 200, 215], [238, 252, 255]];
const NOT_A_NUMBER = 0xffff00ff; // magenta, which is in neither scale

function between(stops, t) {
  const place = Math.min(t * (stops.length - 1), stops.length - 1.000001);
  const k = Math.floor(place);
  return stops[k].map((low, i) => Math.round(low + (stops[k + 1][i] - low) * (place - k)));
}

/** 256 colours as the pixels of a canvas have them, on the little-endian machines there are. */
export function colours(stops) {
  return Uint32Array.from({ length: 256 }, (_, i) => {
    const [r, g, b] = between(stops, i / 255);
    return (0xff000000 | (b << 16) | (g << 8) | r) >>> 0;
  });
}

export const SCALES = { ink: colours(INK), signed: colours(SIGNED) };

/** What gives a number its colour on a scale that ends there. */
function colouring({ high, signed: both }) {
  const scale = both ? SCALES.signed : SCALES.ink;
  const [times, zero] = both ? [127.99 / (high || 1), 128] : [255.99 / (high || 1), 0];
  return (v) => (Number.isNaN(v) ? NOT_A_NUMBER : scale[(v * times + zero) | 0]);
}

// -------------------------------------------------------------------------------- transports

/** A frame: the length of the JSON in 4 bytes, little-endian; the JSON; the rest. */
function unpack(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  return [header, new Float32Array(buffer, 4 + length)];
}

function pack(question, bytes) {
  const text = new TextEncoder().encode(JSON.stringify(question));
  const frame = new Uint8Array(4 + text.length + bytes.byteLength);
  new DataView(frame.buffer).setUint32(0, text.length, true);
  frame.set(text, 4);
  frame.set(new Uint8Array(bytes), 4 + text.length);
  return frame;
}

/** To the server that gave the page. It is opened once: who stops the server meant it. */
export function websocket(address) {
  const url = new URL(address, document.baseURI);
  url.protocol = url.protocol.replace("http", "ws");
  const socket = new WebSocket(url);
  socket.binaryType = "arraybuffer";
  return {
    open(opened, answered, closed) {
      socket.onopen = opened;
      socket.onmessage = ({ data }) => answered(...unpack(data));
      socket.onclose = (event) => closed(event.reason || STOPPED);
    },
    send(question, bytes) {
      if (socket.readyState !== WebSocket.OPEN) return; // it is about to say that it is closed
      socket.send(bytes ? pack(question, bytes) : JSON.stringify(question));
    },
    close: () => socket.close(),
  };
}

/** To the kernel of a notebook. */
function ofModel(model) {
  const listeners = {};
  return {
    open(opened, answered, closed) {
      listeners["msg:custom"] = (header, buffers) => {
        const [view] = buffers ?? []; // a DataView, which may begin at any byte
        const bytes = view ? view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength) : null;
        answered(header, new Float32Array(bytes ?? 0));
      };
      // ipywidgets says the second once when a model is made, before this, and when it loses its kernel
      for (const name of ["comm:close", "comm_live_update"]) listeners[name] = () => closed(ENDED);
      for (const [name, listener] of Object.entries(listeners)) model.on(name, listener);
      opened();
    },
    send: (question, bytes) => model.send(question, undefined, bytes ? [bytes] : []),
    close() {
      for (const [name, listener] of Object.entries(listeners)) model.off(name, listener);
    },
  };
}

/** One question at a time: deeds wait in line, and of the looks only the newest wish. */
class Line {
  constructor(transport, { busy, closed }) {
    Object.assign(this, { transport, busy, deeds: [], wish: null, asked: null, open: false });
    this.number = Math.floor(Math.random() * 2 ** 40); // two views of one model hear each other's answers
    transport.open(
      () => { this.open = true; this.next(); },
      (header, numbers) => this.received(header, numbers),
      (sentence) => { this.open = false; closed(sentence); },
    );
  }

  /** It is done to what was wished when it was asked for, whatever is wished while it waits. */
  deed(question, answered, refused, bytes = null) {
    this.deeds.push({ question: () => question, answered, refused, bytes });
    this.next();
  }

  /** `question` is called when it is sent, since until then the page may have changed. */
  look(question, answered, refused) {
    this.wish = { question, answered, refused };
    this.next();
  }

  next() {
    if (!this.open || this.asked) return;
    let task = this.deeds.shift();
    if (!task) [task, this.wish] = [this.wish, null];
    this.busy(task !== null);
    if (!task) return;
    this.number += 1;
    this.asked = { ...task, question: task.question() };
    this.transport.send({ ...this.asked.question, id: this.number }, task.bytes);
  }

  received(header, numbers) {
    const task = this.asked;
    if (!task || !this.open || (header.id != null && header.id !== this.number)) return;
    this.asked = null;
    if (header.kind === "refused") task.refused(header.message, task.question);
    else task.answered(header, numbers, task.question);
    this.next();
  }
}

// ------------------------------------------------------------------------- maps, bars, gates

/** How many channels stand side by side in a width, and how far each map is enlarged. */
function gridOf(width, count, side, room = ROOM) {
  const zoomIn = (space) => {
    const zoom = space / (side + 1); // a pixel between two maps
    const steps = zoom < 2 ? 4 : 2; // so that pixels are alike on most screens
    return zoom >= 1 ? Math.floor(zoom * steps) / steps : zoom;
  };
  let columns = Math.floor(width / ((side + 1) * zoomIn(room)));
  if (columns < count && Math.floor(width / LEAST) >= count) columns = count;
  else if (columns < count && columns < 16) columns = Math.floor(width / LEAST);
  if (columns < count && columns > 8) columns -= columns % 8;
  columns = Math.max(1, Math.min(columns, count));
  const zoom = zoomIn(Math.min(room, width / columns));
  return { columns, zoom, pitch: (side + 1) * zoom };
}

/** What shows an array of a row. Its entries are [c], or [c, i, j] of maps. */
class View {
  constructor(row) {
    this.row = row;
  }

  offset([c]) {
    return c;
  }

  /** Mark an entry, or with null none. */
  point() {}
}

/** All maps of a layer in one canvas, a pixel of it for each number. */
class Maps extends View {
  constructor(row) {
    super(row);
    this.canvas = h("canvas", { role: "application", tabindex: 0, width: 1, height: 1 });
    this.cursor = h("div", { class: "cursor", hidden: true });
    this.element = h("div", { class: "maps" }, this.canvas, this.cursor);
    this.context = this.canvas.getContext("2d");
    listen(this, this.canvas);
  }

  paint(array, range, grid) {
    const [count, height, width] = array.shape;
    this.lay(count, height, width, grid);
    const { pixels, columns, across } = this;
    const colour = colouring(range);
    let at = 0;
    for (let c = 0; c < count; c += 1) {
      let start = Math.floor(c / columns) * (height + 1) * across + (c % columns) * (width + 1);
      for (let i = 0; i < height; i += 1, start += across) {
        for (let j = start; j < start + width; j += 1, at += 1) pixels[j] = colour(array.data[at]);
      }
    }
    this.context.putImageData(this.image, 0, 0);
  }

  lay(count, height, width, { columns, zoom }) {
    const key = [count, height, width, columns, zoom].join();
    if (key === this.key) return;
    Object.assign(this, { key, count, height, width, columns, zoom });
    this.across = columns * (width + 1);
    const down = Math.ceil(count / columns) * (height + 1);
    this.canvas.width = this.across;
    this.canvas.height = down;
    this.canvas.style.width = `${this.across * zoom}px`;
    this.canvas.style.height = `${down * zoom}px`;
    this.image = this.context.createImageData(this.across, down);
    this.pixels = new Uint32Array(this.image.data.buffer);
    this.cursor.style.width = this.cursor.style.height = `${Math.max(zoom, 3)}px`;
  }

  /** The entry at a place in the canvas, or null between two maps. */
  entryAt(x, y) {
    const [column, j] = split(Math.floor(x / this.zoom), this.width + 1);
    const [line, i] = split(Math.floor(y / this.zoom), this.height + 1);
    const c = line * this.columns + column;
    return c < this.count && i < this.height && j < this.width ? [c, i, j] : null;
  }

  /** The entry beside another, over the edges of its map into the next. */
  moved([c, i, j], right, down) {
    let [column, line] = [c % this.columns, Math.floor(c / this.columns)];
    [i, j] = [i + down, j + right];
    if (j < 0 || j >= this.width) [column, j] = [column + right, j < 0 ? this.width - 1 : 0];
    if (i < 0 || i >= this.height) [line, i] = [line + down, i < 0 ? this.height - 1 : 0];
    const next = line * this.columns + column;
    return column >= 0 && column < this.columns && next >= 0 && next < this.count ? [next, i, j] : null;
  }

  point(entry) {
    this.cursor.hidden = !entry;
    if (!entry) return;
    const [c, i, j] = entry;
    const x = ((c % this.columns) * (this.width + 1) + j) * this.zoom;
    const y = (Math.floor(c / this.columns) * (this.height + 1) + i) * this.zoom;
    this.cursor.style.transform = `translate(${x}px, ${y}px)`;
  }

  offset([c, i, j]) {
    return (c * this.height + i) * this.width + j;
  }

  describe({ shape: [count, height, width] }) {
    return `${count} maps of ${height}×${width}`;
  }
}

const split = (n, by) => [Math.floor(n / by), n % by];

/** A bar for each number; what is negative hangs down and is hollow. */
class Bars extends View {
  constructor(row) {
    super(row);
    this.above = svg("path", { class: "above" });
    this.below = svg("path", { class: "below" });
    this.axis = svg("path", { class: "axis" });
    this.pointed = svg("path", { class: "pointed" });
    this.svg = svg("svg", { tabindex: 0, role: "application" }, this.pointed, this.axis, this.above, this.below);
    this.element = h("div", { class: "bars" }, this.svg);
    listen(this, this.svg);
  }

  paint(array, { high, signed: both }, { columns, pitch }) {
    const count = array.data.length;
    Object.assign(this, { count, columns, pitch });
    const lines = Math.ceil(count / columns);
    this.svg.style.width = `${columns * pitch}px`;
    this.svg.style.height = `${lines * (BAR + 6)}px`;
    const zero = both ? BAR / 2 : BAR;
    const per = zero / (high || 1);
    const wide = Math.max(1, pitch - Math.max(2, pitch * 0.3));
    const paths = { above: "", below: "" };
    array.data.forEach((v, c) => {
      const x = (c % columns) * pitch + (pitch - wide) / 2;
      const y = Math.floor(c / columns) * (BAR + 6) + zero;
      if (v) paths[v > 0 ? "above" : "below"] += `M${x.toFixed(1)} ${y}v${(-v * per).toFixed(2)}h${wide.toFixed(1)}V${y}z`;
    });
    this.above.setAttribute("d", paths.above);
    this.below.setAttribute("d", paths.below);
    let axis = "";
    for (let line = 0; line < lines; line += 1) axis += `M0 ${line * (BAR + 6) + zero}h${Math.min(columns, count) * pitch}`;
    this.axis.setAttribute("d", axis);
  }

  entryAt(x, y) {
    const c = Math.floor(y / (BAR + 6)) * this.columns + Math.floor(x / this.pitch);
    return x >= 0 && x < this.columns * this.pitch && c >= 0 && c < this.count ? [c] : null;
  }

  moved([c], right, down) {
    const next = c + right + down * this.columns;
    return next >= 0 && next < this.count ? [next] : null;
  }

  point(entry) {
    if (!entry) return this.pointed.setAttribute("d", "");
    const [line, column] = split(entry[0], this.columns);
    this.pointed.setAttribute("d", `M${column * this.pitch} ${line * (BAR + 6)}h${this.pitch}v${BAR}h${-this.pitch}z`);
  }

  describe({ data }) {
    return `${data.length} numbers`;
  }
}

/** Show an entry of maps or bars to whoever points at it, taps it, or moves to it by arrow keys. */
function listen(view, element) {
  const { card } = view.row;
  const at = (event) => {
    const box = element.getBoundingClientRect();
    return view.entryAt(event.clientX - box.left, event.clientY - box.top);
  };
  const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  element.addEventListener("pointermove", (event) => event.pointerType === "mouse" && card.hover(view.row, at(event)));
  element.addEventListener("pointerleave", () => card.hover(null, null));
  element.addEventListener("click", (event) => card.keep(view.row, at(event)));
  element.addEventListener("focus", () => {
    if (element.matches(":focus-visible") && card.kept?.row !== view.row) card.keep(view.row, view.entryAt(0, 0));
  });
  element.addEventListener("keydown", (event) => {
    if (event.key === "Enter") return card.check();
    const arrow = arrows[event.key];
    if (!arrow) return undefined;
    event.preventDefault();
    const from = card.kept?.row === view.row ? card.kept.entry : null;
    const entry = from ? view.moved(from, ...arrow) : view.entryAt(0, 0);
    if (entry) card.keep(view.row, entry);
    return undefined;
  });
}

// Of a gate's range, in hundredths.
const GATE_KEYS = { ArrowUp: 1, ArrowRight: 1, ArrowDown: -1, ArrowLeft: -1, PageUp: 10, PageDown: -10, Home: -Infinity, End: Infinity };

/** The gates s as bars that one can drag; marks say what the net had set, and a class's mean. */
class Gates extends View {
  constructor(row) {
    super(row);
    this.sliders = [];
    this.element = h("div", { class: "gates", role: "group", "aria-label": `sliders of ${row.card.name}` });
    this.keys = ["mean", "own", "before"].map((name) => h("span", { class: "key" }, h("i", { class: name }), h("span")));
  }

  /** What the marks are, of those that there are. */
  name(marks) {
    this.keys.forEach((key, n) => {
      key.hidden = marks[n] === null;
      say(key.lastChild, marks[n] ?? "");
    });
  }

  paint(array, range, { columns, pitch }) {
    this.range = range;
    this.element.style.gridTemplateColumns = `repeat(${columns}, ${pitch}px)`;
    while (this.sliders.length < array.data.length) this.add(this.sliders.length);
    this.show();
  }

  /** The gates as they are set, also where the answer is yet to come; those that are not as the net's own. */
  show() {
    const { own, before, mean, like, change } = this.row.card.marks();
    this.name([mean && `mean of class ${mean.name}`, "the net's own", before ? "before the steps" : null]);
    this.sliders.forEach((slider, c) => {
      const byHand = change?.gates?.[c];
      this.move(slider, byHand ?? (change?.off ? 1 : (like ?? own).data[c]));
      this.mark(slider, "own", change ? own.data[c] : undefined);
      this.mark(slider, "before", before?.[c]);
      this.mark(slider, "mean", mean?.data[c]);
      slider.element.classList.toggle("by-hand", byHand !== undefined);
    });
  }

  /** A mark on a gate's track, at a share of its height; none where there is no number. */
  mark({ track }, name, v) {
    const { low, high } = this.range;
    const share = v == null || Number.isNaN(v) ? "" : Math.min(1, Math.max(0, (v - low) / (high - low)));
    track.style.setProperty(`--${name}`, share);
  }

  move(slider, v) {
    slider.v = v;
    this.mark(slider, "v", v);
    say(slider.text, Number.isNaN(v) ? "—" : signed(v.toFixed(2)));
    const { low, high } = this.range;
    Object.assign(slider.element, { ariaValueMin: low, ariaValueMax: high, ariaValueNow: v });
  }

  set(slider, v) {
    const { low, high } = this.range;
    this.row.card.setGate(slider.c, Math.round(Math.min(high, Math.max(low, v)) * 1e4) / 1e4);
  }

  add(c) {
    const { card } = this.row;
    const text = h("span", { class: "value" });
    const track = h("span", { class: "track" }, ["fill", "own", "before", "mean"].map((name) => h("i", { class: name })));
    const slider = { c, track, text, v: NaN, dragged: false };
    const follow = (event) => {
      const box = track.getBoundingClientRect();
      const { low, high } = this.range;
      this.set(slider, low + ((box.bottom - event.clientY) / box.height) * (high - low));
    };
    const drop = () => { slider.dragged = false; };
    slider.element = h("div", { role: "slider", tabindex: 0, class: "gate",
      "aria-label": `gate of channel ${c} in ${card.name}`, "aria-orientation": "vertical",
      onpointerdown: (event) => {
        if (event.button !== 0) return;
        slider.element.setPointerCapture(event.pointerId);
        slider.dragged = true;
        follow(event);
      },
      onpointermove: (event) => {
        if (slider.dragged) follow(event);
        else if (event.pointerType === "mouse") card.hover(this.row, [c]);
      },
      onpointerup: drop,
      onpointercancel: drop,
      onpointerleave: () => card.hover(null, null),
      ondblclick: () => card.setGate(c, null),
      onfocus: () => card.keep(this.row, [c]),
      onkeydown: (event) => {
        const { low, high } = this.range;
        if (event.key in GATE_KEYS) this.set(slider, (slider.v || 0) + (GATE_KEYS[event.key] * (high - low)) / 100);
        else if (event.key === "Delete" || event.key === "Backspace") card.setGate(c, null);
        else return;
        event.preventDefault();
      },
    }, track, text);
    this.sliders.push(slider);
    this.element.append(slider.element);
  }
}

// ------------------------------------------------------------------------------------ layers

/** One array of a layer with a title, its view, and the numbers at the ends of its scale. */
class Row {
  constructor(card, { key, title, scale = key }) {
    Object.assign(this, { card, key, scale, view: null, array: null });
    [this.low, this.scaleMark, this.high] = [h("span"), h("i", { class: "scale", hidden: true }), h("span")];
    this.legend = h("span", { class: "legend" }, this.low, this.scaleMark, this.high);
    this.title = h("figcaption", {}, h("b", {}, key), ` ${title} `, this.legend);
    this.figure = h("figure", { hidden: true }, this.title);
  }

  /** Take what an answer has for it; null where it was not asked for. */
  take(array) {
    this.array = array;
    this.figure.hidden = !array;
    if (!array || this.view) return;
    const gates = this.key === "s" && array.shape.length === 1 && this.card.info.gates !== "pixels";
    this.view = array.shape.length === 3 ? new Maps(this) : gates ? new Gates(this) : new Bars(this);
    this.figure.append(this.view.element);
    if (gates) this.legend.append(...this.view.keys);
    else this.view.element.firstElementChild.setAttribute("aria-label", `${this.key} of ${this.card.name}: ${this.view.describe(array)}. Arrow keys move over the numbers.`);
  }

  paint(range, grid) {
    this.view.paint(this.array, range, grid);
    this.explain(range);
  }

  /** The numbers at the ends, and for maps the colours between them. */
  explain({ low, high, signed: both }) {
    const isScale = this.view instanceof Maps && high > 0;
    const from = both && low === -high ? `±${short(high)}` : `${short(low)} to ${short(high)}`;
    this.scaleMark.hidden = !isScale;
    this.scaleMark.classList.toggle("signed", Boolean(both));
    say(this.low, isScale ? short(low) : high === 0 ? "0 everywhere" : from);
    say(this.high, isScale ? `${both ? "+" : ""}${short(high)}` : "");
  }
}

/** A layer: what came out of it, the gradient of that, and what one entry is. */
class Card {
  constructor(play, info) {
    Object.assign(this, { play, info, name: info.name, kept: null, pointed: null, width: 0, near: true, stale: false });
    this.rows = this.kinds().map((kind) => new Row(this, kind));
    this.byKey = new Map(this.rows.map((row) => [row.key, row]));
    const title = anId();
    this.about = h("span", { class: "about" });
    this.readout = h("output", { class: "readout", "aria-live": "polite" });
    this.checkButton = button("", () => this.check());
    this.checkButton.hidden = true;
    this.checked = h("div", { class: "checked", hidden: true }, h("p", { role: "status" }), reading(play, "checking a gradient", { panel: "check" }));
    this.body = h("div", { class: "body" }, this.contents(), this.checked,
      h("div", { class: "foot" }, reading(play, this.name, { name: this.name }), this.readout, this.checkButton));
    this.details = h("details", { ontoggle: () => play.setOpen(this.name, this.details.open) },
      h("summary", {}, h("h3", { id: title }, this.name), this.about), this.body);
    this.element = h("article", { class: `layer ${info.kind === "block" ? "block" : "plain"}`, "aria-labelledby": title, "data-layer": this.name }, this.details);
    this.describe(info.shape);
  }

  kinds() {
    return [{ key: "y", title: "what comes out" }, { key: "dy", title: "the loss's gradient of it" }];
  }

  contents() {
    return this.rows.map((row) => row.figure);
  }

  describe(shape, shown) {
    const first = shape && shown < shape[0] ? `, first ${shown} of ${shape[0]} shown` : "";
    say(this.about, `${this.info.type}${shape ? ` ${shape.join("×")}` : ""}${first}`);
  }

  /** What an answer says of this layer. Painted when it can be seen, and once at first. */
  take(layer, numbers) {
    const isNew = !this.layer;
    for (const row of this.rows) row.take(arrayOf(layer[row.key], numbers));
    this.layer = layer;
    const y = this.byKey.get("y").array;
    this.describe(layer.shape, y ? y.shape[0] : layer.shape[0]);
    this.stale = true;
    if (this.near || isNew) this.paint();
  }

  paint() {
    if (!this.stale || !this.details.open || !this.width) return;
    this.stale = false;
    const rows = this.rows.filter((row) => row.array);
    const ranges = new Map();
    for (const { scale } of rows) {
      if (!ranges.has(scale)) ranges.set(scale, this.rangeOf(scale, rows));
    }
    for (const row of rows) row.paint(ranges.get(row.scale), this.gridOf(row));
    this.tell();
  }

  rangeOf(scale, rows) {
    return rangeOf(rows.filter((row) => row.scale === scale).map((row) => row.array), GRADIENTS.has(scale));
  }

  /** Smaller maps stand smaller, so that one sees the pooling; numbers are narrow. */
  gridOf(row) {
    const [count, , side] = row.array.shape;
    if (side === undefined) return gridOf(this.width, count, 1, count > 16 ? Math.max(2, Math.min(14, (4 * this.width) / count)) : 36);
    const room = Math.min(WIDE, Math.max(ROOM, this.width / count));
    return gridOf(this.width, count, side, side < 28 ? room * (0.3 + side / 40) : room);
  }

  hover(row, entry) {
    this.pointed = row && entry ? { row, entry } : null;
    this.tell();
  }

  /** What was clicked stays after the pointer is gone, so that its button can be reached. */
  keep(row, entry) {
    if (this.kept?.row !== row) this.kept?.row.view.point(null);
    this.kept = entry ? { row, entry } : null;
    row.view.point(entry);
    this.checked.hidden = true;
    this.tell();
  }

  /** What the pointer is on, else what was kept; the button is for what was kept. */
  tell() {
    const told = this.pointed ?? this.kept;
    say(this.readout, told?.row.array ? this.sentenceOf(told) : "");
    const what = this.kept && this.checkable(this.kept);
    this.checkButton.hidden = !what;
    if (what) say(this.checkButton, `check this number: ${what.of}[${what.index.join(", ")}]`);
  }

  sentenceOf({ row, entry }) {
    const at = row.view.offset(entry);
    const gradient = this.byKey.get(GRADIENT_OF[row.key])?.array;
    const also = gradient?.data.length === row.array.data.length ? `, ${GRADIENT_OF[row.key]} = ${exact(gradient.data[at])}` : "";
    return `${row.key}[${entry.join(", ")}] = ${exact(row.array.data[at])}${also}`;
  }

  /** Which gradient a click on an entry can have checked, if there is one. */
  checkable({ row, entry }) {
    const of = GRADIENTS.has(row.key) ? row.key : GRADIENT_OF[row.key];
    return this.byKey.get(of)?.array ? { of, name: this.name, index: entry } : null;
  }

  check() {
    const what = this.kept && this.checkable(this.kept);
    if (!what) return;
    const show = (text, asked) => {
      if (!this.play.isNewest(asked)) return;
      this.checked.hidden = false;
      say(this.checked.firstChild, text);
    };
    this.play.deed({ kind: "check", ...what }, (answer, _, asked) => show(sentenceOf(answer), asked), show);
  }
}

function sentenceOf({ of, index, backward, numeric, relative_error: error, words }) {
  const apart = error == null ? "" : `, relative error ${short(error)}`;
  return `${of}[${index.join(", ")}]: backward ${exact(backward)}, finite difference ${short6(numeric)}${apart}. ${words ?? ""}`;
}

const short6 = (v) => (v == null ? "not a number" : signed(String(Number(v.toPrecision(9)))));

/** An SE block: x is squeezed into z, z excites the gates s, and y = s · x; and the way back. */
class BlockCard extends Card {
  kinds() {
    const pixels = this.info.gates === "pixels";
    const { scales } = this.info; // a block of one's own may do something else with its gates
    return [
      { key: "x", title: "what comes in", scale: "x" },
      { key: "z", title: "squeeze: one number for each map" },
      { key: "hidden", title: "excitation: the hidden units a" },
      { key: "s", title: pixels ? "the gates, one for each pixel" : "the gates: drag a bar" },
      { key: "y", title: scales ? "= s · x, on the colour scale of x" : "what comes out", scale: "x" },
      { key: "dy", title: "the loss's gradient of y", scale: "dx" },
      { key: "ds", title: pixels ? "of the gates" : "of the gates: dy · x, summed over each map" },
      { key: "dhidden", title: "da, of the hidden units" },
      { key: "dz", title: "of the squeeze" },
      { key: "scaled", title: "= s · dy, the path of the scale", scale: "dx" },
      { key: "squeezed", title: "the path through the gates, on a colour scale of its own" },
      { key: "dx", title: scales ? "= scaled + squeezed" : "of what comes in", scale: "dx" },
    ];
  }

  contents() {
    const figures = (rows) => rows.map((row) => row.figure);
    return [this.controls(), h("div", { class: "ways" },
      h("div", {}, h("h4", {}, "forward"), figures(this.rows.slice(0, 5))),
      h("div", {}, h("h4", {}, "backward"),
        this.noBack = h("p", { class: "quiet" }, "Choose the right answer above: the gradient of its loss comes back here."),
        figures(this.rows.slice(5))))];
  }

  controls() {
    const { play, name } = this;
    let off, like, squeeze;
    [off, this.off] = checkbox(`switch ${name} off: all gates 1`,
      { onchange: () => play.change(name, { off: this.off.checked, like: null, gates: {} }) });
    if (this.info.gates === "pixels") return h("div", { class: "controls" }, off);
    [like, this.like] = classChoice(`gates of ${name}`, "its own", play.net,
      (k) => play.change(name, { off: false, like: k, gates: {} }),
      { prefix: "mean of class ", offered: (k) => Number.isFinite(play.meanOf(name, k)?.data[0]) });
    [squeeze, this.squeeze] = choice(`squeeze of ${name}`,
      [["", `its own${this.info.squeeze ? `: ${this.info.squeeze}` : ""}`], ...play.net.squeezes.map((text) => [text, text])],
      (text) => play.change(name, { squeeze: text || null }));
    return h("div", { class: "controls" }, off, like, squeeze, button("reset", () => play.reset(name), `reset ${name}`));
  }

  /** The controls as the changes are, wherever they were made. */
  showChange() {
    const change = this.play.changes[this.name] ?? {};
    this.off.checked = Boolean(change.off);
    if (!this.like) return;
    this.like.value = change.like ?? "";
    this.squeeze.value = change.squeeze ?? "";
    this.showGates();
  }

  take(layer, numbers) {
    this.own = arrayOf(layer.own, numbers);
    this.noBack.hidden = layer.ds != null;
    super.take(layer, numbers);
    if (this.stale) this.showGates(); // those far from the window can be read aloud
  }

  /** As they are set, whatever was answered last. */
  showGates() {
    const { view } = this.byKey.get("s");
    if (view instanceof Gates) view.show();
  }

  setGate(c, v) {
    const gates = { ...this.play.changes[this.name]?.gates };
    if (v === null) delete gates[c];
    else gates[c] = v;
    this.play.change(this.name, { gates });
  }

  marks() {
    const { play, name, own } = this;
    const change = play.changes[name];
    const like = change?.like == null ? null : play.meanOf(name, change.like);
    return { own, before: play.learning.gatesBefore(name), mean: play.meanOf(name), like, change };
  }

  /** Gates stand between 0 and 1, or as far as they or their means reach. */
  rangeOf(scale, rows) {
    if (scale !== "s" || this.info.gates === "pixels") return super.rangeOf(scale, rows);
    const byHand = { data: Object.values(this.play.changes[this.name]?.gates ?? {}) };
    const [low, high] = ends([this.byKey.get("s").array, this.own, byHand, this.play.means[this.name]].filter(Boolean));
    return { low: Math.floor(low), high: Math.max(1, Math.ceil(high)) };
  }

  /** Every row of a block has its channels in the same columns. */
  gridOf(row) {
    const [count, , side] = this.byKey.get("x").array?.shape ?? [row.array.shape[0], 0, 1];
    const own = row.array.shape.length === 3 ? row.array.shape : [count, 0, side]; // gates of pixels: 1 map
    const width = this.width >= 760 ? (this.width - 32) / 2 : this.width; // two ways side by side: as in the style sheet
    return gridOf(width, own[0], own[2], Math.min(WIDE, Math.max(ROOM, width / count)));
  }
}

// ----------------------------------------------------------------------------------- reading

/** What can be read beside a panel or a layer, of one thing or several: asked for when it is opened. */
function reading(play, label, ...things) {
  const asked = new Set();
  const open = () => {
    for (const of of details.open ? things : []) {
      if (asked.has(of)) continue;
      asked.add(of);
      const text = details.appendChild(h("div", { class: "text" }));
      play.line.deed({ kind: "read", ...of }, (answer) => text.replaceChildren(...textOf(answer)),
        (message) => { asked.delete(of); text.replaceChildren(h("p", { role: "status" }, message)); });
    }
  };
  const details = h("details", { class: "read", ontoggle: open }, h("summary", { "aria-label": `read about ${label}` }, "read"));
  return details;
}

function textOf({ title, says, equations = [], sources = [], tutorial }) {
  return [
    h("h4", {}, title ?? ""),
    h("p", {}, (says ?? "").split("`").map((part, n) => (n % 2 ? h("code", {}, part) : part))),
    ...equations.map((e) => (e.mathml ? html("div", e.mathml, "equation") : h("div", { class: "equation" }, e.text))),
    ...sources.map((s, n) => h("details", { open: n === 0 },
      h("summary", {}, h("code", {}, s.name), ` ${s.file}, line ${s.line}`), h("pre", { tabindex: 0 }, h("code", {}, s.code)))),
    tutorial ? h("details", {}, h("summary", {}, `tutorial ${tutorial.number}, ${tutorial.title}: ${tutorial.section}`), html("div", tutorial.html, "tutorial")) : null,
  ].filter(Boolean);
}

/** HTML of our own package, made by the server from its tutorials. */
function html(tag, text, name) {
  const element = h(tag, { class: name });
  element.innerHTML = text;
  return element;
}

// ------------------------------------------------------------------------------------- input

/** The sheet that is drawn on: strokes of points from 0 to 1. Those that were asked about stay as they are. */
class Sheet {
  constructor(changed) {
    Object.assign(this, { changed, strokes: [], active: null });
    this.canvas = h("canvas", { class: "sheet", width: 448, height: 448, role: "img",
      "aria-label": "a sheet to draw a digit on, with mouse, finger or pen; test images can be picked with the keyboard" });
    this.context = this.canvas.getContext("2d");
    this.hint = h("span", { class: "hint", "aria-hidden": "true" }, "draw a digit here");
    this.undoButton = button("undo", () => this.back(this.strokes.slice(0, -1)));
    this.element = h("div", { class: "sheet-frame" }, this.canvas, this.hint);
    this.buttons = h("div", { class: "buttons" }, this.undoButton, button("clear", () => this.back([])));
    this.canvas.addEventListener("pointerdown", (event) => this.down(event));
    this.canvas.addEventListener("pointermove", (event) => this.moved(event));
    for (const name of ["pointerup", "pointercancel"]) this.canvas.addEventListener(name, () => { this.active = null; });
  }

  point(event, box) {
    const share = (v) => Math.round(Math.min(1, Math.max(0, v)) * 1e4) / 1e4;
    return [share((event.clientX - box.left) / box.width), share((event.clientY - box.top) / box.height)];
  }

  down(event) {
    if (event.button !== 0 || this.active !== null) return;
    event.preventDefault();
    this.canvas.setPointerCapture(event.pointerId);
    this.active = event.pointerId;
    this.box = this.canvas.getBoundingClientRect();
    this.show([...this.strokes, [this.point(event, this.box)]]);
  }

  moved(event) {
    if (event.pointerId !== this.active) return;
    const stroke = [...this.strokes.at(-1)];
    const coalesced = event.getCoalescedEvents?.() ?? [];
    for (const e of coalesced.length ? coalesced : [event]) {
      const [x, y] = this.point(e, this.box);
      const [lastX, lastY] = stroke.at(-1);
      if (Math.hypot(x - lastX, y - lastY) > 0.004) stroke.push([x, y]);
    }
    this.show([...this.strokes.slice(0, -1), stroke]);
  }

  /** The stroke that a pointer draws just now ends, too. */
  back(strokes) {
    this.active = null;
    this.show(strokes);
  }

  show(strokes) {
    this.strokes = strokes;
    this.paint();
    this.changed();
  }

  paint() {
    const { context, strokes } = this;
    const side = this.canvas.width;
    this.hint.hidden = strokes.length > 0;
    this.undoButton.disabled = !strokes.length;
    context.clearRect(0, 0, side, side);
    Object.assign(context, { lineWidth: PEN * side, lineCap: "round", lineJoin: "round", strokeStyle: "#f6faf2" });
    for (const stroke of strokes) {
      context.beginPath();
      const [[x, y]] = stroke;
      context.moveTo(x * side, y * side);
      context.lineTo(x * side, y * side); // a lone point is a dot
      for (const [px, py] of stroke) context.lineTo(px * side, py * side);
      context.stroke();
    }
  }
}

/** What the net is given, enlarged without smoothing. */
class Given {
  constructor() {
    this.canvas = h("canvas", { class: "given", role: "img" });
    this.caption = h("figcaption", {});
    this.element = h("figure", { class: "given-frame" }, this.canvas, this.caption);
  }

  paint(array) {
    const [count, height, width] = array.shape;
    if (this.canvas.width !== width || this.canvas.height !== height) Object.assign(this.canvas, { width, height });
    const context = this.canvas.getContext("2d");
    const image = context.createImageData(width, height);
    const pixels = new Uint32Array(image.data.buffer);
    const size = height * width;
    const { data } = array;
    const arePixels = data.every((v) => v >= 0 && v <= 255 && Number.isInteger(v)) && data.some((v) => v > 1);
    const [red, green, blue] = count === 3 ? [0, size, 2 * size] : [0, 0, 0];
    const colour = colouring(rangeOf([array]));
    for (let i = 0; i < size; i += 1) {
      pixels[i] = arePixels
        ? (0xff000000 | (data[blue + i] << 16) | (data[green + i] << 8) | data[red + i]) >>> 0
        : colour(data[i]);
    }
    context.putImageData(image, 0, 0);
    const what = arePixels || count === 1 ? "" : `, the first of ${count} maps`;
    say(this.caption, `what the net gets: ${height}×${width}${what}`);
    this.canvas.setAttribute("aria-label", this.caption.textContent);
  }
}

/** Test images, by class or those that the net gets wrong, one after the other. */
class Picker {
  constructor(net, picked) {
    Object.assign(this, { net, picked, of: "", place: 0, number: 0 });
    let label, wrong;
    [label, this.select] = classChoice("test images", "of any class", net, () => this.go(0));
    [wrong, this.wrong] = checkbox("only those it gets wrong", { disabled: !net.wrong.length, onchange: () => this.go(0) });
    this.text = h("p", { class: "quiet" });
    this.element = h("div", { class: "picker" },
      h("div", { class: "controls" }, label,
        button("‹", () => this.go(this.place - 1), "previous test image"), button("›", () => this.go(this.place + 1), "next test image")),
      h("div", { class: "controls" }, wrong, this.text));
    this.wrongs = new Set(net.wrong);
  }

  chosen() {
    const of = this.select.value === "" ? null : Number(this.select.value);
    return this.net.labels.flatMap((label, n) =>
      (of === null || label === of) && (!this.wrong.checked || this.wrongs.has(n)) ? [n] : []);
  }

  go(place) {
    const numbers = this.chosen();
    if (!numbers.length) return say(this.text, "there is no such test image");
    this.place = (place + numbers.length) % numbers.length;
    this.number = numbers[this.place];
    const wrong = this.wrongs.has(this.number) ? ", which it gets wrong" : "";
    say(this.text, `test image ${this.number}, ${this.place + 1} of ${numbers.length}: ${this.net.classes[this.net.labels[this.number]]}${wrong}`);
    return this.picked(this.number);
  }
}

// ------------------------------------------------------------------------------------ scores

const MOST_CLASSES = 12; // of more, those that are most probable are shown

/** The answer: a sentence, and a bar for each class, with what it was before the gates moved. */
class Scores {
  constructor(net) {
    this.net = net;
    this.sentence = h("p", { class: "sentence" }, "…");
    this.note = h("p", { class: "quiet" });
    this.live = h("p", { class: "unseen", role: "status" });
    const count = Math.min(net.classes.length, MOST_CLASSES);
    this.lines = Array.from({ length: count }, () => {
      const line = { name: h("th", { scope: "row" }), bar: h("span", { class: "bar" }, h("i"), h("b")),
        p: h("td", { class: "number" }), score: h("td", { class: "number quiet" }), by: h("td", { class: "number by" }) };
      line.row = h("tr", {}, line.name, h("td", { class: "bar-cell" }, line.bar), line.p, line.by, line.score);
      return line;
    });
    this.table = h("table", {}, h("caption", { class: "unseen" }, "probability and score of each class"),
      h("thead", {}, h("tr", {}, ["class", "", "probability", "points", "score"].map((text) => h("th", { scope: "col" }, text)))),
      h("tbody", {}, this.lines.map((line) => line.row)));
  }

  paint(seen, changed, truth) {
    const p = seen.probabilities;
    const best = p.indexOf(Math.max(...p.map((v) => v ?? -1)));
    this.lines.forEach((line, n) => this.paintLine(line, this.order(p)[n], seen, changed, best));
    const was = seen.unchanged.indexOf(Math.max(...seen.unchanged.map((v) => v ?? -1)));
    const { classes } = this.net;
    const before = changed ? `before the change: ${classes[was]}, ${percent(seen.unchanged[was])}` : "";
    const right = truth == null ? "" : truth === best ? "right" : `it should be ${classes[truth]}`;
    this.tell(`the net reads ${classes[best]}, ${percent(p[best])}`, [right, before].filter(Boolean).join("; "));
  }

  order(p) {
    const all = p.map((_, k) => k);
    return all.length <= MOST_CLASSES ? all : all.sort((a, b) => p[b] - p[a]).slice(0, MOST_CLASSES);
  }

  paintLine(line, k, seen, changed, best) {
    const [p, before] = [seen.probabilities[k], seen.unchanged[k]];
    say(line.name, this.net.classes[k]);
    line.bar.style.setProperty("--p", p ?? 0);
    line.bar.style.setProperty("--before", before ?? 0);
    line.row.classList.toggle("best", k === best);
    line.row.classList.toggle("changed", changed && before >= 0.005);
    Object.assign(line.row.dataset, { class: k, probability: p, score: seen.scores[k], unchanged: before });
    say(line.p, p === null ? "not a number" : `${(100 * p).toFixed(1)} %`);
    say(line.score, short(seen.scores[k]));
    const by = 100 * (p - before);
    say(line.by, !changed || Math.abs(by) < 0.05 ? "" : `${by > 0 ? "▲ +" : "▼ −"}${Math.abs(by).toFixed(1)}`);
  }

  /** Nothing is read: why. */
  refuse(message) {
    for (const line of this.lines) {
      line.bar.style.setProperty("--p", 0);
      line.row.classList.remove("best", "changed");
      for (const name of ["probability", "score", "unchanged"]) delete line.row.dataset[name];
      for (const cell of [line.p, line.score, line.by]) say(cell, "");
    }
    this.tell(message);
  }

  /** The sentence at once; to a screen reader when it has stood for a moment. */
  tell(text, note = "") {
    say(this.sentence, text);
    say(this.note, note);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => say(this.live, note ? `${text}; ${note}` : text), 500);
  }
}

// ---------------------------------------------------------------------------------- learning

/** Backward and steps: the class the loss is for, and what it was after each step. */
class Learning {
  constructor(play) {
    Object.assign(this, { play, losses: [], before: null });
    let label;
    [label, this.label] = classChoice("the right answer", "not chosen", play.net, (label) => play.wish({ label }));
    this.lr = h("input", { type: "number", value: "0.001", min: "0", max: "100", step: "any" });
    this.buttons = [button("1 step", () => this.steps(1)), button("10 steps", () => this.steps(10))];
    this.undoButton = button("undo step", () => this.deed({ kind: "undo" }));
    this.resetButton = button("undo all steps", () => this.deed({ kind: "reset" }));
    this.loss = h("output", { class: "loss" });
    this.message = h("p", { class: "quiet", role: "status" });
    this.refusal = h("p", { class: "refusal", role: "status" });
    this.curve = svg("polyline");
    this.dot = svg("circle", { r: 3 });
    this.plot = svg("svg", { viewBox: "-6 -8 212 64", preserveAspectRatio: "xMinYMid", role: "img" },
      svg("path", { d: "M0 48H200", class: "axis" }), this.curve, this.dot);
    this.element = h("div", { class: "learning" },
      h("div", { class: "controls" }, label, this.loss, h("label", {}, h("span", {}, "learning rate η"), this.lr),
        h("span", { class: "controls" }, this.buttons, this.undoButton, this.resetButton)),
      this.figure = h("figure", { class: "curve" }, this.plot, this.ends = h("figcaption")), this.refusal, this.message);
  }

  /** The label is part of the question: each step is one against the gradient that is shown. */
  steps(count) {
    const lr = Number(this.lr.value);
    if (!(lr > 0)) return say(this.refusal, `the learning rate is ${this.lr.value || "empty"}, expected a number above 0`);
    if (!this.before) this.deed({ kind: "look" }); // what stands on the page may answer an earlier question
    for (let k = 0; k < count; k += 1) this.deed({ kind: "step", lr });
    return undefined;
  }

  deed(question) {
    say(this.refusal, "");
    this.play.deed(question, (seen, numbers, asked) => {
      this.play.hideChecks();
      if (this.play.isNewest(asked)) this.note(seen);
      this.play.take(seen, numbers, asked);
    }, (message) => say(this.refusal, message));
  }

  /** The loss after so many steps of the curve. It begins anew where they are not its own, as those undone before it. */
  note({ steps, loss, layers }) {
    const place = this.before ? steps - this.first : -1;
    if (0 <= place && place <= this.losses.length) {
      this.losses.splice(place, Infinity, loss);
      return;
    }
    Object.assign(this, { first: steps, losses: [loss] });
    this.before = Object.fromEntries(layers.filter((layer) => Array.isArray(layer.s)).map((layer) => [layer.name, layer.s]));
  }

  /** The gates of a block where the curve begins; null where none is shown. */
  gatesBefore(name) {
    return this.losses.length > 1 ? this.before[name] : null;
  }

  /** Another image, label or change: the curve of another loss. */
  forget() {
    Object.assign(this, { losses: [], before: null });
    say(this.refusal, "");
    for (const button of this.buttons) button.disabled = this.play.label === null;
  }

  paint(seen) {
    const chosen = seen.label !== null;
    this.undoButton.disabled = !(seen.undoable ?? seen.steps);
    this.resetButton.disabled = !seen.steps;
    say(this.loss, chosen ? `loss ${short(seen.loss)}` : "no loss yet");
    const taken = seen.steps === 1 ? "1 step taken" : `${seen.steps} steps taken`;
    say(this.message, !chosen && !seen.steps ? "Choose the right answer, and the gradient of its loss is shown in every layer."
      : `${seen.steps ? taken : "A step moves every weight a little against its gradient"}. Nothing on disk is changed.`);
    this.paintCurve();
  }

  paintCurve() {
    const some = this.losses.slice(-201);
    this.figure.hidden = some.length < 2;
    if (some.length < 2) return;
    const most = Math.max(...some) || 1;
    const points = some.map((v, n) => [(200 * n) / (some.length - 1), 48 - (48 * v) / most]);
    this.curve.setAttribute("points", points.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join(" "));
    const [x, y] = points.at(-1);
    this.dot.setAttribute("cx", x);
    this.dot.setAttribute("cy", y);
    say(this.ends, `loss ${short(some[0])} → ${short(some.at(-1))}`);
    this.plot.setAttribute("aria-label", `the loss over ${some.length - 1} steps, from ${short(some[0])} to ${short(some.at(-1))}`);
  }
}

// -------------------------------------------------------------------------------------- page

/** The whole: what is wished, what was seen, and the panels that show it. */
class Play {
  constructor(root, transport) {
    Object.assign(this, { root, transport, image: null, changes: {}, label: null, open: null, seen: null, asking: false, chosen: null, scored: 0, painted: 0, cards: [], means: {} });
    root.classList.add("minise-play");
    this.notice = h("p", { class: "notice", role: "alert", hidden: true });
    this.main = h("div", { class: "main", role: "main" }, h("p", { class: "quiet" }, "loading the net …"));
    root.replaceChildren(this.notice, this.main);
    this.line = new Line(transport, {
      busy: (is) => { this.asking = is; this.showState(); },
      closed: (sentence) => this.closed(sentence),
    });
    this.line.deed({ kind: "hello" }, (net, numbers) => this.build(net, numbers), (message) => this.closed(message));
  }

  /** Busy until what was answered is painted. */
  showState() {
    if (this.root.dataset.state === "closed") return;
    this.root.dataset.state = this.asking || this.frame ? "busy" : "ready";
  }

  /** The first sentence says why: that the connection then ended is no news. */
  closed(sentence) {
    if (this.root.dataset.state === "closed") return;
    this.root.dataset.state = "closed";
    this.notice.hidden = false;
    say(this.notice, sentence);
  }

  // ---- what is built once

  build(net, numbers) {
    this.net = net;
    for (const [name, place] of Object.entries(net.means)) this.means[name] = arrayOf(place, numbers);
    this.scores = new Scores(net);
    this.given = new Given();
    this.picker = new Picker(net, (number) => this.pick({ from: "test", number }));
    this.sheet = net.draws ? new Sheet(() => this.own({ from: "drawing", strokes: this.sheet.strokes })) : null;
    this.learning = new Learning(this);
    this.cards = net.layers.map((info) => (info.kind === "block" ? new BlockCard(this, info) : new Card(this, info)));
    this.blocks = this.cards.filter((card) => card instanceof BlockCard);
    this.byName = new Map(this.cards.map((card) => [card.name, card]));
    this.main.replaceChildren(this.header(), h("div", { class: "columns" },
      h("div", { class: "side" }, this.inputPanel(), h("div", { class: "panel answer", role: "region", "aria-label": "Answer" }, this.scores.sentence, this.scores.note),
        this.panel("scores", "Scores", ["scores"], this.scores.table, this.scores.live)),
      h("div", { class: "flow" }, this.panel("backward", "Backward, and a step", ["loss", "step"], this.learning.element), this.layersPanel())));
    this.watchCards();
    this.sheet?.paint();
    this.picker.go(0);
  }

  header() {
    const { title, parameters } = this.net;
    return h("header", {}, h("h1", {}, "minise play"),
      h("p", { class: "quiet" }, [title, `${parameters.toLocaleString("en")} parameters`].filter(Boolean).join(" · ")));
  }

  /** With what can be read beside it about each of `panels`. */
  panel(name, title, panels, ...children) {
    const id = anId();
    return h("section", { class: `panel ${name}`, "aria-labelledby": id },
      h("div", { class: "heading" }, h("h2", { id }, title), panels.length ? reading(this, title, ...panels.map((panel) => ({ panel }))) : null), children);
  }

  inputPanel() {
    this.inputMessage = h("p", { class: "refusal", role: "status" });
    const file = h("input", { type: "file", accept: "image/*", class: "unseen", onchange: () => { this.sendPicture(file.files[0]); file.value = ""; } });
    const [, rows, columns] = this.net.image_shape;
    const drop = h("label", { class: "drop" }, file, h("span", {}, "or choose a picture, or drop it here"));
    const given = this.sheet
      ? h("div", { class: "sheets" }, this.sheet.element, h("div", {}, this.given.element, this.sheet.buttons))
      : h("div", { class: "choose" }, h("p", { class: "quiet" },
        `This net's images are ${this.net.image_shape[0]}×${rows}×${columns}, not grey 28×28: you cannot draw for it. Its test images can be picked.`), this.given.element);
    const panel = this.panel("input", this.sheet ? "Draw" : "Image", ["input"], given,
      h("div", { class: "choose" }, this.picker.element, this.sheet ? drop : null, this.inputMessage));
    if (this.sheet) this.takeDrops(panel);
    return panel;
  }

  takeDrops(panel) {
    for (const name of ["dragover", "dragleave", "drop"]) {
      panel.addEventListener(name, (event) => {
        event.preventDefault();
        panel.classList.toggle("over", name === "dragover");
        if (name === "drop") this.sendPicture(event.dataTransfer.files[0]);
      });
    }
  }

  /** Nothing comes of it where another image is picked before it is read. */
  async sendPicture(file) {
    if (!file) return;
    this.chosen = file;
    say(this.inputMessage, "");
    if (file.size > MOST_BYTES) {
      say(this.inputMessage, `the picture has ${(Math.ceil((10 * file.size) / 2 ** 20) / 10).toFixed(1)} MB, and may have ${MOST_BYTES / 2 ** 20}: make it smaller`);
      return;
    }
    const bytes = await file.arrayBuffer().catch(() => null); // a folder that was dropped, or a file that has gone
    if (this.chosen !== file) return;
    if (!bytes) {
      say(this.inputMessage, `${file.name} cannot be read, expected the file of a picture`);
      return;
    }
    const ifWanted = (what) => (...answer) => this.chosen === file && what(...answer);
    this.line.deed({ kind: "picture" },
      ifWanted(({ image }, numbers) => this.own({ from: "picture", pixels: [...arrayOf(image, numbers).data] })),
      ifWanted((message) => say(this.inputMessage, message)), bytes);
  }

  layersPanel() {
    return this.panel("layers", "The net", [], h("div", { class: "controls" }, this.blocks.length ? this.gatesControls() : null, this.goTo()),
      this.cards.map((card) => card.element));
  }

  /** The way through a deep net. */
  goTo() {
    if (this.cards.length <= 12) return null;
    const [label, select] = choice("go to", [["", "a layer"], ...this.cards.map(({ name }) => [name, name])], (name) => {
      const card = this.byName.get(name);
      select.value = "";
      if (!card) return;
      card.details.open = true;
      card.element.scrollIntoView();
      card.details.firstElementChild.focus({ preventScroll: true });
    });
    return label;
  }

  gatesControls() {
    let off, label, select;
    [off, this.allOff] = checkbox("switch all blocks off", { onchange: () => this.switchAll(this.allOff.checked) });
    [label, select] = classChoice("mark the mean gates of", "the class it answers", this.net,
      (k) => { this.marked = k; this.repaint(); }, { prefix: "class " });
    select.disabled = !Object.keys(this.means).length;
    return [off, button("reset all gates", () => this.changed({})), label];
  }

  /** A layer is asked for and painted when it is near the window, as wide as its panel lets it be. */
  watchCards() {
    const cards = new Map(this.cards.flatMap((card) => [[card.element, card], [card.body, card]]));
    this.near = new IntersectionObserver((entries) => {
      for (const { target, isIntersecting } of entries) {
        const card = cards.get(target);
        card.near = isIntersecting;
        if (isIntersecting) card.paint();
      }
      this.lookForMore();
    }, { rootMargin: "200px" });
    this.resized = new ResizeObserver((entries) => {
      for (const { target, contentRect } of entries) {
        const card = cards.get(target);
        if (!contentRect.width || card.width === contentRect.width) continue;
        card.width = contentRect.width;
        card.stale = Boolean(card.layer);
        card.paint();
      }
    });
    for (const card of this.cards) {
      this.near.observe(card.element);
      this.resized.observe(card.body);
    }
  }

  stop() {
    clearTimeout(this.resting);
    this.near?.disconnect();
    this.resized?.disconnect();
    this.line.open = false; // a frame may still come
    this.transport.close();
  }

  // ---- what is wished

  /** The image is one's own: a drawing, or a picture. */
  own(image) {
    say(this.picker.text, `your ${image.from}`);
    this.pick(image);
  }

  pick(image) {
    this.chosen = null;
    say(this.inputMessage, "");
    this.wish({ image });
  }

  /** Another image, label or change: then the losses and checks seen are those of another. */
  wish(what) {
    Object.assign(this, what);
    this.learning.forget();
    this.hideChecks();
    this.look();
  }

  hideChecks() {
    for (const { checked } of this.cards) checked.hidden ||= true; // set anew it would cost a layout
  }

  /** Change a block; what is null or empty is the block's own again. */
  change(name, change) {
    const all = { ...this.changes[name], ...change };
    const kept = Object.entries(all).filter(([key, v]) => (key === "gates" ? Object.keys(v).length : v != null && v !== false));
    if (kept.length) this.changed({ ...this.changes, [name]: Object.fromEntries(kept) });
    else this.reset(name);
  }

  reset(name) {
    const { [name]: _, ...others } = this.changes;
    this.changed(others);
  }

  switchAll(off) {
    const all = this.blocks.map(({ name }) => [name, { ...this.changes[name], off, gates: {}, like: null }]);
    this.changed(off ? Object.fromEntries(all) : {});
  }

  /** `changes` is another object: what was asked about stays as it is. */
  changed(changes) {
    const before = this.changes;
    this.wish({ changes });
    for (const card of this.blocks) if (before[card.name] !== changes[card.name]) card.showChange();
    this.allOff.checked = this.blocks.every((card) => changes[card.name]?.off);
  }

  setOpen(name, open) {
    if (this.open === null || this.open.has(name) === open) return;
    this.open[open ? "add" : "delete"](name);
    this.look();
  }

  /** What every question about an image says. */
  wished(all = false) {
    const { image, changes, label } = this;
    const near = this.cards.filter((card) => all || card.near).map((card) => card.name);
    return { image, changes, label, open: this.open && near.filter((name) => this.open.has(name)) };
  }

  /** Whether a question was of the image, the changes and the label that are wished now. */
  isNewest({ image, changes, label }) {
    return image === this.image && changes === this.changes && label === this.label;
  }

  look(all = false) {
    this.line.look(() => ({ kind: "look", ...this.wished(all) }), (...answer) => this.take(...answer), (...answer) => this.refuse(...answer));
  }

  deed(question, answered, refused) {
    this.line.deed({ ...this.wished(), ...question }, answered, refused);
  }

  // ---- what was seen

  take(seen, numbers, asked) {
    Object.assign(this, { seen: { ...seen, asked }, numbers });
    if (this.open === null) this.openAsGiven(seen);
    this.root.classList.remove("nothing");
    const { image, changes } = asked;
    const truth = image.from === "test" ? this.net.labels[image.number] : null;
    // while one draws, a newer answer comes at once: the frames between leave the processor to it
    const now = performance.now();
    if (this.line.wish && now < this.scored + FRAMES.scores) return;
    this.scored = now;
    this.scores.paint(seen, Object.keys(changes).length > 0, truth);
    if (this.line.wish && now < this.painted + FRAMES.layers) return;
    this.frame ??= requestAnimationFrame(() => requestAnimationFrame(() => this.paint())); // the frame before has the scores
  }

  /** The first answer says which layers are few enough to stand open, beside those opened before it. */
  openAsGiven(seen) {
    this.open = new Set(seen.layers.filter((layer) => layer.y).map((layer) => layer.name));
    for (const card of this.cards) {
      if (card.details.open) this.setOpen(card.name, true);
      else card.details.open = this.open.has(card.name);
    }
  }

  refuse(message, asked) {
    if (!this.isNewest(asked)) return;
    this.root.classList.add("nothing");
    this.scores.refuse(message);
  }

  paint() {
    this.frame = null;
    this.showState();
    this.painted = performance.now();
    const { seen, numbers } = this;
    this.given.paint(arrayOf(seen.image, numbers));
    this.learning.paint(seen);
    for (const layer of seen.layers) {
      const card = this.byName.get(layer.name);
      if (!card || !this.isWanted(card)) continue;
      card.of = seen;
      card.take(layer, numbers);
    }
    this.lookForMore();
  }

  /** What was not asked for, being far from the window, stays as it was until one comes near or rests. */
  isWanted({ name, of }) {
    return !of || !this.seen.asked.open || this.seen.asked.open.includes(name) || !this.open.has(name);
  }

  lookForMore() {
    clearTimeout(this.resting);
    if (!this.seen || this.frame) return;
    const old = this.cards.filter(({ name, of }) => this.open.has(name) && of !== this.seen);
    if (old.some((card) => card.near)) this.look();
    else if (old.length) this.resting = setTimeout(() => this.look(true), REST);
  }

  repaint() {
    if (this.seen) this.paint();
  }

  /** The class whose mean gates are marked: the one chosen, or the one that the net reads. */
  get markedClass() {
    const p = this.seen?.probabilities ?? [];
    return this.marked ?? p.indexOf(Math.max(...p));
  }

  /** The mean gates of a block over the test images of a class, NaN where there is no such image. */
  meanOf(name, k = this.markedClass) {
    const means = this.means[name];
    const [classes, channels] = means?.shape ?? [0, 0];
    return 0 <= k && k < classes ? { name: this.net.classes[k], data: means.data.subarray(k * channels, (k + 1) * channels) } : null;
  }
}

/** Fill an element; returns what ends it. */
export function start(root, transport) {
  const play = new Play(root, transport);
  return () => play.stop();
}

/** As anywidget wants it. */
export default {
  render({ model, el }) {
    const root = h("div");
    el.append(root);
    return start(root, ofModel(model));
  },
};

const page = document.getElementById("minise-play");
if (page) start(page, websocket("socket"));
