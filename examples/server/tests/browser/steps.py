"""What the tests of the page have in common."""

import base64
import io
import re

from PIL import Image
from playwright.sync_api import Locator, Page, expect

SLOW = 120_000
expect.set_options(timeout=30_000)


def opened(page: Page, url: str, model: str = "demo_q8_0") -> Page:
    page.goto(url)
    expect(page.locator("#model")).to_have_value(model, timeout=SLOW)
    return page


def field(page: Page, label: str) -> Locator:
    return page.get_by_label(label, exact=True)


def settings(page: Page, prompt: str, steps: int, size: int = 64) -> None:
    field(page, "Prompt").fill(prompt)
    for label, value in [("Steps", steps), ("Width", size), ("Height", size), ("Seed", 42)]:
        field(page, label).fill(str(value))


def button(page: Page | Locator, name: str) -> Locator:
    return page.get_by_role("button", name=name, exact=True)


def pictures(page: Page) -> Locator:
    return page.locator("#gallery .card:not(.failed)")


def unfold(page: Page, summary: str) -> None:
    details = page.locator("details", has=page.get_by_text(summary, exact=True))
    if details.get_attribute("open") is None:
        details.locator("summary").click()


def asks(page: Page) -> str:
    """Clicks on Draw; the number of the job that the server has accepted."""
    with page.expect_response(lambda answer: answer.request.method == "POST", timeout=SLOW) as answer:
        button(page, "Draw").click()
    assert answer.value.status == 202, answer.value.text()
    return answer.value.json()["id"]


def draws(page: Page) -> Image.Image:
    """Draws what the form says; the picture of this very job."""
    return picture(page, asks(page))


def picture(page: Page, job: str) -> Image.Image:
    image = page.locator(f'.card[data-job="{job}"] img')
    expect(image).to_have_count(1, timeout=SLOW)
    image.scroll_into_view_if_needed()
    expect(image).to_have_attribute("src", re.compile("^blob:"), timeout=SLOW)
    data = image.evaluate("""async (image) => {
        await image.decode();
        const canvas = document.createElement("canvas");
        [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
        canvas.getContext("2d").drawImage(image, 0, 0);
        return canvas.toDataURL("image/png");
    }""")
    return Image.open(io.BytesIO(base64.b64decode(data.split(",")[1]))).convert("RGB")


def file(colour: tuple[int, int, int], size: tuple[int, int] = (128, 128)) -> dict:
    """A picture of one colour, to be opened."""
    data = io.BytesIO()
    Image.new("RGB", size, colour).save(data, "PNG")
    return {"name": "picture.png", "mimeType": "image/png", "buffer": data.getvalue()}


def opens(page: Page, colour: tuple[int, int, int], size: tuple[int, int] = (128, 128)) -> None:
    """Opens a picture, and waits until the form has taken over its size."""
    unfold(page, "Draw over a picture")
    page.locator("#init").set_input_files(file(colour, size))
    expect(page.locator("#mask")).to_have_js_property("width", size[0])
    expect(page.locator("#mask")).to_be_visible()
