"""openai, unmodified and with the retries it has by default, against a service with a time limit of a few
seconds: host and port are the arguments. What was cancelled, or took too long, is not asked for again."""

import json
import sys
import threading
import time
import urllib.request

import openai

service = f"http://{sys.argv[1]}:{sys.argv[2]}"
client = openai.OpenAI(base_url=f"{service}/v1", api_key="unused")
assert client.max_retries > 0


def ask(path, method="GET"):
    with urllib.request.urlopen(urllib.request.Request(service + path, method=method)) as answer:
        return json.load(answer)


def draw(prompt, ended):
    try:
        ended.append(client.images.generate(prompt=prompt, size="512x512", n=32))
    except openai.APIStatusError as error:
        ended.append(error)


def jobs(known):
    return [job for job in ask("/api/v1/jobs") if job["id"] not in known]


for prompt, cancels, status in [("cancelled", True, 409), ("late", False, 408)]:
    known = {job["id"] for job in ask("/api/v1/jobs")}
    ended = []
    thread = threading.Thread(target=draw, args=(prompt, ended))
    thread.start()
    if cancels:
        while not any(job["status"] == "running" for job in jobs(known)):
            assert thread.is_alive(), ended
            time.sleep(0.01)
        ask(f"/api/v1/jobs/{jobs(known)[0]['id']}", "DELETE")
    thread.join(60)
    assert ended and ended[0].status_code == status, ended
    # A retry would have come by now: the first waits for half a second.
    time.sleep(1.5)
    assert len(jobs(known)) == 1, [job["status"] for job in jobs(known)]
print("openai-retry", "works")
