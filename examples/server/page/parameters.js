// A1111's "parameters" text, as the form has its settings.

const PAIR = /\s*([^:,]+):\s*("(?:\\.|[^"\\])*"|[^,]*)(?:,|$)/g;

function unquoted(text) {
  if (!text.startsWith('"')) return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Prompt, negative prompt, and the settings by A1111's names. */
function parts(text) {
  const lines = text.split("\n");
  const last = lines.findLastIndex((line) => line.startsWith("Steps: "));
  const settings = last < 0 ? "" : lines[last];
  const words = last < 0 ? lines : lines.slice(0, last);
  const negative = words.findIndex((line) => line.startsWith("Negative prompt: "));
  return {
    prompt: words.slice(0, negative < 0 ? undefined : negative).join("\n"),
    negative: negative < 0 ? "" : words.slice(negative).join("\n").slice("Negative prompt: ".length),
    value: Object.fromEntries([...settings.matchAll(PAIR)].map(([, name, value]) => [name, unquoted(value)])),
  };
}

/** Values of the form's fields by their ids. `labelled` finds what a label of a list stands for. */
export function read(text, labelled) {
  const { prompt, negative, value } = parts(text);
  const [width, height] = (value.Size ?? "").split("x");
  const hires = "Hires upscaler" in value;
  const all = {
    prompt,
    negative_prompt: negative,
    steps: value.Steps,
    cfg_scale: value["CFG scale"],
    seed: value.Seed,
    width,
    height,
    batch: 1,
    sampler: labelled("sampler", value.Sampler),
    scheduler: labelled("scheduler", value["Schedule type"]),
    clip_skip: value["Clip skip"] ?? "",
    vae_tiling: "VAE tiling" in value,
    hires,
  };
  if (!hires) return all;
  return {
    ...all,
    hires_upscaler: labelled("hires_upscaler", value["Hires upscaler"]),
    hires_scale: value["Hires upscale"] ?? 2,
    hires_steps: value["Hires steps"] ?? "",
    hires_strength: value["Hires denoising strength"] ?? value["Denoising strength"],
  };
}
