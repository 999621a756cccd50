// What is painted on the picture: strokes, which can be taken back.

/** Stripes of two colours, which are seen on any picture. */
function stripes(view, side) {
  const tile = document.createElement("canvas");
  tile.width = tile.height = side;
  const half = side / 2;
  const paint = tile.getContext("2d");
  paint.fillStyle = "#fff";
  paint.fillRect(0, 0, side, side);
  paint.fillStyle = "#c2188f";
  for (const points of [[[0, 0], [half, 0], [0, half]], [[side, 0], [side, half], [half, side], [0, side]]]) {
    paint.beginPath();
    for (const [x, y] of points) paint.lineTo(x, y);
    paint.fill();
  }
  return view.createPattern(tile, "repeat");
}

export class Brush {
  #canvas;
  #cursor;
  #size;
  #erases;
  #colour = null;
  #strokes = [];
  #at = { x: 0, y: 0 };

  /** Paints on `canvas`, and shows where by `cursor`. `size` is a share of the shorter side in percent. */
  constructor(canvas, cursor, size, erases) {
    this.#canvas = canvas;
    this.#cursor = cursor;
    this.#size = size;
    this.#erases = erases;
    let painting = false;
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      canvas.setPointerCapture(event.pointerId);
      painting = true;
      this.#move(this.#where(event));
      this.#begin();
    });
    canvas.addEventListener("pointermove", (event) => {
      this.#move(this.#where(event));
      if (painting) this.#extend();
    });
    for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => (painting = false));
    canvas.addEventListener("pointerleave", () => (cursor.hidden = document.activeElement !== canvas));
    canvas.addEventListener("focus", () => this.#move(this.#at));
    canvas.addEventListener("blur", () => (cursor.hidden = true));
    canvas.addEventListener("keydown", (event) => this.#key(event));
    size.addEventListener("input", () => (cursor.hidden = true));
  }

  /** Begins anew, for a picture of this size. */
  reset(width, height) {
    this.#canvas.width = width;
    this.#canvas.height = height;
    this.#at = { x: width / 2, y: height / 2 };
    this.#colour = stripes(this.#view, Math.max(4, Math.round(Math.min(width, height) / 20)));
    this.clear();
  }

  clear() {
    this.#strokes = [];
    this.#redraw();
  }

  undo() {
    this.#strokes.pop();
    this.#redraw();
  }

  /** White where there is paint, as the address of a PNG; null where nothing is painted. */
  mask() {
    const { width, height } = this.#canvas;
    const pixels = this.#view.getImageData(0, 0, width, height);
    let painted = false;
    for (let i = 0; i < pixels.data.length; i += 4) {
      const white = pixels.data[i + 3] >= 128;
      painted ||= white;
      pixels.data.fill(white ? 255 : 0, i, i + 3);
      pixels.data[i + 3] = 255;
    }
    if (!painted) return null;
    const canvas = document.createElement("canvas");
    canvas.width = width;
    canvas.height = height;
    canvas.getContext("2d").putImageData(pixels, 0, 0);
    return canvas.toDataURL("image/png");
  }

  get #view() {
    return this.#canvas.getContext("2d", { willReadFrequently: true });
  }

  get #width() {
    return (Number(this.#size.value) / 100) * Math.min(this.#canvas.width, this.#canvas.height);
  }

  #where(event) {
    const box = this.#canvas.getBoundingClientRect();
    const scale = this.#canvas.width / box.width;
    return { x: (event.clientX - box.left) * scale, y: (event.clientY - box.top) * scale };
  }

  #move({ x, y }) {
    const { width, height } = this.#canvas;
    this.#at = { x: Math.min(Math.max(x, 0), width), y: Math.min(Math.max(y, 0), height) };
    const percent = (part, whole) => `${(100 * part) / whole}%`;
    const { style } = this.#cursor;
    style.left = percent(this.#at.x, width);
    style.top = percent(this.#at.y, height);
    style.width = percent(this.#width, width);
    this.#cursor.hidden = false;
  }

  #key(event) {
    const step = Math.max(1, this.#width / 2);
    const arrow = {
      ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step],
    }[event.key];
    const undoes = event.key.toLowerCase() === "z" && (event.ctrlKey || event.metaKey);
    if (!arrow && !undoes && event.key !== " ") return;
    event.preventDefault();
    if (undoes) return this.undo();
    if (!arrow) return this.#begin();
    // With Shift the way is painted.
    if (event.shiftKey) this.#begin();
    this.#move({ x: this.#at.x + arrow[0], y: this.#at.y + arrow[1] });
    if (event.shiftKey) this.#extend();
  }

  #begin() {
    const { x, y } = this.#at;
    // A line of no length is not drawn.
    const points = [{ x, y }, { x: x + 0.01, y }];
    this.#strokes.push({ erases: this.#erases(), width: this.#width, points });
    this.#draw(this.#strokes.at(-1), 0);
  }

  #extend() {
    const stroke = this.#strokes.at(-1);
    if (!stroke) return;
    stroke.points.push(this.#at);
    this.#draw(stroke, stroke.points.length - 2);
  }

  /** Draws a stroke from one of its points on. */
  #draw(stroke, first) {
    const view = this.#view;
    view.globalCompositeOperation = stroke.erases ? "destination-out" : "source-over";
    view.lineCap = view.lineJoin = "round";
    view.lineWidth = stroke.width;
    view.strokeStyle = this.#colour;
    view.beginPath();
    for (const { x, y } of stroke.points.slice(first)) view.lineTo(x, y);
    view.stroke();
  }

  #redraw() {
    this.#view.clearRect(0, 0, this.#canvas.width, this.#canvas.height);
    for (const stroke of this.#strokes) this.#draw(stroke, 0);
  }
}
