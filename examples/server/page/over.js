// The picture that is drawn over: where it comes from, and what is done with it.

import { Brush } from "./brush.js";
import { takeSize } from "./form.js";
import { Handles } from "./handles.js";

const $ = (id) => document.getElementById(id);
const HELP = {
  repaint: "Paint over what is to be drawn anew; with nothing painted, all of it is. By keyboard: the arrow keys move "
    + "the brush, Space paints, and with Shift the arrow keys paint.",
  continue: "Drag the borders outwards. By keyboard: Tab goes from border to border, and the arrow keys move it by 8 "
    + "pixels, Page Up and Page Down by 64.",
};

const brush = new Brush($("mask"), $("cursor"), $("brush-size"), () => $("erase").ariaPressed === "true");
const handles = new Handles({
  stage: $("stage"),
  frame: $("frame"),
  inputs: Object.fromEntries(["left", "right", "top", "bottom"].map((side) => [side, $(`out-${side}`)])),
  limit: () => Number($("width").max),
  changed: showSize,
});
let image = null;

function showSize({ width, height }) {
  const most = Number($("width").max);
  const tooLarge = image && Math.max(image.width, image.height) > most;
  $("out-size").textContent = tooLarge
    ? `The picture is larger than the ${most} pixels a side that this server draws.`
    : `The picture becomes ${width} × ${height} pixels.`;
}

function showMode() {
  const continues = $("mode-continue").checked;
  $("repaint").hidden = continues;
  $("borders").hidden = $("borders").disabled = !continues;
  $("mask").tabIndex = continues ? -1 : 0;
  $("mask").classList.toggle("aside", continues);
  $("stage-help").textContent = continues ? HELP.continue : HELP.repaint;
  handles.toggle(continues);
}

/** Opens a picture, with nothing painted on it. An error says that it cannot be read. */
export async function open(blob) {
  let opened;
  try {
    opened = await createImageBitmap(blob);
  } catch {
    throw new Error("This file is no picture that the browser can read; PNG, JPEG and WebP are.");
  }
  image?.close();
  image = opened;
  const { width, height } = image;
  [$("picture").width, $("picture").height] = [width, height];
  $("picture").getContext("2d").drawImage(image, 0, 0);
  brush.reset(width, height);
  handles.reset(width, height);
  takeSize(width, height);
  $("over").open = true;
  $("opened").hidden = $("opened").disabled = false;
  $("over-note").textContent = "(one is opened)";
  showMode();
  $("stage").scrollIntoView({ block: "nearest" });
  ($("mode-continue").checked ? $("frame").querySelector("[tabindex]") : $("mask")).focus({ preventScroll: true });
}

function close() {
  image?.close();
  image = null;
  $("init").value = "";
  $("opened").hidden = $("opened").disabled = true;
  $("over-note").textContent = "";
  $("init").focus();
}

/** What a request says of the picture; nothing where there is none. */
export function request() {
  if (!image) return {};
  // The canvas has the pixels only, without what else the file told.
  const asked = {
    init_image: $("picture").toDataURL("image/png"),
    denoising_strength: Number($("denoising_strength").value),
  };
  if ($("mode-continue").checked) {
    if (!handles.added) throw new Error("Drag a border outwards, or add pixels on a side, to continue the picture.");
    return { ...asked, outpaint: handles.added };
  }
  const mask = brush.mask();
  if (!mask) return asked;
  const area = $("area").value === "masked" ? { only_masked: { padding: 32 } } : "whole_picture";
  return { ...asked, mask, inpaint: { mask_blur: Number($("mask_blur").value), keep_unmasked: true, area } };
}

/** Opens what is chosen, dropped or pasted; errors go to `tell`. */
export function listen(tell) {
  const take = (file) => open(file).catch(tell);
  const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
  $("init").addEventListener("change", () => $("init").files[0] && take($("init").files[0]));
  document.addEventListener("paste", (event) => {
    const file = [...(event.clipboardData?.files ?? [])].find((each) => each.type.startsWith("image/"));
    if (!file) return;
    event.preventDefault();
    take(file);
  });
  const drops = (on) => document.body.classList.toggle("dropping", on);
  document.addEventListener("dragover", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    drops(true);
  });
  document.addEventListener("dragleave", (event) => event.relatedTarget || drops(false));
  document.addEventListener("drop", (event) => {
    drops(false);
    if (!hasFiles(event)) return;
    // Without this the browser would leave the page for the file.
    event.preventDefault();
    if (event.dataTransfer.files[0]) take(event.dataTransfer.files[0]);
  });
  for (const mode of document.getElementsByName("mode")) mode.addEventListener("change", showMode);
  $("erase").addEventListener("click", () => {
    $("erase").ariaPressed = $("erase").ariaPressed === "true" ? "false" : "true";
  });
  $("undo").addEventListener("click", () => brush.undo());
  $("clear").addEventListener("click", () => brush.clear());
  $("remove").addEventListener("click", close);
}
