"""sd-backend-client, unmodified, against the service: host and port are the arguments."""

import sys

# This file has the package's name, and would be found in its place.
sys.path.pop(0)

from PIL import Image, ImageDraw  # noqa: E402
from sd_backend_client import DiffusionParams, GenerationError, connect_to_backend  # noqa: E402

backend = connect_to_backend(f"http://{sys.argv[1]}:{sys.argv[2]}")
assert "Webservice" in type(backend).__name__ and "Comfy" not in type(backend).__name__, backend
assert [option.name for option in backend.list_checkpoints()] == ["demo_q8_0"], backend.list_checkpoints()
assert "euler" in [option.name.lower() for option in backend.list_samplers()], backend.list_samplers()
backend.get_capabilities()
common = {"prompt": "a red circle", "steps": 3, "cfg_scale": 3, "width": 64, "height": 64,
          "sampler": "euler", "seed": 42}

result = backend.submit_txt2img(DiffusionParams(batch_size=2, **common)).wait(timeout=120)
assert [image.size for image in result.images] == [(64, 64)] * 2
assert result.seeds == [42, 43], result.seeds

source = Image.new("RGB", (64, 64), "white")
result = backend.submit_img2img(
    DiffusionParams(init_images=[source], denoising_strength=0.5, **common)).wait(timeout=120)
assert result.images[0].size == (64, 64)

mask = Image.new("L", (64, 64), 0)
ImageDraw.Draw(mask).rectangle((0, 0, 31, 63), fill=255)
result = backend.submit_inpaint(
    DiffusionParams(init_images=[source], mask=mask, denoising_strength=1.0, **common)).wait(timeout=120)
assert result.images[0].size == (64, 64)

large = backend.submit_upscale(source, 128, 96).wait(timeout=120)
assert [image.size for image in large.images] == [(128, 96)], large.images
assert [option.name for option in backend.list_upscalers()] == ["Lanczos", "Nearest", "tiny-4x"]

handle = backend.submit_txt2img(DiffusionParams(**{**common, "steps": 150}))
seen = []


def stop(progress):
    seen.append(progress.progress)
    if progress.progress:
        handle.cancel()


try:
    handle.wait(timeout=120, poll_interval=0.05, on_progress=stop)
except GenerationError as error:
    assert "cancel" in error.status.value.lower() or "fail" in error.status.value.lower(), error
else:
    raise AssertionError("the job was not cancelled")
assert any(seen), seen
print("sd-backend-client", "works")
