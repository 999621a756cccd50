// What the page asks the server.

import * as storage from "./storage.js";

const KEY = "sdcpp-key";

export const key = {
  get: () => storage.get(KEY) ?? "",
  set: (value) => storage.set(KEY, value),
};

/** An answer that is an error: its words, and its code. */
export class Refused extends Error {
  constructor(status, body) {
    super([body.message, body.advice].filter(Boolean).join("\n"));
    this.status = status;
    this.code = body.code;
  }
}

async function ask(path, options = {}) {
  const headers = new Headers(options.headers);
  if (key.get()) headers.set("Authorization", `Bearer ${key.get()}`);
  if (options.body) headers.set("Content-Type", "application/json");
  let response;
  try {
    response = await fetch(path, { ...options, headers });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(0, { message: "The server does not answer.", advice: "Is it running still?", code: "offline" });
  }
  if (!response.ok) {
    const words = { message: `The server answered ${response.status}.`, code: "unknown" };
    throw new Refused(response.status, await response.json().catch(() => words));
  }
  return response;
}

const json = async (path, options) => (await ask(path, options)).json();

export const choices = () => json("/api/v1/choices");
export const health = async () => (await fetch("/health")).json();
/** The last jobs, the newest first; or of those before a job, by its number. */
export const jobs = (limit, before) => json(`/api/v1/jobs?limit=${limit}${before ? `&before=${before}` : ""}`);
export const job = (id) => json(`/api/v1/jobs/${id}`);
export const submit = (request) => json("/api/v1/jobs", { method: "POST", body: JSON.stringify(request) });
/** Stops a job, or forgets one that has ended. */
export const remove = (id) => json(`/api/v1/jobs/${id}`, { method: "DELETE" });
/** A picture's bytes. An img element cannot fetch them itself: they may need the key. */
export const picture = async (path) => (await ask(path)).blob();

export const isOpen = (job) => ["queued", "running"].includes(job.status);

/** Calls back with the job at each change, until it has ended. */
export async function follow(id, signal, changed) {
  const response = await ask(`/api/v1/jobs/${id}/events`, { signal });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    text += value;
    const events = text.split("\n\n");
    text = events.pop();
    for (const event of events) {
      const data = event.split("\n").filter((line) => line.startsWith("data:")).map((line) => line.slice(5).trim());
      if (data.length > 0) changed(JSON.parse(data.join("\n")));
    }
  }
}
