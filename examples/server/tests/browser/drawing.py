"""Drawing: one picture, several, cancelled ones, and ones that fail."""

import re

from playwright.sync_api import BrowserContext, Page, expect
from steps import SLOW, asks, button, draws, field, opened, pictures, settings, unfold


def draws_a_picture(page: Page) -> None:
    settings(page, "a red circle", 12, 128)
    red, green, blue = draws(page).getpixel((64, 64))
    assert red > 200 and green < 80 and blue < 80, (red, green, blue)
    expect(page.locator("#state")).to_have_text("done: a red circle")
    # What was drawn is told, and can be drawn again.
    page.get_by_text("How it was made").click()
    expect(page.locator("#gallery pre")).to_contain_text("Seed: 42")
    field(page, "Seed").fill("7")
    field(page, "Prompt").fill("something else")
    button(page, "Use these settings").click()
    for label, value in [("Seed", "42"), ("Prompt", "a red circle"), ("Steps", "12"), ("Width", "128")]:
        expect(field(page, label)).to_have_value(value)
    expect(page.locator("#sampler option:checked")).to_have_text("Euler")


def cancels(page: Page) -> None:
    settings(page, "a long one", 150, 128)
    field(page, "Pictures").fill("8")
    row = page.locator(f'.job[data-job="{asks(page)}"]')
    expect(row.locator(".words")).to_contain_text(re.compile("step [1-9]"), timeout=SLOW)
    expect(row.locator("img")).to_be_visible(timeout=SLOW)
    row.get_by_role("button", name="Cancel a long one").click()
    expect(row).to_have_count(0, timeout=SLOW)
    expect(page.locator("#state")).to_have_text("cancelled: a long one")


def queues(page: Page, context: BrowserContext, url: str, shots) -> None:
    """Several jobs at once, which another page sees and can cancel."""
    settings(page, "a blue square", 150, 128)
    # So many that none is done before it is cancelled.
    field(page, "Pictures").fill("8")
    first = asks(page)
    field(page, "Prompt").fill("a green triangle")
    second = asks(page)
    rows = page.locator(".job")
    expect(rows).to_have_count(2)
    expect(button(page, "Draw")).to_be_enabled()
    expect(rows.first.locator("img")).to_be_visible(timeout=SLOW)
    page.screenshot(path=shots / "drawing.png")
    other = opened(context.new_page(), url)
    expect(other.locator(".job")).to_have_count(2, timeout=SLOW)
    other.get_by_role("button", name="Cancel a green triangle").click()
    expect(page.locator(f'.job[data-job="{second}"]')).to_have_count(0, timeout=SLOW)
    expect(page.locator(f'.job[data-job="{first}"]')).to_have_count(1)
    page.bring_to_front()
    page.get_by_role("button", name="Cancel a blue square").click()
    expect(rows).to_have_count(0, timeout=SLOW)
    other.close()
    field(page, "Pictures").fill("1")


def is_refused(page: Page) -> None:
    settings(page, "a red circle", 3)
    # The form's own limit is lifted: it is the server that refuses.
    page.locator("#steps").evaluate("(input) => input.removeAttribute('max')")
    field(page, "Steps").fill("5000")
    button(page, "Draw").click()
    expect(page.get_by_role("alert")).to_contain_text("steps is 5000")
    expect(field(page, "Steps")).to_be_focused()
    expect(field(page, "Steps")).to_have_attribute("aria-invalid", "true")


def draws_after_a_refusal(page: Page) -> None:
    field(page, "Steps").fill("3")
    expect(page.get_by_role("alert")).to_be_hidden()
    expect(page.locator("[aria-invalid]")).to_have_count(0)
    draws(page)


def wrong_fields_are_shown_where_they_are_folded_away(page: Page) -> None:
    unfold(page, "More settings")
    field(page, "Clip skip").fill("99")
    page.get_by_text("More settings", exact=True).click()
    expect(field(page, "Clip skip")).to_be_hidden()
    button(page, "Draw").click()
    expect(field(page, "Clip skip")).to_be_visible()
    expect(field(page, "Clip skip")).to_be_focused()
    button(page, "Default settings").click()
    expect(field(page, "Clip skip")).to_have_value("")
    expect(field(page, "Steps")).to_have_value("12")


def by_keyboard_alone(page: Page) -> None:
    settings(page, "a red circle", 2)
    before = pictures(page).count()
    field(page, "Prompt").focus()
    page.keyboard.press("Control+Enter")
    expect(pictures(page)).to_have_count(before + 1, timeout=SLOW)
    for _ in range(40):
        if page.evaluate("document.activeElement.id") == "draw":
            break
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(pictures(page)).to_have_count(before + 2, timeout=SLOW)


def small_helps(page: Page) -> None:
    field(page, "Width").fill("64")
    field(page, "Height").fill("128")
    button(page, "Swap width and height").click()
    expect(field(page, "Width")).to_have_value("128")
    expect(field(page, "Height")).to_have_value("64")
    button(page, "Random seed").click()
    expect(field(page, "Seed")).to_have_value("")


def second_pass(page: Page) -> None:
    settings(page, "a red circle", 2)
    unfold(page, "More settings")
    page.get_by_label("Hires fix").check()
    assert draws(page).size == (128, 128)
    # It is among the settings of a picture.
    page.get_by_label("Hires fix").uncheck()
    button(page.locator(".card").first, "Use these settings").click()
    expect(page.get_by_label("Hires fix")).to_be_checked()
    expect(field(page, "Upscale by")).to_have_value("2")
    expect(field(page, "Width")).to_have_value("64")
    page.get_by_label("Hires fix").uncheck()


def loras(page: Page) -> None:
    settings(page, "a circle", 2)
    plain = draws(page)
    field(page, "Prompt").evaluate("(prompt) => prompt.setSelectionRange(1, 1)")
    page.locator("#lora").select_option("ink")
    button(page, "Add to the prompt").click()
    expect(field(page, "Prompt")).to_have_value("a <lora:ink:1> circle")
    assert draws(page).tobytes() != plain.tobytes()
    button(page.locator(".card").first, "Use these settings").click()
    expect(field(page, "Prompt")).to_have_value("a <lora:ink:1> circle")


def remembers(page: Page, url: str) -> None:
    settings(page, "remembered", 5)
    page.locator("#sampler").select_option(label="Heun")
    unfold(page, "More settings")
    page.get_by_label("VAE tiling").check()
    opened(page, url)
    for label, value in [("Prompt", "remembered"), ("Steps", "5"), ("Width", "64"), ("Seed", "42")]:
        expect(field(page, label)).to_have_value(value)
    expect(page.locator("#sampler option:checked")).to_have_text("Heun")
    unfold(page, "More settings")
    expect(page.get_by_label("VAE tiling")).to_be_checked()
    button(page, "Default settings").click()
    expect(page.get_by_label("VAE tiling")).not_to_be_checked()
    expect(field(page, "Prompt")).to_have_value("remembered")
