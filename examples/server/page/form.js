// The form: what it offers, what it asks for, and what it remembers.

import { read } from "./parameters.js";
import * as storage from "./storage.js";

const REMEMBERED = "sdcpp-settings";
const TEXTS = ["prompt", "negative_prompt"];
const NUMBERS = ["steps", "cfg_scale", "width", "height", "seed", "batch"];
const AUTOMATIC = ["sampler", "scheduler"];
/** Fields that an error calls otherwise. */
const CALLED = { "hires.denoising_strength": "hires_strength", hires: "hires_scale", outpaint: "out-left" };

const $ = (id) => document.getElementById(id);
const form = $("form");
const kept = [...form.querySelectorAll("[data-keep]")];
let defaults = {};

function option(value, text) {
  const made = document.createElement("option");
  made.value = value;
  made.textContent = text;
  return made;
}

/** What depends on other fields. */
function reflect() {
  for (const output of form.querySelectorAll("output[for]")) output.value = $(output.htmlFor.value).value;
  $("hires-options").hidden = $("hires-options").disabled = !$("hires").checked;
}

function remember() {
  const value = (field) => (field.type === "checkbox" ? field.checked : field.value);
  const values = Object.fromEntries(kept.map((field) => [field.id, value(field)]));
  storage.set(REMEMBERED, JSON.stringify({ model: $("model").value, values }));
}

/** Sets fields by their ids. */
export function fill(values) {
  for (const field of kept) {
    if (values[field.id] === undefined) continue;
    if (field.type === "checkbox") field.checked = values[field.id];
    else field.value = values[field.id] ?? "";
    // A value that is not in the list any more.
    if (field.tagName === "SELECT" && field.selectedIndex < 0) field.selectedIndex = 0;
  }
  reflect();
  remember();
}

function remembered() {
  try {
    return JSON.parse(storage.get(REMEMBERED)) ?? { values: {} };
  } catch {
    // Not written by this page.
    return { values: {} };
  }
}

/** Offers what the server has, and sets what was remembered, or the defaults. */
export function offer(choices) {
  const named = (list) => list.map(({ name, label }) => option(name, label));
  $("model").replaceChildren(...choices.models.map((name) => option(name, name)));
  $("sampler").replaceChildren(option("", "automatic"), ...named(choices.samplers));
  $("scheduler").replaceChildren(option("", "automatic"), ...named(choices.schedulers));
  $("hires_upscaler").replaceChildren(...named(choices.hires_upscalers));
  $("lora").replaceChildren(...choices.loras.map((name) => option(name, name)));
  $("lora-field").hidden = choices.loras.length === 0;
  $("steps").max = $("hires_steps").max = choices.limits.steps;
  $("batch").max = choices.limits.batch;
  $("width").max = $("height").max = choices.limits.side;
  ({ defaults } = choices);
  const { model, values } = remembered();
  const isHere = choices.models.includes(model);
  $("model").value = isHere ? model : choices.model;
  // Without their model, size and steps are of no use, and words are.
  const texts = Object.fromEntries(TEXTS.map((id) => [id, values[id]]));
  fill({ ...defaults, ...(isHere ? values : texts) });
}

/** A request of what the fields say. */
export function request() {
  const asked = { model: $("model").value || null };
  for (const id of TEXTS) asked[id] = $(id).value;
  for (const id of NUMBERS) if ($(id).value !== "") asked[id] = Number($(id).value);
  // What is automatic is left to the model, above the defaults of its preset.
  for (const id of AUTOMATIC) asked[id] = $(id).value || null;
  asked.clip_skip = Number($("clip_skip").value) || null;
  // The default may have tiles of a size of its own.
  if ($("vae_tiling").checked !== defaults.vae_tiling) asked.vae_tiling = $("vae_tiling").checked ? {} : null;
  if ($("hires").checked) {
    asked.hires = {
      upscaler: $("hires_upscaler").value,
      scale: Number($("hires_scale").value),
      denoising_strength: Number($("hires_strength").value),
      steps: Number($("hires_steps").value) || null,
    };
  }
  return asked;
}

/** Takes a picture's settings over, its seed included. */
export function useSettings(picture, job) {
  const labelled = (id, text) => [...$(id).options].find((each) => each.textContent === text)?.value ?? "";
  fill({ ...read(picture.parameters, labelled), seed: picture.seed });
  if ([...$("model").options].some((each) => each.value === job.model)) $("model").value = job.model;
  $("prompt").focus();
}

/** A size that the form takes: in steps of 8, and no longer than the server draws. */
export function takeSize(width, height) {
  const scale = Math.min(1, Number($("width").max) / Math.max(width, height));
  const side = (pixels) => Math.max(64, Math.floor((pixels * scale) / 8) * 8);
  fill({ width: side(width), height: side(height) });
}

function open(field) {
  const around = field.closest("details");
  if (around) around.open = true;
}

/** Marks the field that an error names first, and leads there. */
export function mark(message) {
  const name = /^([a-z_.]+) is /.exec(message)?.[1];
  const field = name && $(CALLED[name] ?? name.replace(".", "_"));
  if (!field || !form.contains(field) || field.disabled) return;
  field.setAttribute("aria-invalid", "true");
  field.setAttribute("aria-describedby", "error");
  open(field);
  field.focus();
}

export function unmark() {
  for (const field of form.querySelectorAll("[aria-invalid]")) {
    field.removeAttribute("aria-invalid");
    field.removeAttribute("aria-describedby");
  }
}

function insertLora() {
  const prompt = $("prompt");
  const before = prompt.value.slice(0, prompt.selectionStart);
  const space = before === "" || before.endsWith(" ") ? "" : " ";
  prompt.setRangeText(`${space}<lora:${$("lora").value}:1>`, prompt.selectionStart, prompt.selectionEnd, "end");
  prompt.focus();
  remember();
}

form.addEventListener("input", () => {
  reflect();
  remember();
});
// A field that is folded away could not be shown to be wrong.
form.addEventListener("invalid", (event) => open(event.target), true);
$("swap").addEventListener("click", () => fill({ width: $("height").value, height: $("width").value }));
$("random").addEventListener("click", () => fill({ seed: "" }));
$("lora-insert").addEventListener("click", insertLora);
$("defaults").addEventListener("click", () => {
  const initial = (field) => (field.type === "checkbox" ? field.defaultChecked : field.defaultValue ?? "");
  const own = kept.filter((field) => !TEXTS.includes(field.id)).map((field) => [field.id, initial(field)]);
  const { negative_prompt, ...settings } = defaults;
  fill({ ...Object.fromEntries(own), ...settings });
});
// Enter draws a line break in a prompt.
form.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
  event.preventDefault();
  form.requestSubmit();
});
