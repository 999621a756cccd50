// How far the picture is continued beyond its borders: by handles that are dragged or moved by keys, and by
// numbers, which are the same.

const STEP = 8;
const SIDES = ["left", "right", "top", "bottom"];
const OPPOSITE = { left: "right", right: "left", top: "bottom", bottom: "top" };
const LABELS = { left: "Left border", right: "Right border", top: "Top border", bottom: "Bottom border" };
const CORNERS = [["left", "top"], ["right", "top"], ["left", "bottom"], ["right", "bottom"]];
/** What the arrow keys do: one along the axis moves the border its way, and up and right across it add. */
const ARROWS = {
  left: { ArrowLeft: 1, ArrowRight: -1, ArrowUp: 1, ArrowDown: -1 },
  right: { ArrowRight: 1, ArrowLeft: -1, ArrowUp: 1, ArrowDown: -1 },
  top: { ArrowUp: 1, ArrowDown: -1, ArrowRight: 1, ArrowLeft: -1 },
  bottom: { ArrowDown: 1, ArrowUp: -1, ArrowRight: 1, ArrowLeft: -1 },
};

export class Handles {
  #stage;
  #frame;
  #inputs;
  #limit;
  #changed;
  #handles = {};
  #picture = { width: 1, height: 1 };
  #added = { left: 0, right: 0, top: 0, bottom: 0 };
  #view = null;
  #active = false;

  /** Shows handles on `frame`, which lies on the picture in `stage`. `inputs` have the numbers by side; `limit` is
   * the longest side of a picture. Calls `changed` with the size that the picture gets. */
  constructor({ stage, frame, inputs, limit, changed }) {
    this.#stage = stage;
    this.#frame = frame;
    this.#inputs = inputs;
    this.#limit = limit;
    this.#changed = changed;
    for (const corner of CORNERS) this.#make(corner);
    for (const side of SIDES) {
      this.#handles[side] = this.#make([side]);
      inputs[side].addEventListener("input", () => this.#set(side, Number(inputs[side].value), inputs[side]));
    }
  }

  /** Begins anew, for a picture of this size. */
  reset(width, height) {
    this.#picture = { width, height };
    for (const side of SIDES) this.#added[side] = 0;
    this.#show();
  }

  /** Shows or hides the borders, and the room around the picture with them. */
  toggle(active) {
    this.#active = active;
    this.#frame.hidden = !active;
    this.#show();
  }

  /** Pixels that are added on each side; null where none are. */
  get added() {
    return this.#active && SIDES.some((side) => this.#added[side] > 0) ? { ...this.#added } : null;
  }

  #make(sides) {
    const handle = document.createElement("div");
    handle.className = `handle ${sides.join(" ")}`;
    if (sides.length === 1) {
      handle.tabIndex = 0;
      handle.setAttribute("role", "slider");
      handle.setAttribute("aria-label", LABELS[sides[0]]);
      handle.setAttribute("aria-orientation", ["left", "right"].includes(sides[0]) ? "horizontal" : "vertical");
      handle.setAttribute("aria-valuemin", 0);
      handle.addEventListener("keydown", (event) => this.#key(event, sides[0]));
    } else {
      // By keyboard it is two borders.
      handle.setAttribute("aria-hidden", "true");
    }
    this.#drag(handle, sides);
    this.#frame.append(handle);
    return handle;
  }

  #drag(handle, sides) {
    let from = null;
    const anchor = ({ clientX, clientY }) => {
      const scale = this.#view.width / this.#stage.getBoundingClientRect().width;
      from = { clientX, clientY, scale, added: { ...this.#added } };
    };
    handle.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      event.preventDefault();
      handle.focus();
      handle.setPointerCapture(event.pointerId);
      anchor(event);
    });
    handle.addEventListener("pointermove", (event) => {
      if (!from) return;
      for (const side of sides) {
        const across = (event.clientX - from.clientX) * from.scale;
        const down = (event.clientY - from.clientY) * from.scale;
        const outwards = { left: -across, right: across, top: -down, bottom: down }[side];
        this.#added[side] = this.#allowed(side, from.added[side] + outwards);
      }
      // The scale stays while it is dragged, unless there is no more room.
      const fits = SIDES.every((side) => this.#added[side] <= this.#view.room[side]);
      this.#show({ zoom: !fits });
      if (!fits) anchor(event);
    });
    for (const end of ["pointerup", "pointercancel"]) {
      handle.addEventListener(end, () => {
        if (!from) return;
        from = null;
        this.#show();
      });
    }
  }

  #key(event, side) {
    const now = this.#added[side];
    const next = {
      Home: 0, End: this.#most(side), PageUp: now + 8 * STEP, PageDown: now - 8 * STEP,
    }[event.key] ?? (event.key in ARROWS[side] ? now + ARROWS[side][event.key] * STEP : null);
    if (next === null) return;
    event.preventDefault();
    this.#set(side, next);
  }

  #set(side, pixels, typedIn) {
    this.#added[side] = this.#allowed(side, pixels);
    this.#show({ typedIn });
  }

  /** The most that fits on one side, beside what is on the other. */
  #most(side) {
    const own = ["left", "right"].includes(side) ? this.#picture.width : this.#picture.height;
    return Math.max(0, Math.floor((this.#limit() - own - this.#added[OPPOSITE[side]]) / STEP) * STEP);
  }

  #allowed(side, pixels) {
    return Math.min(Math.max(Math.round(pixels / STEP) * STEP, 0), this.#most(side)) || 0;
  }

  /** Shows the numbers everywhere. What is being typed is left alone, for it may be half a number. */
  #show({ zoom = true, typedIn = null } = {}) {
    for (const side of SIDES) {
      const [pixels, most, input] = [this.#added[side], this.#most(side), this.#inputs[side]];
      input.max = most;
      if (input !== typedIn) input.value = pixels;
      const handle = this.#handles[side];
      handle.setAttribute("aria-valuenow", pixels);
      handle.setAttribute("aria-valuemax", most);
      handle.setAttribute("aria-valuetext", `${pixels} pixels added`);
    }
    const { left, right, top, bottom } = this.#added;
    const { width, height } = this.#picture;
    if (zoom || !this.#view) this.#look();
    this.#place();
    this.#changed({ width: width + left + right, height: height + top + bottom });
  }

  /** What of the plane around the picture is seen: it, its borders, and room to drag them to. */
  #look() {
    const { width, height } = this.#picture;
    const spare = this.#active ? Math.max(32, Math.round(Math.max(width, height) / 3)) : 0;
    const room = Object.fromEntries(SIDES.map((side) => [side, this.#active ? this.#added[side] + spare : 0]));
    this.#view = { room, width: width + room.left + room.right, height: height + room.top + room.bottom };
  }

  #place() {
    const { room, width, height } = this.#view;
    const { left, right, top, bottom } = this.#added;
    const put = ({ style }, x, y, across, down) => {
      style.left = `${(100 * x) / width}%`;
      style.top = `${(100 * y) / height}%`;
      style.width = `${(100 * across) / width}%`;
      style.height = `${(100 * down) / height}%`;
    };
    this.#stage.style.aspectRatio = `${width} / ${height}`;
    // No higher than the window, for all of it is to be seen while it is dragged.
    this.#stage.style.maxWidth = `calc(65vh * ${width / height})`;
    for (const canvas of this.#stage.querySelectorAll("canvas")) {
      put(canvas, room.left, room.top, this.#picture.width, this.#picture.height);
    }
    put(
      this.#frame,
      room.left - left,
      room.top - top,
      this.#picture.width + left + right,
      this.#picture.height + top + bottom,
    );
  }
}
