// The jobs that wait and run, of this page and of others.

import * as service from "./service.js";

/** Streams at once: a browser has six connections to a server, for all of its windows. */
const FOLLOWED = 2;

export function name(job) {
  const words = job.prompt?.trim() || "without a prompt";
  return words.length > 80 ? `${words.slice(0, 79)}…` : words;
}

function words(job) {
  if (job.status === "queued") return job.restarts > 0 ? "waiting, again since the server was restarted" : "waiting";
  const picture = job.images > 1 ? `picture ${Math.max(job.image, 1)} of ${job.images}, ` : "";
  const steps = job.stage === "sampling" ? ` step ${job.step} of ${job.steps}` : "";
  const eta = job.eta_seconds ? `, about ${Math.ceil(job.eta_seconds)} s more` : "";
  return `${picture}${job.stage ?? job.status}${steps}${eta}`;
}

export class Queue {
  #section;
  #list;
  #template;
  #changed;
  #ended;
  #tell;
  #rows = new Map();
  #done = new Set();

  /** Calls `ended` with each job that ends while it is here, `changed` at each change, and `tell` with errors. */
  constructor({ section, list, template }, { changed, ended }, tell) {
    this.#section = section;
    this.#list = list;
    this.#template = template;
    this.#changed = changed;
    this.#ended = ended;
    this.#tell = tell;
    document.addEventListener("visibilitychange", () => {
      // Streams are for pages that are looked at.
      if (document.hidden) for (const row of this.#rows.values()) row.stream?.abort();
    });
  }

  get isEmpty() {
    return this.#rows.size === 0;
  }

  /** How far the job is that is drawn; null where none is. */
  get progress() {
    const running = [...this.#rows.values()].find(({ job }) => job.status === "running");
    return running ? running.job.progress : null;
  }

  /** Takes the last jobs that the server knows; those that it left out are asked for one by one. */
  async see(jobs) {
    const known = new Set(jobs.map((job) => job.id));
    for (const job of jobs) this.show(job);
    for (const id of [...this.#rows.keys()].filter((each) => !known.has(each))) {
      try {
        this.show(await service.job(id));
      } catch (error) {
        if (error.status !== 404) throw error;
        const gone = name(this.#rows.get(id).job);
        this.#remove(id);
        this.#tell(new Error(`The server has forgotten the job “${gone}”.`));
      }
    }
  }

  /** Shows a job as it is now. */
  show(job) {
    // Answers may come in another order than they were asked for.
    if (this.#done.has(job.id)) return;
    const row = this.#rows.get(job.id);
    if (!service.isOpen(job)) {
      if (!row) return;
      this.#done.add(job.id);
      this.#remove(job.id);
      this.#ended(job);
      return;
    }
    this.#paint(row ?? this.#add(job), job);
    this.#follow();
  }

  #add(job) {
    const element = this.#template.content.cloneNode(true).firstElementChild;
    const row = { job, element, stopping: false, previews: 0, fetches: false, stream: null };
    element.dataset.job = job.id;
    element.querySelector(".name").textContent = name(job);
    element.querySelector("progress").ariaLabel = `Progress of ${name(job)}`;
    const cancel = element.querySelector(".cancel");
    cancel.ariaLabel = `Cancel ${name(job)}`;
    cancel.addEventListener("click", () => this.#cancel(row));
    // The oldest first, as they are drawn; later ones have greater numbers.
    const later = [...this.#list.children].find((each) => each.dataset.job > job.id);
    this.#list.insertBefore(element, later ?? null);
    this.#rows.set(job.id, row);
    this.#section.hidden = false;
    return row;
  }

  #paint(row, job) {
    row.job = job;
    row.element.querySelector("progress").value = job.progress;
    row.element.querySelector(".words").textContent = row.stopping ? "stopping" : words(job);
    if (job.status === "running") this.#preview(row);
    this.#changed();
  }

  async #cancel(row) {
    // Of one that has ended a second wish would delete the pictures.
    if (row.stopping) return;
    row.stopping = true;
    try {
      this.show(await service.remove(row.job.id));
    } catch (error) {
      row.stopping = false;
      this.#tell(error);
    }
  }

  #remove(id) {
    const row = this.#rows.get(id);
    this.#rows.delete(id);
    row.stream?.abort();
    URL.revokeObjectURL(row.element.querySelector(".preview").src);
    const focused = row.element.contains(document.activeElement);
    row.element.remove();
    this.#section.hidden = this.isEmpty;
    this.#changed();
    // Who works by keyboard is not thrown out of the list.
    if (focused) (this.#list.querySelector(".cancel") ?? document.getElementById("draw")).focus();
    this.#follow();
  }

  #follow() {
    if (document.hidden) return;
    const rows = [...this.#rows.values()];
    const free = FOLLOWED - rows.filter((row) => row.stream).length;
    // Those that run first, and then those that are next.
    const rank = ({ job }) => `${job.status === "running" ? 0 : 1}${job.id}`;
    const next = rows.filter((row) => !row.stream).sort((a, b) => (rank(a) < rank(b) ? -1 : 1));
    for (const row of next.slice(0, Math.max(0, free))) {
      row.stream = new AbortController();
      // A stream that breaks off is taken up again when the jobs are asked for next.
      service.follow(row.job.id, row.stream.signal, (job) => this.show(job))
        .catch((error) => error.name === "AbortError" || console.debug(error.message))
        .finally(() => (row.stream = null));
    }
  }

  async #preview(row) {
    // One at a time, so that an earlier one does not come last.
    if (row.fetches || row.job.previews <= row.previews) return;
    row.previews = row.job.previews;
    row.fetches = true;
    try {
      const bytes = await service.picture(`/api/v1/jobs/${row.job.id}/preview`);
      if (!this.#rows.has(row.job.id)) return;
      const image = row.element.querySelector(".preview");
      URL.revokeObjectURL(image.src);
      image.src = URL.createObjectURL(bytes);
      image.alt = "What it looks like so far";
      image.hidden = false;
    } catch (error) {
      // It ended meanwhile, or the server did: that is told elsewhere.
      console.debug(error.message);
    } finally {
      row.fetches = false;
    }
  }
}
