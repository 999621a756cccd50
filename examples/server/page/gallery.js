// The pictures that were drawn, and the jobs that failed, the newest first.

import { name } from "./queue.js";
import * as service from "./service.js";

/** Jobs that are shown at first, and more at each turn. */
const PAGE = 12;

const isShown = (job) => !service.isOpen(job) && job.status !== "cancelled";

export class Gallery {
  #place;
  #more;
  #empty;
  #templates;
  #does;
  #tell;
  /** The earliest job that was read. */
  #before = null;
  /** The cards of each job. */
  #cards = new Map();
  /** The picture of each card. */
  #pictures = new Map();
  #watcher;

  /** `does` has what can be done with a picture: `use` its settings, draw `over` it, `view` it. Errors go to `tell`. */
  constructor({ place, more, empty, card, failure }, does, tell) {
    this.#place = place;
    this.#more = more;
    this.#empty = empty;
    this.#templates = { card, failure };
    this.#does = does;
    this.#tell = tell;
    // Pictures are fetched when they come near.
    this.#watcher = new IntersectionObserver(
      (entries) => entries.filter((entry) => entry.isIntersecting).forEach((entry) => this.#load(entry.target)),
      { rootMargin: "400px" },
    );
    more.addEventListener("click", async () => {
      const last = place.lastElementChild;
      await this.load().catch(tell);
      last?.nextElementSibling?.querySelector("button")?.focus();
    });
  }

  /** Shows as many jobs more as a page has, of those before. */
  async load() {
    let missing = PAGE;
    while (missing > 0) {
      const jobs = await service.jobs(PAGE, this.#before);
      for (const job of jobs) {
        // Those that wait and those that were cancelled are in the list too.
        if (missing === 0) break;
        this.#before = job.id;
        if (isShown(job) && !this.#cards.has(job.id)) missing -= 1;
        this.add(job);
      }
      if (jobs.length < PAGE) break;
    }
    this.#more.hidden = (await service.jobs(1, this.#before)).length === 0;
  }

  /** Takes the last jobs: shows those that ended since, and forgets those that the server has forgotten. */
  see(jobs, isAll) {
    const newest = [...this.#cards.keys()].sort().at(-1) ?? "";
    for (const job of jobs) if (isShown(job) && job.id > newest) this.add(job);
    const known = new Set(jobs.map((job) => job.id));
    const oldest = isAll ? "" : jobs.at(-1)?.id ?? "";
    // One that is newer than all of these came after they were listed.
    const last = jobs[0]?.id ?? "";
    for (const id of this.#cards.keys()) if (id >= oldest && id <= last && !known.has(id)) this.#forget(id);
  }

  /** Shows a job that has ended, at its place. */
  add(job) {
    if (!isShown(job) || this.#cards.has(job.id)) return;
    const cards = job.status === "done"
      ? [...job.pictures].reverse().map((picture) => this.#card(job, picture))
      : [this.#failure(job)];
    const earlier = [...this.#place.children].find((card) => card.dataset.job < job.id) ?? null;
    for (const card of cards) {
      card.dataset.job = job.id;
      this.#place.insertBefore(card, earlier);
    }
    this.#cards.set(job.id, cards);
    this.#reflect();
  }

  /** The cards with pictures, in order. */
  get pictures() {
    return [...this.#place.children].filter((card) => this.#pictures.has(card));
  }

  /** A picture of a card, with the address of its bytes. */
  async picture(card) {
    const held = this.#pictures.get(card);
    await this.#load(card);
    return { ...held.picture, address: held.address, title: card.ariaLabel };
  }

  #card(job, picture) {
    const card = this.#templates.card.content.cloneNode(true).firstElementChild;
    const find = (selector) => card.querySelector(selector);
    card.ariaLabel = name(job);
    const notes = [
      `${picture.width} × ${picture.height}, seed ${picture.seed}`,
      job.mock && "a pattern, drawn without a model",
      job.cached && "from the cache",
      ...job.warnings,
    ];
    find(".name").textContent = name(job);
    find(".caption").textContent = notes.filter(Boolean).join("; ");
    find("pre").textContent = picture.parameters;
    find(".use").addEventListener("click", () => this.#does.use(picture, job));
    find(".delete").addEventListener("click", () => this.#delete(job));
    if (picture.safety?.allowed === false) {
      find(".refusal").textContent = `Not shown: ${picture.safety.reason ?? "the safety filter refused it"}`;
      find(".refusal").hidden = false;
      for (const selector of [".open", ".over", ".save"]) find(selector).remove();
      return card;
    }
    const image = find("img");
    [image.width, image.height] = [picture.width, picture.height];
    image.alt = name(job);
    find(".open").ariaLabel = `${name(job)}: open in full size`;
    find(".save").download = `${picture.seed}.png`;
    find(".open").addEventListener("click", () => this.#does.view(card));
    find(".over").addEventListener("click", async () => {
      const bytes = await this.#load(card);
      if (bytes) this.#does.over(bytes);
    });
    this.#pictures.set(card, { picture, bytes: null, address: "" });
    this.#watcher.observe(card);
    return card;
  }

  #failure(job) {
    const card = this.#templates.failure.content.cloneNode(true).firstElementChild;
    card.ariaLabel = `Failed: ${name(job)}`;
    card.querySelector(".name").textContent = name(job);
    const why = [job.error?.message ?? job.status, job.error?.advice];
    card.querySelector(".why").textContent = `Failed: ${why.filter(Boolean).join("\n")}`;
    card.querySelector(".delete").addEventListener("click", () => this.#delete(job));
    return card;
  }

  /** Fetches a card's picture once; its bytes, or none if it cannot be had. */
  async #load(card) {
    this.#watcher.unobserve(card);
    const held = this.#pictures.get(card);
    try {
      held.bytes ??= service.picture(held.picture.url);
      const bytes = await held.bytes;
      held.address ||= URL.createObjectURL(bytes);
      card.querySelector("img").src = card.querySelector(".save").href = held.address;
      return bytes;
    } catch (error) {
      held.bytes = null;
      // One that the server forgot goes with the next list.
      if (error.status !== 404) this.#tell(error);
      return null;
    }
  }

  async #delete(job) {
    const what = job.pictures.length > 1 ? `the ${job.pictures.length} pictures of this job` : "this";
    if (!confirm(`Delete ${what} for good?`)) return;
    try {
      await service.remove(job.id);
    } catch (error) {
      if (error.status !== 404) return this.#tell(error);
    }
    const next = this.#cards.get(job.id)?.at(-1)?.nextElementSibling;
    this.#forget(job.id);
    (next?.querySelector("button") ?? document.getElementById("gallery-title")).focus();
  }

  #forget(id) {
    for (const card of this.#cards.get(id) ?? []) {
      URL.revokeObjectURL(this.#pictures.get(card)?.address);
      this.#watcher.unobserve(card);
      this.#pictures.delete(card);
      card.remove();
    }
    this.#cards.delete(id);
    this.#reflect();
  }

  #reflect() {
    this.#empty.hidden = this.#cards.size > 0;
  }
}
