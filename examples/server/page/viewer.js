// A picture in full size, and the way from one to the next.

export class Viewer {
  #dialog;
  #gallery;
  #card = null;

  constructor(dialog, gallery, tell) {
    this.#dialog = dialog;
    this.#gallery = gallery;
    const go = (by) => this.#go(by).catch(tell);
    dialog.querySelector(".previous").addEventListener("click", () => go(-1));
    dialog.querySelector(".next").addEventListener("click", () => go(1));
    dialog.querySelector(".close").addEventListener("click", () => dialog.close());
    dialog.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (by) go(by);
    });
    // Beside the picture.
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
    dialog.addEventListener("close", () => this.#card?.querySelector(".open")?.focus());
  }

  /** Shows the picture of a card of the gallery. */
  async show(card) {
    const picture = await this.#gallery.picture(card);
    if (!picture.address) return;
    this.#card = card;
    const find = (selector) => this.#dialog.querySelector(selector);
    const image = find("img");
    image.src = picture.address;
    image.alt = picture.title;
    find(".caption").textContent = `${picture.title}: ${picture.width} × ${picture.height}, seed ${picture.seed}`;
    find(".save").href = find(".alone").href = picture.address;
    find(".save").download = `${picture.seed}.png`;
    const cards = this.#gallery.pictures;
    find(".previous").disabled = card === cards[0];
    find(".next").disabled = card === cards.at(-1);
    if (!this.#dialog.open) this.#dialog.showModal();
    if (document.activeElement.disabled || document.activeElement === document.body) find(".close").focus();
  }

  async #go(by) {
    const cards = this.#gallery.pictures;
    const next = cards[cards.indexOf(this.#card) + by];
    if (next) await this.show(next);
  }
}
