// The page: reads the form, follows the job, shows pictures and errors.

import { Brush } from "./brush.js";
import { Gallery } from "./gallery.js";
import * as service from "./service.js";

const $ = (id) => document.getElementById(id);
const NUMBERS = ["steps", "cfg_scale", "width", "height", "seed", "batch"];
const SIDES = ["left", "right", "top", "bottom"];
const TEXTS = ["prompt", "negative_prompt"];
const brush = new Brush($("mask"), $("brush-size"));
const gallery = new Gallery($("gallery"), $("card"), useSettings, openPicture);
let running = null;

function tell(error) {
  $("error").textContent = error.message;
  $("error").hidden = false;
  if (error.status === 401) {
    $("key-field").hidden = false;
    $("key").focus();
  }
}

function option(value, text) {
  const made = document.createElement("option");
  made.value = value;
  made.textContent = text;
  return made;
}

async function loadChoices() {
  const choices = await service.choices();
  $("model").replaceChildren(...choices.models.map((name) => option(name, name)));
  $("model").value = choices.model ?? "";
  const automatic = option("", "automatic");
  $("sampler").replaceChildren(automatic, ...choices.samplers.map(({ name, label }) => option(name, label)));
  $("scheduler").replaceChildren(
    automatic.cloneNode(true),
    ...choices.schedulers.map(({ name, label }) => option(name, label)),
  );
  $("steps").max = choices.limits.steps;
  $("batch").max = choices.limits.batch;
  $("width").max = $("height").max = choices.limits.side;
  fill(choices.defaults);
}

function fill(values) {
  for (const id of [...NUMBERS, ...TEXTS, "sampler", "scheduler"]) {
    if (values[id] !== undefined) $(id).value = values[id] ?? "";
  }
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

function request() {
  const asked = { model: $("model").value || null };
  for (const id of TEXTS) asked[id] = $(id).value;
  for (const id of NUMBERS) if ($(id).value !== "") asked[id] = Number($(id).value);
  // What is automatic is left to the model, above the defaults of its preset.
  for (const id of ["sampler", "scheduler"]) asked[id] = $(id).value || null;
  if (brush.hasPicture) {
    asked.init_image = brush.picture();
    asked.denoising_strength = Number($("denoising_strength").value);
    const added = Object.fromEntries(SIDES.map((side) => [side, Number($(`out-${side}`).value) || 0]));
    const mask = brush.mask();
    const continues = SIDES.some((side) => added[side] > 0);
    if (continues && mask) {
      throw new Error("Paint over the picture, or continue it beyond its borders: not both at once.");
    }
    if (continues) asked.outpaint = added;
    else if (mask) Object.assign(asked, { mask, inpaint: { mask_blur: 4, keep_unmasked: true } });
  }
  return asked;
}

function words(job) {
  if (job.status === "queued") return "waiting for a model that is free";
  const picture = job.images > 1 ? `picture ${Math.max(job.image, 1)} of ${job.images}, ` : "";
  const steps = job.stage === "sampling" ? ` step ${job.step} of ${job.steps}` : "";
  const eta = job.eta_seconds ? `, about ${Math.ceil(job.eta_seconds)} s more` : "";
  return `${picture}${job.stage ?? job.status}${steps}${eta}`;
}

let shownPreviews = 0;

async function showPreview(job) {
  if (job.previews <= shownPreviews) return;
  shownPreviews = job.previews;
  try {
    const bytes = await service.picture(`/api/v1/jobs/${job.id}/preview`);
    if (running !== job.id) return;
    URL.revokeObjectURL($("preview").src);
    $("preview").src = URL.createObjectURL(bytes);
    $("preview").hidden = false;
  } catch {
    // It ended meanwhile.
  }
}

async function draw(event) {
  event.preventDefault();
  if (running) return;
  $("error").hidden = true;
  $("draw").disabled = true;
  try {
    if ($("key").value) service.key.set($("key").value);
    const job = await service.submit(request());
    running = job.id;
    shownPreviews = 0;
    $("cancel").disabled = false;
    $("preview").hidden = true;
    $("job").hidden = false;
    await service.follow(job.id, (now) => {
      $("progress").value = now.progress;
      $("state").textContent = words(now);
      if (now.status === "running") showPreview(now);
      if (now.status === "done") {
        $("state").textContent = ["done", ...now.warnings].join("; ");
        gallery.add(now).catch(tell);
      }
      if (["cancelled", "failed"].includes(now.status)) $("progress").value = 0;
      if (now.status === "cancelled") $("state").textContent = "cancelled";
      if (now.status === "failed") {
        $("state").textContent = "failed";
        tell({ message: [now.error.message, now.error.advice].filter(Boolean).join("\n") });
      }
    });
  } catch (error) {
    tell(error);
  } finally {
    running = null;
    $("draw").disabled = false;
    $("cancel").disabled = true;
    $("preview").hidden = true;
    showHealth();
  }
}

/** Takes a picture's settings over, its seed included. */
function useSettings(picture, job) {
  const value = (name) => new RegExp(`(?:^|, )${name}: ([^,]*)`, "m").exec(picture.parameters)?.[1];
  const label = (id, text) => [...$(id).options].find((each) => each.textContent === text)?.value ?? "";
  const lines = picture.parameters.split("\n");
  const settings = lines.findLastIndex((line) => line.startsWith("Steps: "));
  const negative = lines.findIndex((line) => line.startsWith("Negative prompt: "));
  const end = negative >= 0 ? negative : settings;
  fill({
    prompt: lines.slice(0, end).join("\n"),
    negative_prompt: negative >= 0 ? lines.slice(negative, settings).join("\n").slice("Negative prompt: ".length) : "",
    steps: value("Steps"),
    cfg_scale: value("CFG scale"),
    seed: picture.seed,
    width: picture.width,
    height: picture.height,
    batch: 1,
    sampler: label("sampler", value("Sampler")),
    scheduler: label("scheduler", value("Schedule type")),
  });
  if ([...$("model").options].some((each) => each.value === job.model)) $("model").value = job.model;
  $("prompt").focus();
}

async function openPicture(blob) {
  try {
    const { width, height } = await brush.open(blob);
    // A size that the form takes: in steps of 8, and no longer than the server draws.
    const scale = Math.min(1, Number($("width").max) / Math.max(width, height));
    const side = (pixels) => Math.max(64, Math.floor((pixels * scale) / 8) * 8);
    fill({ width: side(width), height: side(height) });
    $("over").open = true;
    $("brush").hidden = false;
  } catch {
    tell({ message: "This file is no picture that can be read: PNG and JPEG can." });
  }
}

$("form").addEventListener("submit", draw);
$("cancel").addEventListener("click", () => running && service.cancel(running).catch(tell));
$("init").addEventListener("change", () => $("init").files[0] && openPicture($("init").files[0]));
$("clear").addEventListener("click", () => brush.clear());
$("remove").addEventListener("click", () => {
  brush.close();
  $("init").value = "";
  for (const side of SIDES) $(`out-${side}`).value = 0;
  $("brush").hidden = true;
});
$("denoising_strength").addEventListener("input", () => ($("strength-value").value = $("denoising_strength").value));
$("key").addEventListener("change", () => {
  service.key.set($("key").value);
  $("key-field").hidden = true;
  begin();
});

async function begin() {
  $("error").hidden = true;
  await showHealth();
  try {
    await loadChoices();
    for (const job of (await service.jobs()).reverse()) {
      // One that the server forgot meanwhile is left out.
      await gallery.add(job).catch((error) => error.status !== 404 && tell(error));
    }
  } catch (error) {
    tell(error);
  }
}

begin();
setInterval(showHealth, 10000);
