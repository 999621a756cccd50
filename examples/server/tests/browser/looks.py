"""How the page looks, and whether everybody can use it."""

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page

axe = Axe()

# The contrast of two colours, as WCAG 2 has it. What axe does not look at: the borders of controls.
CONTRAST = """() => {
    const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    const light = (colour) => {
        canvas.fillStyle = colour;
        canvas.fillRect(0, 0, 1, 1);
        const linear = (value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
        const [red, green, blue] = [...canvas.getImageData(0, 0, 1, 1).data].map((value) => linear(value / 255));
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    };
    const behind = (element) => {
        for (let each = element.parentElement; each; each = each.parentElement) {
            const colour = getComputedStyle(each).backgroundColor;
            if (!/^rgba\\(.*, 0\\)$/.test(colour)) return colour;
        }
        return "Canvas";
    };
    const low = [];
    const check = (element, colour, around) => {
        const [one, other] = [light(colour), light(around)].sort((a, b) => a - b);
        const ratio = (other + 0.05) / (one + 0.05);
        if (ratio < 3) low.push(`${element.id || element.className}: ${ratio.toFixed(2)}`);
    };
    const shown = (selector) => [...document.querySelectorAll(selector)].filter((each) => each.checkVisibility());
    const fields = "input:not([type=range], [type=checkbox], [type=radio]), select, textarea";
    for (const each of shown(`${fields}, button:enabled:not(.open), a.button`)) {
        check(each, getComputedStyle(each).borderTopColor, behind(each));
    }
    // Handles have a line of another colour around them.
    for (const each of shown(".handle")) {
        const style = getComputedStyle(each, "::after");
        check(each, style.backgroundColor, style.borderTopColor);
    }
    return low;
}"""


def everybody_can_use(page: Page, where: str) -> None:
    """No rule of axe is broken, and borders can be seen."""
    rules = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
    found = axe.run(page, options={"runOnly": rules})
    assert found.violations_count == 0, f"{where}: {found.generate_report()}"
    low = page.evaluate(CONTRAST)
    assert low == [], f"{where}: too little contrast: {low}"


def fits(page: Page, where: str) -> None:
    width, window = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert width <= window, f"{where}: the page is {width} pixels wide, and the window {window}"


def in_both_schemes(page: Page, where: str, shots, part: Locator | None = None) -> None:
    """Screenshots of the page, scrolled to a part of it, after it was looked at."""
    for scheme in ["light", "dark"]:
        page.emulate_media(color_scheme=scheme)
        everybody_can_use(page, f"{where}, {scheme}")
        if part:
            part.scroll_into_view_if_needed()
        page.screenshot(path=shots / f"{where}-{scheme}.png")
    page.emulate_media(color_scheme="light")
    fits(page, where)
