"""Drawing over a picture: with the brush, and beyond its borders."""

from playwright.sync_api import Locator, Page, expect
from steps import button, draws, field, file, opens, settings

BLUE, SIDES = (0, 0, 255), ["left", "right", "top", "bottom"]


def middle(place: Locator) -> tuple[float, float]:
    box = place.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def repaints(page: Page, shots) -> None:
    opens(page, BLUE)
    expect(field(page, "Width")).to_have_value("128")
    settings(page, "a red circle", 12, 128)
    field(page, "Denoising strength").fill("1")
    field(page, "Brush size").fill("40")
    canvas = page.locator("#mask")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    x, top, bottom = box["x"] + box["width"] * 0.2, box["y"] + 4, box["y"] + box["height"] * 0.95
    page.mouse.move(x, top)
    page.mouse.down()
    page.mouse.move(x, bottom, steps=20)
    page.mouse.up()
    page.screenshot(path=shots / "brush.png")
    drawn = draws(page)

    def blueness(columns: range) -> float:
        """How many of the pixels are the picture's blue."""
        pixels = [drawn.getpixel((x, y)) for x in columns for y in range(0, 128, 4)]
        return sum(r < 90 and g < 90 and b > 165 for r, g, b in pixels) / len(pixels)

    painted, kept = blueness(range(8, 40, 4)), blueness(range(88, 124, 4))
    assert painted < 0.5 < 0.9 < kept, (painted, kept)


def painted(page: Page) -> int:
    """Pixels with paint."""
    return page.locator("#mask").evaluate("""(canvas) => {
        const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        return data.filter((value, index) => index % 4 === 3 && value > 127).length;
    }""")


def brush_by_keyboard(page: Page) -> None:
    opens(page, BLUE)
    assert painted(page) == 0
    page.locator("#mask").focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Space")
    dot = painted(page)
    page.keyboard.press("Shift+ArrowLeft")
    line = painted(page)
    assert 0 < dot < line, (dot, line)
    page.keyboard.press("Control+z")
    assert painted(page) == dot
    button(page, "Eraser").click()
    page.locator("#mask").focus()
    page.keyboard.press("Shift+ArrowRight")
    assert painted(page) < dot
    button(page, "Eraser").click()
    button(page, "Clear the paint").click()
    assert painted(page) == 0
    button(page, "Remove the picture").click()
    expect(page.locator("#mask")).to_be_hidden()


def added(page: Page) -> list[int]:
    """What is added on each side: by the numbers, which the handles say too."""
    numbers = [int(page.locator(f"#out-{side}").input_value()) for side in SIDES]
    handles = [page.get_by_role("slider", name=f"{side.capitalize()} border") for side in SIDES]
    assert [int(handle.get_attribute("aria-valuenow")) for handle in handles] == numbers
    return numbers


def continues_by_dragging(page: Page, shots) -> None:
    opens(page, BLUE, (64, 64))
    page.get_by_label("Continue it beyond its borders").check()
    assert added(page) == [0, 0, 0, 0]
    page.locator("#stage").scroll_into_view_if_needed()
    picture = page.locator("#picture").bounding_box()
    screen = picture["width"] / 64
    x, y = middle(page.get_by_role("slider", name="Right border"))
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 14 * screen, y, steps=5)
    # In steps of 8, while it is dragged.
    assert added(page) == [0, 16, 0, 0], added(page)
    expect(page.locator("#picture")).to_have_js_property("offsetWidth", round(picture["width"]))
    page.mouse.up()
    # A corner is two borders; the scale is another now.
    screen = page.locator("#picture").bounding_box()["width"] / 64
    x, y = middle(page.locator(".handle.left.top"))
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 8 * screen, y - 17 * screen, steps=5)
    page.mouse.up()
    assert added(page) == [8, 16, 16, 0], added(page)
    # Inwards it ends at the picture.
    x, y = middle(page.get_by_role("slider", name="Left border"))
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 40 * screen, y, steps=5)
    page.mouse.up()
    assert added(page) == [0, 16, 16, 0], added(page)
    page.screenshot(path=shots / "handles.png")
    settings(page, "a red circle", 2)
    assert draws(page).size == (80, 80)


def continues_by_keys(page: Page) -> None:
    """The picture of the test before is opened still."""
    page.get_by_role("slider", name="Right border").focus()
    for key, expected in [("ArrowRight", 24), ("ArrowLeft", 16), ("ArrowUp", 24), ("PageUp", 88), ("Home", 0)]:
        page.keyboard.press(key)
        assert added(page)[1] == expected, (key, added(page))
    page.keyboard.press("End")
    handle = page.get_by_role("slider", name="Right border")
    assert handle.get_attribute("aria-valuenow") == handle.get_attribute("aria-valuemax") == str(2048 - 64)
    page.keyboard.press("Home")
    # By numbers too.
    field(page, "Bottom").fill("16")
    assert added(page) == [0, 0, 16, 16]
    expect(page.locator("#out-size")).to_contain_text("64 × 96")
    assert draws(page).size == (64, 96)
    for side in ["Top", "Bottom"]:
        field(page, side).fill("0")
    button(page, "Draw").click()
    expect(page.get_by_role("alert")).to_contain_text("Drag a border")


def continues_by_touch(page: Page) -> None:
    """Fingers are told to the page by the browser's own protocol."""
    opens(page, BLUE, (64, 64))
    page.get_by_label("Continue it beyond its borders").check()
    page.locator("#stage").scroll_into_view_if_needed()
    screen = page.locator("#picture").bounding_box()["width"] / 64
    x, y = middle(page.get_by_role("slider", name="Bottom border"))
    finger = page.context.new_cdp_session(page)
    for kind, points in [
        ("touchStart", [{"x": x, "y": y}]),
        ("touchMove", [{"x": x, "y": y + 9 * screen}]),
        ("touchMove", [{"x": x, "y": y + 17 * screen}]),
        ("touchEnd", []),
    ]:
        finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    expect(page.locator("#out-bottom")).to_have_value("16")


def is_dropped_and_pasted(page: Page) -> None:
    button(page, "Remove the picture").click()
    given = file(BLUE, (72, 64))["buffer"].hex()
    script = """([kind, hex]) => {
        const bytes = Uint8Array.from(hex.match(/../g), (byte) => parseInt(byte, 16));
        const data = new DataTransfer();
        data.items.add(new File([bytes], "picture.png", { type: "image/png" }));
        const named = { paste: { clipboardData: data }, drop: { dataTransfer: data } }[kind];
        const Made = { paste: ClipboardEvent, drop: DragEvent }[kind];
        document.body.dispatchEvent(new Made(kind, { bubbles: true, cancelable: true, ...named }));
    }"""
    for kind in ["paste", "drop"]:
        page.evaluate(script, [kind, given])
        expect(page.locator("#mask")).to_be_visible()
        expect(field(page, "Width")).to_have_value("72")
        field(page, "Width").fill("64")
        button(page, "Remove the picture").click()
        expect(page.locator("#mask")).to_be_hidden()
    page.locator("#init").set_input_files({"name": "a.png", "mimeType": "image/png", "buffer": b"no picture"})
    expect(page.get_by_role("alert")).to_contain_text("no picture that the browser can read")
