"""openai, unmodified, against the service: host and port are the arguments."""

import base64
import io
import sys

import openai
from PIL import Image

client = openai.OpenAI(base_url=f"http://{sys.argv[1]}:{sys.argv[2]}/v1", api_key="unused", max_retries=0)
assert [model.id for model in client.models.list()] == ["demo_q8_0"]


def picture(answer, index=0):
    return Image.open(io.BytesIO(base64.b64decode(answer.data[index].b64_json)))


drawn = client.images.generate(prompt="a red circle", n=2, size="64x64", model="demo_q8_0",
                               extra_body={"seed": 42})
assert len(drawn.data) == 2 and picture(drawn).size == (64, 64)
jpeg = client.images.generate(prompt="a red circle", size="64x64", model="gpt-image-1",
                              output_format="jpeg", output_compression=80)
assert picture(jpeg).format == "JPEG"


def png(image):
    file = io.BytesIO()
    image.save(file, "PNG")
    file.name = "picture.png"
    file.seek(0)
    return file


mask = Image.new("RGBA", (64, 64), (0, 0, 0, 255))
mask.paste((0, 0, 0, 0), (0, 0, 32, 64))
edited = client.images.edit(image=png(Image.new("RGB", (64, 64), "white")), mask=png(mask),
                            prompt="a red circle", model="demo_q8_0")
assert picture(edited).size == (64, 64)
try:
    client.images.generate(prompt="x", size="64x64", n=1000)
except openai.BadRequestError as error:
    assert error.body["code"] == "invalid_parameter", error.body
else:
    raise AssertionError("1000 pictures are too many")
print("openai", "works")
