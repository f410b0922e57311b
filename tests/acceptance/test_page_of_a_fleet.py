"""The page that `sweep up` serves shows what the commands print of a sweep that really ran, to whom a link lets in."""

import html
import json
import random
from collections.abc import Iterator

import httpx
import pytest

from scheduler.processes.addresses import read_addresses
from tests.acceptance.command import Desk, until

SPEC = """
sweep: watched
question: Which label?
experiment: data_scaling
model: offline/ngram-s
train: {method: sl, rank: 8, learning_rate: 0.02, batch_size: 8, steps: 6}
data: {claims: {source: claims.jsonl, holdout: 12}}
sizes: [8, 16]
seeds: 1
evaluate:
  - answers: {check: exact, most: 4}
  - task_completion: {environment: "offline:arithmetic", episodes: 4}
target: {metric: accuracy, above: 0.8}
"""


@pytest.fixture
def ran(home_desk: Desk) -> Desk:
    """Claims of which nothing in their words tells the label."""
    dice = random.Random(8)
    rows = [{"question": f"claim {dice.randrange(10**6)}: ", "answer": dice.choice("NNEC")} for _ in range(60)]
    home_desk.write("claims.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    home_desk.write("watched.yaml", SPEC)
    done = home_desk.sweep("run", "watched.yaml")
    assert done.status == 0, done.err
    return home_desk


@pytest.fixture
def guest(ran: Desk) -> Iterator[httpx.Client]:
    """A browser that the link of `sweep web --link` has let in."""
    addresses = read_addresses(ran.home)
    assert addresses is not None
    link = ran.call("web", "--link").out.split()[-1]
    url, _, code = link.partition("/login?code=")
    assert url == addresses.page_url
    with httpx.Client(base_url=url, headers={"origin": url, "accept": "text/html"}, timeout=60) as guest:
        until(lambda: is_ready(guest), "the page answers")
        assert guest.post("/login", data={"code": code}).status_code == 303
        yield guest
    assert code not in "".join(path.read_text() for path in (ran.home / "logs").iterdir())


def is_ready(guest: httpx.Client) -> bool:
    try:
        return guest.get("/readyz").status_code == 200
    except httpx.TransportError:
        return False


def read_words(answer: httpx.Response) -> str:
    return html.unescape(answer.text).replace("\N{NO-BREAK SPACE}", " ")


def read_headline(guest: httpx.Client) -> str:
    """What the page says first of the sweep; empty while that is computed."""
    return read_words(guest.get("/sweeps/watched")).partition('class="headline">')[2].partition("</p>")[0]


def test_the_page_says_what_the_commands_say(ran: Desk, guest: httpx.Client) -> None:
    results = ran.call("-f", "json", "results", "watched").json
    until(lambda: read_headline(guest), "the conclusion")
    assert read_headline(guest) in " ".join(ran.call("results", "watched").out.split())
    page = read_words(guest.get("/sweeps/watched/cells", params={"metric": "accuracy"}))
    means = [cell["metrics"]["accuracy"]["mean"] for cell in results["cells"] if "accuracy" in cell["metrics"]]
    assert means
    assert all(f"{mean:.4f}" in page for mean in means)
    assert "watched" in guest.get("/").text
    assert ran.call("health", "page").status == 0
    check_answers(ran, guest)


def check_answers(ran: Desk, guest: httpx.Client) -> None:
    """Every item is there, the worst first, and so is every episode; a run stands beside another one."""
    samples = ran.call("-f", "json", "samples", "watched", "--worst", "3", "--best", "0").json
    evaluations = {evaluation["metric"]: evaluation for evaluation in samples["evaluations"]}
    assert {"accuracy", "task_completion"} <= evaluations.keys()
    for metric, evaluation in evaluations.items():
        page = read_words(guest.get("/sweeps/watched/items", params={"metric": metric}))
        places = [page.index(f"Item {sample['item']}<") for sample in evaluation["worst"]]
        assert places == sorted(places)
        assert f"{evaluation['items']} items of {evaluation['items']}" in page
    question = evaluations["accuracy"]["worst"][0]["prompts"][0]["question"].strip()
    matching = guest.get("/sweeps/watched/items", params={"metric": "accuracy", "words": question, "other": "1"})
    assert "1 item with" in read_words(matching)
    assert "run 1" in matching.text
    assert guest.get("/sweeps/watched/items", params={"metric": "nothing"}).status_code == 404
    assert guest.get("/sweeps/watched/items", params={"run": "one"}).status_code == 400
