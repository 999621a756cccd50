// The picture that is drawn over, and what is painted on it.

const PAINT = "rgba(255, 60, 60, 0.55)";

export class Brush {
  #canvas;
  #size;
  #image = null;
  #paint = document.createElement("canvas");
  #painted = false;
  #at = null;

  constructor(canvas, size) {
    this.#canvas = canvas;
    this.#size = size;
    let last = null;
    const here = (event) => {
      const box = canvas.getBoundingClientRect();
      const scale = canvas.width / box.width;
      return { x: (event.clientX - box.left) * scale, y: (event.clientY - box.top) * scale };
    };
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      last = here(event);
      this.#stroke(last, last);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!last) return;
      const next = here(event);
      this.#stroke(last, next);
      last = next;
    });
    for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => (last = null));
    canvas.addEventListener("keydown", (event) => this.#key(event));
  }

  get hasPicture() {
    return this.#image !== null;
  }

  /** Shows a picture, with nothing painted on it. */
  async open(blob) {
    this.#image = await createImageBitmap(blob);
    for (const canvas of [this.#canvas, this.#paint]) {
      canvas.width = this.#image.width;
      canvas.height = this.#image.height;
    }
    this.#at = { x: this.#image.width / 2, y: this.#image.height / 2 };
    this.clear();
    return { width: this.#image.width, height: this.#image.height };
  }

  close() {
    this.#image = null;
    this.#painted = false;
  }

  clear() {
    this.#paint.getContext("2d").clearRect(0, 0, this.#paint.width, this.#paint.height);
    this.#painted = false;
    this.#show();
  }

  /** The picture as base64 of a PNG. */
  picture() {
    const canvas = document.createElement("canvas");
    canvas.width = this.#image.width;
    canvas.height = this.#image.height;
    canvas.getContext("2d").drawImage(this.#image, 0, 0);
    return canvas.toDataURL("image/png");
  }

  /** White where there is paint; null where nothing is painted. */
  mask() {
    if (!this.#painted) return null;
    const { width, height } = this.#paint;
    const canvas = document.createElement("canvas");
    canvas.width = width;
    canvas.height = height;
    const target = canvas.getContext("2d");
    const pixels = target.createImageData(width, height);
    const paint = this.#paint.getContext("2d").getImageData(0, 0, width, height);
    for (let i = 0; i < pixels.data.length; i += 4) {
      pixels.data.fill(paint.data[i + 3] > 0 ? 255 : 0, i, i + 3);
      pixels.data[i + 3] = 255;
    }
    target.putImageData(pixels, 0, 0);
    return canvas.toDataURL("image/png");
  }

  #key(event) {
    const step = Math.max(1, Number(this.#size.value) / 2);
    const move = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] }[event.key];
    if (!this.#at || !(move || event.key === " ")) return;
    event.preventDefault();
    if (move) {
      this.#at.x = Math.min(Math.max(this.#at.x + move[0], 0), this.#canvas.width);
      this.#at.y = Math.min(Math.max(this.#at.y + move[1], 0), this.#canvas.height);
      this.#show(true);
    } else {
      this.#stroke(this.#at, this.#at);
      this.#show(true);
    }
  }

  #stroke(from, to) {
    const paint = this.#paint.getContext("2d");
    paint.lineCap = "round";
    paint.lineWidth = (Number(this.#size.value) / 100) * Math.min(this.#paint.width, this.#paint.height);
    paint.strokeStyle = "#fff";
    paint.beginPath();
    paint.moveTo(from.x, from.y);
    // A line of no length is not drawn.
    paint.lineTo(to.x + 0.01, to.y);
    paint.stroke();
    this.#painted = true;
    this.#show();
  }

  #show(cursor = false) {
    if (!this.#image) return;
    const view = this.#canvas.getContext("2d");
    view.globalCompositeOperation = "source-over";
    view.clearRect(0, 0, this.#canvas.width, this.#canvas.height);
    view.drawImage(this.#image, 0, 0);
    const tint = document.createElement("canvas");
    tint.width = this.#paint.width;
    tint.height = this.#paint.height;
    const colour = tint.getContext("2d");
    colour.drawImage(this.#paint, 0, 0);
    colour.globalCompositeOperation = "source-in";
    colour.fillStyle = PAINT;
    colour.fillRect(0, 0, tint.width, tint.height);
    view.drawImage(tint, 0, 0);
    if (cursor) {
      view.strokeStyle = "#000";
      view.lineWidth = Math.max(1, this.#canvas.width / 128);
      view.beginPath();
      view.arc(this.#at.x, this.#at.y, Number(this.#size.value) / 200 * this.#canvas.width, 0, 7);
      view.stroke();
    }
  }
}
