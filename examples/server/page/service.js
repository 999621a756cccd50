// What the page asks the server.

const KEY = "sdcpp-key";

export const key = {
  get: () => localStorage.getItem(KEY) ?? "",
  set: (value) => localStorage.setItem(KEY, value),
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

export const choices = async () => (await ask("/api/v1/choices")).json();
export const health = async () => (await fetch("/health")).json();
export const jobs = async () => (await ask("/api/v1/jobs?limit=50")).json();
export const submit = async (request) =>
  (await ask("/api/v1/jobs", { method: "POST", body: JSON.stringify(request) })).json();
export const cancel = (id) => ask(`/api/v1/jobs/${id}`, { method: "DELETE" });

/** A picture's bytes. An img element cannot fetch them itself: they may need the key. */
export const picture = async (path) => (await ask(path)).blob();

/** Calls back with the job at each change, until it has ended. */
export async function follow(id, changed) {
  const response = await ask(`/api/v1/jobs/${id}/events`);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  let ended = false;
  for (;;) {
    const { done, value } = await reader.read();
    if (done && !ended) throw new Refused(0, { message: "The server has gone while it drew.", code: "offline" });
    if (done) return;
    text += value;
    const events = text.split("\n\n");
    text = events.pop();
    for (const event of events) {
      const data = event.split("\n").filter((line) => line.startsWith("data:")).map((line) => line.slice(5).trim());
      if (data.length === 0) continue;
      const job = JSON.parse(data.join("\n"));
      ended = !["queued", "running"].includes(job.status);
      changed(job);
    }
  }
}
