// The pictures that were drawn, the newest first.

import * as service from "./service.js";

export class Gallery {
  #place;
  #card;
  #shown = new Set();
  #use;
  #over;

  /** Calls `use` with a picture's "parameters", and `over` with its bytes. */
  constructor(place, card, use, over) {
    this.#place = place;
    this.#card = card;
    this.#use = use;
    this.#over = over;
  }

  /** Adds the pictures of a job that has ended. */
  async add(job) {
    for (const picture of [...job.pictures].reverse()) {
      if (this.#shown.has(picture.url)) continue;
      this.#shown.add(picture.url);
      const bytes = await service.picture(picture.url);
      const address = URL.createObjectURL(bytes);
      const card = this.#card.content.cloneNode(true).firstElementChild;
      this.#place.prepend(card);
      const image = card.querySelector("img");
      image.src = address;
      image.alt = picture.parameters.split("\n")[0];
      card.querySelector("a").href = address;
      card.querySelector("pre").textContent = (job.mock ? "A pattern, drawn without a model.\n" : "") + picture.parameters;
      const save = card.querySelector("a.button");
      save.href = address;
      save.download = `${picture.seed}.png`;
      card.querySelector(".use").addEventListener("click", () => this.#use(picture, job));
      card.querySelector(".over").addEventListener("click", () => this.#over(bytes));
    }
  }
}
