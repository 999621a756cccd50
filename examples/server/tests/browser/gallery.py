"""Many pictures, and a key: with patterns, which are drawn at once."""

import json
import re
import urllib.request

import looks
from playwright.sync_api import Page, expect
from steps import SLOW, button, field, opened, pictures

KEY = "secret"


def submit(url: str, **request) -> str:
    """A job of another client, which has ended; its number."""
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {KEY}"}
    body = json.dumps({"width": 64, "height": 64, "steps": 1, **request}).encode()

    def ask(path: str, data: bytes | None = None) -> bytes:
        with urllib.request.urlopen(urllib.request.Request(url + path, data, headers)) as answer:
            return answer.read()

    job = json.loads(ask("/api/v1/jobs", body))
    # The events end with the job.
    ask(f"/api/v1/jobs/{job['id']}/events")
    return job["id"]


def asks_for_the_key(page: Page, url: str) -> None:
    page.goto(url)
    key = page.get_by_label("Key of this server")
    expect(key).to_be_focused(timeout=SLOW)
    expect(page.get_by_role("alert")).to_contain_text("a key is needed")
    key.fill("wrong")
    key.press("Enter")
    expect(key).to_have_value("")
    expect(key).to_be_visible()
    key.fill(KEY)
    key.press("Enter")
    expect(page.locator("#model")).to_have_value("mock", timeout=SLOW)
    expect(key).to_be_hidden()
    expect(page.get_by_role("alert")).to_be_hidden()
    # It is remembered.
    opened(page, url, "mock")


def shows_more(page: Page, url: str) -> None:
    for number in range(15):
        submit(url, prompt=f"picture {number}", batch=1 + (number == 14))
    opened(page, url, "mock")
    # Twelve jobs, of which one has two pictures.
    expect(pictures(page)).to_have_count(13)
    button(page, "Show more").click()
    expect(pictures(page)).to_have_count(16)
    expect(button(page, "Show more")).to_be_hidden()
    names = pictures(page).evaluate_all("(cards) => cards.map((card) => card.ariaLabel)")
    assert names == ["picture 14", *(f"picture {number}" for number in range(14, -1, -1))], names
    expect(pictures(page).first).to_contain_text("a pattern, drawn without a model")


def opens_in_full_size(page: Page, shots) -> None:
    shown = page.get_by_role("dialog")
    second = button(pictures(page).nth(2), "picture 13: open in full size")
    second.focus()
    page.keyboard.press("Enter")
    expect(shown).to_be_visible()
    expect(shown).to_contain_text("picture 13: 64 × 64")
    page.keyboard.press("ArrowRight")
    expect(shown).to_contain_text("picture 12: 64 × 64")
    looks.in_both_schemes(page, "viewer", shots)
    with page.expect_popup() as alone:
        shown.get_by_role("link", name="In its own tab").click()
    expect(alone.value.locator("img")).to_have_js_property("naturalWidth", 64)
    alone.value.close()
    button(shown, "Previous").click()
    expect(shown).to_contain_text("picture 13: 64 × 64")
    page.keyboard.press("Escape")
    expect(shown).to_be_hidden()
    expect(second).to_be_focused()


def deletes(page: Page, url: str) -> None:
    questions = []
    page.once("dialog", lambda dialog: (questions.append(dialog.message), dialog.dismiss()))
    button(pictures(page).first, "Delete").click()
    expect(pictures(page)).to_have_count(16)
    page.once("dialog", lambda dialog: (questions.append(dialog.message), dialog.accept()))
    button(pictures(page).first, "Delete").click()
    expect(pictures(page)).to_have_count(14)
    assert questions == ["Delete the 2 pictures of this job for good?"] * 2, questions
    opened(page, url, "mock")
    expect(pictures(page)).to_have_count(12)
    expect(pictures(page).first).to_have_attribute("aria-label", "picture 13")


# What a server says that has a cache of answers, and a filter of pictures.
FILTERED = """
const real = fetch;
window.fetch = async (path, options) => {
    const answer = await real(path, options);
    if (!path.startsWith("/api/v1/jobs?")) return answer;
    const jobs = await answer.json();
    for (const job of jobs) {
        job.cached = job.prompt === "picture 13";
        const allowed = job.prompt !== "picture 12";
        for (const picture of job.pictures) picture.safety = { allowed, reason: allowed ? null : "it shows a circle" };
    }
    return Response.json(jobs);
};
"""


def tells_what_became_of_a_picture(page: Page, url: str) -> None:
    other = page.context.new_page()
    other.add_init_script(FILTERED)
    opened(other, url, "mock")
    cards = other.locator("#gallery .card")
    expect(cards.nth(0)).to_contain_text("from the cache")
    expect(cards.nth(0).locator("img")).to_have_attribute("src", re.compile("^blob:"))
    expect(cards.nth(1)).to_contain_text("Not shown: it shows a circle")
    expect(cards.nth(1).locator("img")).to_have_count(0)
    other.close()


def sees_what_others_do(page: Page, url: str) -> None:
    job = submit(url, prompt="of somebody else")
    expect(page.locator(f'.card[data-job="{job}"]')).to_have_count(1, timeout=SLOW)
    failed = submit(url, prompt="one that fails", extra_sample_args="mock.fault=decode")
    card = page.locator(f'.card[data-job="{failed}"]')
    expect(card).to_contain_text("Failed: ", timeout=SLOW)
    # After a reload too.
    opened(page, url, "mock")
    expect(card).to_contain_text("one that fails")
    expect(card.locator(".why")).to_contain_text("decod")
    field(page, "Prompt").fill("mine")
    button(page, "Draw").click()
    expect(page.locator("#state")).to_have_text("done: mine", timeout=SLOW)
