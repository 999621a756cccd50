"""Drives the page in Chromium: URL of a service with the demo model, and a folder for screenshots."""

import base64
import io
import re
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright

URL, SHOTS = sys.argv[1], Path(sys.argv[2])
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
             "--disable-component-update", "--disable-sync"]
SLOW = 120_000


def opened(page: Page) -> Page:
    page.goto(URL)
    expect(page.locator("#health")).to_contain_text("demo_q8_0 on", timeout=SLOW)
    expect(page.locator("#sampler option")).not_to_have_count(0)
    return page


def settings(page: Page, prompt: str, steps: int, size: int = 64) -> None:
    page.get_by_label("Prompt", exact=True).fill(prompt)
    for name, value in [("Steps", steps), ("Width", size), ("Height", size), ("Seed", 42)]:
        page.get_by_label(name, exact=True).fill(str(value))


def pixels(page: Page, index: int = 0) -> Image.Image:
    """The bytes of a picture of the gallery, the newest first."""
    image = page.locator("#gallery .card img").nth(index)
    expect(image).to_have_js_property("complete", True)
    data = image.evaluate("""(image) => {
        const canvas = document.createElement("canvas");
        [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
        canvas.getContext("2d").drawImage(image, 0, 0);
        return canvas.toDataURL("image/png");
    }""")
    return Image.open(io.BytesIO(base64.b64decode(data.split(",")[1]))).convert("RGB")


def draws(page: Page) -> None:
    settings(page, "a red circle", 12, 128)
    page.get_by_role("button", name="Draw", exact=True).click()
    expect(page.get_by_role("button", name="Cancel")).to_be_enabled()
    expect(page.locator("#gallery .card")).to_have_count(1, timeout=SLOW)
    expect(page.locator("#state")).to_contain_text("done")
    red, green, blue = pixels(page).getpixel((64, 64))
    assert red > 200 and green < 80 and blue < 80, (red, green, blue)
    # What was drawn is told, and can be drawn again.
    page.get_by_text("How it was made").click()
    expect(page.locator("#gallery pre")).to_contain_text("Seed: 42")
    page.get_by_label("Seed", exact=True).fill("7")
    page.get_by_label("Prompt", exact=True).fill("something else")
    page.get_by_role("button", name="Use these settings").click()
    expect(page.get_by_label("Seed", exact=True)).to_have_value("42")
    expect(page.get_by_label("Prompt", exact=True)).to_have_value("a red circle")
    expect(page.get_by_label("Steps", exact=True)).to_have_value("12")
    page.screenshot(path=SHOTS / "drawn.png", full_page=True)


def cancels(page: Page) -> None:
    settings(page, "a long one", 150, 128)
    page.get_by_role("button", name="Draw", exact=True).click()
    expect(page.locator("#state")).to_contain_text(re.compile("step [1-9]"), timeout=SLOW)
    expect(page.locator("#preview")).to_be_visible(timeout=SLOW)
    page.screenshot(path=SHOTS / "drawing.png")
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#state")).to_have_text("cancelled", timeout=SLOW)
    expect(page.get_by_role("button", name="Draw", exact=True)).to_be_enabled()


def inpaints(page: Page) -> None:
    white = io.BytesIO()
    Image.new("RGB", (128, 128), (0, 0, 255)).save(white, "PNG")
    page.get_by_text("Draw over a picture").click()
    page.locator("#init").set_input_files({"name": "blue.png", "mimeType": "image/png", "buffer": white.getvalue()})
    canvas = page.locator("#mask")
    expect(canvas).to_be_visible()
    expect(page.get_by_label("Width", exact=True)).to_have_value("128")
    settings(page, "a red circle", 12, 128)
    page.locator("#denoising_strength").fill("1")
    page.locator("#brush-size").fill("40")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    x, top, bottom = box["x"] + box["width"] * 0.2, box["y"] + 4, box["y"] + box["height"] - 4
    page.mouse.move(x, top)
    page.mouse.down()
    page.mouse.move(x, bottom, steps=20)
    page.mouse.up()
    page.screenshot(path=SHOTS / "brush.png", full_page=True)
    before = page.locator("#gallery .card").count()
    page.get_by_role("button", name="Draw", exact=True).click()
    expect(page.locator("#gallery .card")).to_have_count(before + 1, timeout=SLOW)
    drawn = pixels(page)

    def blueness(columns: range) -> float:
        """How many of the pixels are the picture's blue."""
        all_of_them = [drawn.getpixel((x, y)) for x in columns for y in range(0, 128, 4)]
        return sum(r < 90 and g < 90 and b > 165 for r, g, b in all_of_them) / len(all_of_them)

    painted, kept = blueness(range(8, 40, 4)), blueness(range(88, 124, 4))
    assert painted < 0.5 < 0.9 < kept, (painted, kept)
    page.get_by_role("button", name="Remove the picture").click()
    expect(canvas).to_be_hidden()


def continues(page: Page) -> None:
    page.get_by_role("button", name="Draw over it").first.click()
    page.get_by_label("Right", exact=True).fill("64")
    page.get_by_label("Steps", exact=True).fill("3")
    before = page.locator("#gallery .card").count()
    page.get_by_role("button", name="Draw", exact=True).click()
    expect(page.locator("#gallery .card")).to_have_count(before + 1, timeout=SLOW)
    assert pixels(page).size == (192, 128), pixels(page).size
    page.screenshot(path=SHOTS / "continued.png", full_page=True)
    page.get_by_role("button", name="Remove the picture").click()


def brush_by_keyboard(page: Page) -> None:
    page.get_by_label("Width", exact=True).fill("64")
    page.get_by_role("button", name="Draw over it").first.click()
    # It is opened, and has given its size to the form.
    expect(page.get_by_label("Width", exact=True)).to_have_value("192")
    page.locator("#mask").focus()
    before = page.locator("#mask").screenshot()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Space")
    assert page.locator("#mask").screenshot() != before, "nothing was painted"
    page.get_by_role("button", name="Remove the picture").click()


def shows_errors(page: Page) -> None:
    settings(page, "a red circle", 3)
    # The form's own limits are lifted: it is the server that refuses.
    page.evaluate("for (const input of document.querySelectorAll('input')) { input.removeAttribute('max'); }")
    page.get_by_label("Steps", exact=True).fill("5000")
    page.get_by_role("button", name="Draw", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("steps is 5000")
    page.screenshot(path=SHOTS / "error.png")
    page.get_by_label("Steps", exact=True).fill("3")
    before = page.locator("#gallery .card").count()
    page.get_by_role("button", name="Draw", exact=True).click()
    expect(page.get_by_role("alert")).to_be_hidden()
    expect(page.locator("#gallery .card")).to_have_count(before + 1, timeout=SLOW)


def by_keyboard_alone(page: Page) -> None:
    before = page.locator("#gallery .card").count()
    page.get_by_label("Prompt", exact=True).focus()
    for _ in range(30):
        if page.evaluate("document.activeElement.id") == "draw":
            break
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#gallery .card")).to_have_count(before + 1, timeout=SLOW)


with sync_playwright() as playwright:
    browser = playwright.chromium.launch(executable_path=sys.argv[3], args=ARGUMENTS)
    page = browser.new_page(viewport={"width": 1200, "height": 900})
    problems = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda line: problems.append(line.text) if line.type == "error" else None)
    opened(page)
    draws(page)
    cancels(page)
    inpaints(page)
    continues(page)
    brush_by_keyboard(page)
    by_keyboard_alone(page)
    # A refusal is an answer of 400, which the browser calls an error of its console.
    assert problems == [], problems
    shows_errors(page)
    # Pictures are there after a reload.
    count = page.locator("#gallery .card").count()
    opened(page)
    expect(page.locator("#gallery .card")).to_have_count(count, timeout=SLOW)
    phone = browser.new_page(viewport={"width": 360, "height": 740}, color_scheme="dark", has_touch=True)
    opened(phone)
    expect(phone.locator("#gallery .card")).to_have_count(count, timeout=SLOW)
    wide = phone.evaluate("document.documentElement.scrollWidth")
    assert wide <= 360, f"the page is {wide} pixels wide on a phone"
    phone.screenshot(path=SHOTS / "phone.png")
    browser.close()
print("the page", "works")
