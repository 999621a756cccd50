"""webuiapi, unmodified, against the service: host and port are the arguments."""

import sys
import threading
import time

import webuiapi
from PIL import Image, ImageDraw

api = webuiapi.WebUIApi(host=sys.argv[1], port=int(sys.argv[2]), sampler="Euler", steps=3)
common = {"width": 64, "height": 64, "cfg_scale": 3}

assert "DPM++ 2M" in [sampler["name"] for sampler in api.get_samplers()]
assert api.get_schedulers()[0]["name"] == "automatic"
assert api.util_get_model_names() == ["demo_q8_0"], api.util_get_model_names()
assert api.get_options()["sd_model_checkpoint"] == "demo_q8_0"
api.set_options({"sd_model_checkpoint": "demo_q8_0"})
api.util_set_model("demo_q8_0")
assert api.util_get_current_model() == "demo_q8_0"
for listed in [
    api.get_sd_vae, api.get_loras, api.get_upscalers, api.get_latent_upscale_modes,
    api.get_embeddings, api.get_cmd_flags, api.get_memory, api.get_scripts,
]:
    assert listed() is not None, listed
api.refresh_checkpoints()

drawn = api.txt2img(prompt="a red circle", negative_prompt="blue", seed=42, batch_size=2, **common)
assert [image.size for image in drawn.images] == [(64, 64)] * 2
assert drawn.info["all_seeds"] == [42, 43], drawn.info
assert drawn.parameters["prompt"] == "a red circle"
again = api.txt2img(prompt="a red circle", negative_prompt="blue", seed=42, batch_size=2, **common)
assert list(again.image.getdata()) == list(drawn.image.getdata()), "the same seed, another picture"

mask = Image.new("L", (64, 64), 0)
ImageDraw.Draw(mask).rectangle((0, 0, 31, 63), fill=255)
white = Image.new("RGB", (64, 64), "white")
over = api.img2img(images=[white], mask_image=mask, mask_blur=0, prompt="a red circle", seed=42,
                   denoising_strength=1.0, inpaint_full_res=False, **common)
assert over.image.size == (64, 64)

told = api.png_info(drawn.image)
assert told.info["items"] is not None if isinstance(told.info, dict) else True

thread = threading.Thread(target=lambda: stopped.append(caught(
    lambda: api.txt2img(prompt="long", steps=150, **{k: v for k, v in common.items()}))))
stopped = []


def caught(call):
    try:
        return call()
    except RuntimeError as error:
        return error


thread.start()
begin = time.time()
while api.get_progress()["state"]["sampling_step"] == 0:
    assert time.time() - begin < 60
    time.sleep(0.01)
assert 0 < api.get_progress()["progress"] < 1
api.interrupt()
thread.join(60)
assert isinstance(stopped[0], RuntimeError), stopped
api.util_wait_for_ready(check_interval=0.05)
print("webuiapi", "works")
