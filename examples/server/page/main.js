// The page: brings the form, the queue and the gallery together.

import * as form from "./form.js";
import { Gallery } from "./gallery.js";
import * as over from "./over.js";
import { Queue, name } from "./queue.js";
import * as service from "./service.js";
import { Viewer } from "./viewer.js";

const $ = (id) => document.getElementById(id);
/** Jobs that are asked for at each turn, to see those of other pages. */
const RECENT = 30;
/** Milliseconds between turns: while something is drawn, while nothing is, and while nobody looks. */
const TURNS = { busy: 1500, idle: 5000, hidden: 10000 };

const gallery = new Gallery(
  { place: $("gallery"), more: $("show-more"), empty: $("empty"), card: $("card"), failure: $("failure") },
  {
    use: form.useSettings,
    over: (bytes) => over.open(bytes).catch(tell),
    view: (card) => viewer.show(card).catch(tell),
  },
  tell,
);
const viewer = new Viewer($("viewer"), gallery, tell);
const places = { section: $("queue"), list: $("jobs"), template: $("job") };
const queue = new Queue(places, { changed: showProgress, ended }, tell);
/** The jobs that this page asked for. */
const own = new Set();

function tell(error) {
  $("error").textContent = error.message;
  $("error").hidden = false;
  if (error.status === 401) {
    $("key-field").hidden = false;
    $("key").focus();
  } else {
    form.mark(error.message);
  }
}

function ended(job) {
  gallery.add(job);
  if (!own.delete(job.id)) return;
  if (job.status === "done") {
    const cached = job.cached ? " from the cache" : "";
    $("state").textContent = [`done${cached}: ${name(job)}`, ...job.warnings].join("; ");
  } else if (job.status === "cancelled") {
    $("state").textContent = `cancelled: ${name(job)}`;
  } else {
    $("state").textContent = `failed: ${name(job)}`;
    const why = [job.error?.message ?? job.status, job.error?.advice];
    tell(new Error(why.filter(Boolean).join("\n")));
  }
}

/** How far it is, in the window's title and above the button: the queue may be out of sight. */
function showProgress() {
  const { progress } = queue;
  document.title = progress === null ? "sdcpp" : `${Math.round(100 * progress)} % · sdcpp`;
  $("overall").hidden = progress === null;
  $("overall").value = progress ?? 0;
}

async function showHealth() {
  try {
    const { status, model, device, reasons, queued } = await service.health();
    const waiting = queued > 0 ? `, ${queued} waiting` : "";
    $("health").textContent = status === "ok" ? `${model} on ${device}${waiting}` : `${status}: ${reasons.join("; ")}`;
  } catch {
    $("health").textContent = "the server does not answer";
  }
}

let submitting = false;

async function draw(event) {
  event.preventDefault();
  // A second Enter before the first was answered is no second wish.
  if (submitting) return;
  submitting = true;
  $("error").hidden = true;
  form.unmark();
  try {
    const job = await service.submit({ ...form.request(), ...over.request() });
    own.add(job.id);
    $("state").textContent = `accepted: ${name(job)}`;
    queue.show(job);
    // It may have ended already: a server that has the answer kept draws nothing.
    if (!service.isOpen(job)) ended(job);
    again(TURNS.busy);
  } catch (error) {
    $("state").textContent = "";
    tell(error);
  } finally {
    submitting = false;
  }
}

let timer;

function again(after) {
  clearTimeout(timer);
  timer = setTimeout(turn, after);
}

/** Sees what became of the jobs, of this page and of others. */
async function turn() {
  try {
    const jobs = await service.jobs(RECENT);
    await queue.see(jobs);
    gallery.see(jobs, jobs.length < RECENT);
  } catch (error) {
    // That it does not answer is said above; with a key that is not taken, it is begun anew.
    if (error.status === 401) return tell(error);
  }
  await showHealth();
  again(document.hidden ? TURNS.hidden : queue.isEmpty ? TURNS.idle : TURNS.busy);
}

async function begin() {
  $("error").hidden = true;
  await showHealth();
  try {
    form.offer(await service.choices());
  } catch (error) {
    tell(error);
    if (error.status === 401) return;
  }
  await gallery.load().catch(tell);
  await turn();
}

$("form").addEventListener("submit", draw);
$("form").addEventListener("input", (event) => {
  // What was wrong is being put right.
  if (!event.target.matches("[aria-invalid]")) return;
  form.unmark();
  $("error").hidden = true;
});
$("key").addEventListener("change", () => {
  service.key.set($("key").value);
  $("key").value = "";
  $("key-field").hidden = true;
  begin();
});
document.addEventListener("visibilitychange", () => document.hidden || again(0));
over.listen(tell);
begin();
