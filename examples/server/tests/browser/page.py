"""Drives the page in Chromium: URL of a service with the demo model, one of a service that draws patterns and has a
key, a folder for screenshots, and Chromium's path."""

import sys
import time
from pathlib import Path

import drawing
import gallery
import looks
import over
from playwright.sync_api import Page, sync_playwright
from steps import opened, unfold

URL, PATTERNS, SHOTS = sys.argv[1], sys.argv[2], Path(sys.argv[3])
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
             "--disable-component-update", "--disable-sync"]
begin = time.monotonic()
problems = []


def watched(page: Page) -> Page:
    """Errors of its scripts and of the policy for its contents are told."""
    page.on("pageerror", lambda error: problems.append(str(error)))
    # An answer of 400 is an error to the browser's console, and is the server's to tell.
    page.on("console", lambda line: problems.append(line.text)
            if line.type == "error" and "Failed to load resource" not in line.text else None)
    return page


def done(what: str) -> None:
    assert problems == [], (what, problems)
    print(f"{time.monotonic() - begin:6.1f} s {what}", flush=True)


with sync_playwright() as playwright:
    browser = playwright.chromium.launch(executable_path=sys.argv[4], args=ARGUMENTS)
    context = browser.new_context(viewport={"width": 1200, "height": 900})
    page = opened(watched(context.new_page()), URL)
    looks.in_both_schemes(page, "first", SHOTS)
    drawing.draws_a_picture(page)
    looks.in_both_schemes(page, "drawn", SHOTS)
    done("draws")
    drawing.cancels(page)
    drawing.queues(page, context, URL, SHOTS)
    done("cancels, and queues")
    over.repaints(page, SHOTS)
    looks.in_both_schemes(page, "brush", SHOTS, page.locator("#stage"))
    over.brush_by_keyboard(page)
    done("repaints")
    over.continues_by_dragging(page, SHOTS)
    looks.in_both_schemes(page, "handles", SHOTS, page.locator("#stage"))
    over.continues_by_keys(page)
    over.is_dropped_and_pasted(page)
    done("continues")
    drawing.second_pass(page)
    drawing.loras(page)
    drawing.small_helps(page)
    drawing.by_keyboard_alone(page)
    drawing.wrong_fields_are_shown_where_they_are_folded_away(page)
    drawing.is_refused(page)
    looks.in_both_schemes(page, "error", SHOTS)
    drawing.draws_after_a_refusal(page)
    drawing.remembers(page, URL)
    done("settings and errors")

    context = browser.new_context(viewport={"width": 360, "height": 740}, has_touch=True)
    phone = opened(watched(context.new_page()), URL)
    looks.in_both_schemes(phone, "phone", SHOTS)
    over.continues_by_touch(phone)
    looks.in_both_schemes(phone, "phone-handles", SHOTS, phone.locator("#stage"))
    unfold(phone, "More settings")
    phone.get_by_label("Hires fix").check()
    looks.in_both_schemes(phone, "phone-settings", SHOTS, phone.locator("#hires-options"))
    looks.in_both_schemes(phone, "phone-pictures", SHOTS, phone.locator(".card").nth(1))
    done("phone")

    context = browser.new_context(viewport={"width": 1200, "height": 900})
    page = watched(context.new_page())
    gallery.asks_for_the_key(page, PATTERNS)
    gallery.shows_more(page, PATTERNS)
    gallery.opens_in_full_size(page, SHOTS)
    gallery.deletes(page, PATTERNS)
    gallery.tells_what_became_of_a_picture(page, PATTERNS)
    gallery.sees_what_others_do(page, PATTERNS)
    looks.in_both_schemes(page, "gallery", SHOTS)
    done("gallery")
    browser.close()
print("the page", "works")
