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
    api.get_embeddings, api.get_cmd_flags, api.get_memory, api.get_scripts, api.get_hypernetworks,
    api.get_face_restorers, api.get_realesrgan_models, api.get_prompt_styles,
]:
    assert "detail" not in listed(), listed
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

# Wide, red at the left, blue at the right and white at the top, into a square.
wide = Image.new("RGB", (128, 64), (0, 160, 0))
wide.paste("red", (0, 0, 32, 64))
wide.paste("blue", (96, 0, 128, 64))
wide.paste("white", (0, 0, 128, 8))
kept = {"images": [wide], "prompt": "a red circle", "seed": 42, "denoising_strength": 0.01, **common}
modes = [api.img2img(resize_mode=mode, **kept).image.convert("RGB") for mode in range(4)]
assert all(image.size == (64, 64) for image in modes)
assert list(modes[0].getdata()) == list(modes[3].getdata())
assert len({image.tobytes() for image in modes}) == 3, "the modes do the same"

# The mask is filled first: what is drawn at next to no strength is what it starts from.
thing = Image.new("RGB", (64, 64), (200, 200, 200))
thing.paste((0, 160, 0), (24, 24, 40, 40))
mask = Image.new("L", (64, 64), 0)
mask.paste(255, (16, 16, 48, 48))
fills = [api.img2img(images=[thing], mask_image=mask, mask_blur=0, inpainting_fill=fill, prompt="x", seed=42,
                     denoising_strength=0.01, inpaint_full_res=False, **common).image.convert("RGB")
         for fill in range(4)]
assert len({image.tobytes() for image in fills}) == 4, "the fills do the same"
assert all(image.getpixel((4, 4)) == (200, 200, 200) for image in fills)


def green(image):
    red, green, blue = image.getpixel((32, 32))
    return green - max(red, blue)


assert green(fills[0]) < 40 < green(fills[1]), [green(image) for image in fills]

upscalers = [upscaler["name"] for upscaler in api.get_upscalers()]
assert upscalers == ["None", "Lanczos", "Nearest", "tiny-4x"], upscalers
for name in upscalers:
    large = api.extra_single_image(image=wide, upscaler_1=name, upscaling_resize=3)
    assert large.image.size == ((128, 64) if name == "None" else (384, 192)), (name, large.image.size)
assert "Postprocess upscaler: tiny-4x" in large.info, large.info
square = api.extra_single_image(image=wide, resize_mode=1, upscaling_resize_w=96, upscaling_resize_h=96,
                                upscaler_1=webuiapi.Upscaler.Lanczos, upscaler_2=webuiapi.Upscaler.Nearest,
                                extras_upscaler_2_visibility=0.5)
assert square.image.size == (96, 96)
several = api.extra_batch_images(images=[wide, thing], name_list=["wide", "thing"], upscaler_1="Nearest")
assert [image.size for image in several.images] == [(256, 128), (128, 128)]
again = api.txt2img(prompt="a red circle", seed=42, enable_hr=True, hr_scale=2, hr_upscaler="tiny-4x",
                    denoising_strength=0.5, **common)
assert again.image.size == (128, 128)
try:
    api.extra_single_image(image=wide, upscaler_1="Nearest", gfpgan_visibility=1)
except RuntimeError as error:
    assert error.args[0] == 400 and "face" in error.args[1], error
else:
    raise AssertionError("faces are restored")

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
