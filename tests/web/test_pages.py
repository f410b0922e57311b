"""The pages show what the commands print, escape what people wrote, and say when they have changed."""

import html
import json
import re
import socket
from itertools import islice

import httpx
import pytest

from scheduler.processes.addresses import Addresses, hold_supervisor_lock, publish, withdraw
from scheduler.report_inputs import gather_inputs
from scheduler.state import views
from scheduler.state.service_series import note_requests, note_slots
from scheduler.state.states import StageState
from scheduler.state.workers import TickReport, name_process, report_scheduler
from sweeps.report.compose import compose_answer
from tests.scheduler.night import Night
from tests.scheduler.plans import scaling
from tests.support import wait_until
from tests.web.conftest import QUESTION, SPEC
from tests.web.served import Served

ESCAPED = QUESTION.replace("<", "&lt;").replace(">", "&gt;")


def test_home_lists_sweeps_with_counts_that_are_links_and_escapes_what_people_wrote(page: Served) -> None:
    with page.log_in() as guest:
        text = guest.get("/").text
    assert ESCAPED in text
    assert "<b>code" not in text
    counts = views.read_sweep(page.store, "half").counts
    assert counts[StageState.FAILED] == 1
    assert all(f"/sweeps/half/stages?state={state}" in text for state in counts)


def test_a_sweep_shows_each_cell_and_the_head_of_the_report(page: Served) -> None:
    with page.log_in() as guest:
        wait_until(lambda: ESCAPED in (text := guest.get("/sweeps/half").text) and "As of" in text, "the answer")
        text = guest.get("/sweeps/half").text
    cells = [cell for cell in views.read_cells(page.store, "half") if "nll" in cell["metrics"]]
    assert len(cells) == 2
    assert all(f">{cell['metrics']['nll']['mean']:.4f} " in text for cell in cells)
    report = compose_answer(gather_inputs(page.store, "half", 0))
    assert report.lines[0] in text
    assert all(notice in text for notice in report.notices)
    assert "the data is bad" in text


def test_a_part_is_sent_again_only_when_it_has_changed(page: Served, night: Night) -> None:
    night.submit(scaling("moving", [64], seeds=1), spec={**SPEC, "sweep": "moving"})
    with page.log_in() as guest:
        first = guest.get("/sweeps/moving/parts/cells")
        tag = {"if-none-match": first.headers["etag"]}
        assert guest.get("/sweeps/moving/parts/cells", headers=tag).status_code == 304
        night.do("train-n64s0", "moving")
        night.do("evaluate-n64s0", "moving", {"nll": 1.25})
        wait_until(lambda: guest.get("/sweeps/moving/parts/cells", headers=tag).status_code == 200, "cells are read")
        changed = guest.get("/sweeps/moving/parts/cells", headers=tag)
        plain = guest.get("/sweeps/moving/parts/cells", headers={"accept-encoding": "identity"})
    assert (changed.headers["content-encoding"], "content-encoding" in plain.headers) == ("gzip", False)
    assert changed.text == plain.text
    assert (first.status_code, changed.status_code) == (200, 200)
    assert "1.2500" in changed.text
    assert "1.2500" not in first.text


def test_who_listens_is_told_a_higher_number_when_a_sweep_changes(page: Served, night: Night) -> None:
    night.submit(scaling("listened", [128], seeds=1), spec={**SPEC, "sweep": "listened"})
    with page.log_in() as guest, guest.stream("GET", "/events", params={"of": "sweep:listened"}) as stream:
        lines = (json.loads(line.removeprefix("data: ")) for line in stream.iter_lines() if line.startswith("data: "))
        first = next(lines)
        night.do("train-n128s0", "listened")
        later = next(event for event in islice(lines, 20) if event["version"] > first["version"])
        tags = {url: guest.get(url).headers["etag"].strip('"') for url in later["parts"]}
    assert later == {"of": "sweep:listened", "version": later["version"], "away": False, "parts": tags}
    changed = {url.rpartition("/")[2] for url, tag in tags.items() if first["parts"][url] != tag}
    assert "progress" in changed
    assert "cells" not in changed


@pytest.mark.parametrize(
    "path", ["/sweeps/nowhere", "/sweeps/nowhere/report", "/sweeps/nowhere/parts/cells", "/parts/x"]
)
def test_what_is_not_there_is_not_found(page: Served, path: str) -> None:
    with page.log_in() as guest:
        assert guest.get(path).status_code == 404


def test_the_report_is_the_one_that_the_command_writes(page: Served) -> None:
    with page.log_in() as guest:
        saved = guest.get("/sweeps/half/report.html")
        shown = guest.get("/sweeps/half/report")
    assert saved.headers["content-disposition"] == 'attachment; filename="half-report.html"'
    report = compose_answer(gather_inputs(page.store, "half", 0))
    assert all(report.lines[0] in read_words(answer) for answer in (saved, shown))


def test_it_is_alive_by_itself_and_ready_with_redis_a_leader_and_a_worker(night_of_its_own: Served) -> None:
    store = night_of_its_own.store
    with night_of_its_own.open_guest() as guest:
        assert guest.get("/healthz").status_code == 200
        assert read_ready(guest) == (503, False, False)
        assert store.scripts.run("take_duty", name_process(), 60_000)
        report_scheduler(store.client, name_process(), TickReport(1, 0.1))
        assert read_ready(guest) == (503, True, False)
        store.report_worker("w1", threads=1, busy=0, ttl=60)
        assert read_ready(guest) == (200, True, True)


def read_words(answer: httpx.Response) -> str:
    """The text of a page, without what keeps lines together."""
    return html.unescape(answer.text).replace("\N{NO-BREAK SPACE}", " ")


def read_ready(guest: httpx.Client) -> tuple[int, bool, bool]:
    answer = guest.get("/readyz")
    return answer.status_code, answer.json()["leader"], answer.json()["worker"]


def test_a_run_shows_its_result_its_stages_and_why_each_attempt_ended(page: Served) -> None:
    rows = views.read_planned_rows(page.store, "half")
    numbers = {(row["cell"]["size"], row["seed"]): row["run"] for row in rows}
    with page.log_in() as guest:
        measured, failed = (guest.get(f"/sweeps/half/runs/{numbers[place]}") for place in ((8, 0), (32, 0)))
        assert guest.get("/sweeps/half/runs/999").status_code == 404
    assert all(text in measured.text for text in ("2.0000", "train-n8s0", "evaluate-n8s0", "running → succeeded"))
    assert "the data is bad" in failed.text


def test_counts_lead_to_the_stages_and_cells_to_their_runs(page: Served) -> None:
    with page.log_in() as guest:
        for state, count in views.read_sweep(page.store, "half").counts.items():
            stages = guest.get("/sweeps/half/stages", params={"state": state})
            assert stages.text.count('<th scope="row">') == count
        assert guest.get("/sweeps/half/stages", params={"state": "asleep"}).status_code == 404
        runs = guest.get("/sweeps/half/runs", params={"cell": 1})
        assert runs.text.count("/sweeps/half/runs/") == 2
        everything = guest.get("/sweeps/half/runs")
        assert everything.text.count("/sweeps/half/runs/") == len(views.read_planned_rows(page.store, "half"))


def test_the_fleet_names_its_workers(page: Served) -> None:
    page.store.report_worker("a-worker", threads=7, busy=3, ttl=60, host="here")
    with page.log_in() as guest:
        text = guest.get("/fleet").text
    page.store.forget_worker("a-worker")
    assert "a-worker" in text
    assert "3 of 7" in text


def test_the_fleet_says_when_flower_does_not_answer(page: Served) -> None:
    home, texts, tags = page.settings.home, list[str](), list[str]()
    with socket.create_server(("127.0.0.1", 0)) as flower, hold_supervisor_lock(home), page.log_in() as guest:
        url = f"http://127.0.0.1:{flower.getsockname()[1]}"
        publish(home, Addresses("", url, "user", "hunter2", 0, "a server"))
        for _ in range(2):
            part = guest.get("/fleet/part")
            texts.append(part.text)
            tags.append(part.headers["etag"])
            flower.close()
        withdraw(home)
    assert [f'href="{url}"' in text for text in texts] == [True, False]
    assert "does not answer" in texts[1]
    assert tags[0] != tags[1], "so an open page asks for it"
    assert "hunter2" not in "".join(texts)


def test_who_comes_back_sees_what_has_changed_meanwhile(page: Served, night: Night) -> None:
    night.submit(scaling("left", [1024], seeds=1), spec={**SPEC, "sweep": "left"})
    texts, numbers = [], []
    with page.log_in() as guest:
        for change in ("train-n1024s0", "evaluate-n1024s0"):
            with guest.stream("GET", "/events", params={"of": "sweep:left"}) as stream:
                line = next(line for line in stream.iter_lines() if line.startswith("data: "))
                numbers.append(json.loads(line.removeprefix("data: "))["version"])
                texts.append(guest.get("/sweeps/left/parts/cells").text)
            wait_until(lambda: page.watcher.find("sweep:left") is None, "nobody listens any more")
            night.do(change, "left", {"nll": 1.0625} if change.startswith("evaluate") else {})
        with guest.stream("GET", "/events", params={"of": "sweep:left"}) as stream:
            line = next(line for line in stream.iter_lines() if line.startswith("data: "))
            numbers.append(json.loads(line.removeprefix("data: "))["version"])
            texts.append(guest.get("/sweeps/left/parts/cells").text)
    assert numbers == sorted(set(numbers))
    assert ["1.0625" in text for text in texts] == [False, False, True]


def test_a_subject_that_is_not_there_is_no_outage(page: Served) -> None:
    with page.log_in() as guest:
        for subject in ("sweep:no", "run:x:half", "anything"):
            with guest.stream("GET", "/events", params={"of": subject}) as stream:
                line = next(line for line in stream.iter_lines() if line.startswith("data: "))
            assert json.loads(line.removeprefix("data: "))["away"] is False


def test_a_metric_that_tables_hide_can_be_chosen(page: Served, night: Night) -> None:
    night.submit(scaling("hiding", [96], seeds=1), spec={**SPEC, "sweep": "hiding", "metrics": [{"metric": "nll"}]})
    night.do("train-n96s0", "hiding")
    night.do("evaluate-n96s0", "hiding", {"nll": 1.0, "adaptive_ece": 0.3125})
    with page.log_in() as guest:
        shown = guest.get("/sweeps/hiding/cells").text
        chosen = guest.get("/sweeps/hiding/cells", params={"metric": "adaptive_ece"}).text
        runs = guest.get("/sweeps/hiding/runs", params={"metric": "adaptive_ece"}).text
    assert ("0.3125" in shown, "0.3125" in chosen) == (False, True)
    assert runs.index(">adaptive_ece</th>") < runs.index(">nll</th>")


def test_a_stage_leads_to_the_sweeps_and_runs_that_have_it(page: Served) -> None:
    runs = {row["seed"]: row["run"] for row in views.read_planned_rows(page.store, "half") if row["cell"]["size"] == 16}
    with page.log_in() as guest:
        text = guest.get("/stages/evaluate-n16s1").text
        base = guest.get("/stages/evaluate-base").text
        for unknown in ("train-nothing", "x", "train-..%2Fx"):
            assert guest.get(f"/stages/{unknown}").status_code == 404
    assert re.findall(r"/sweeps/half/runs/(\d+)", text) == [str(runs[1])]
    assert len(re.findall(r"/sweeps/half/runs/(\d+)", base)) == len(views.read_planned_rows(page.store, "half"))
    assert "running → succeeded" in text


def test_the_fleet_draws_slots_and_requests_of_the_last_day_and_lists_canaries(page: Served, night: Night) -> None:
    note_slots(page.store, "tinker", 5, 9, "closed")
    note_requests(page.store, "tinker", 1_234)
    row = "'at', 1, 'found', 'down', 'cause', 'no <answer>', 'breaker', 'open'"
    night.run_lua(f"write('XADD', PREFIX .. 'canaries:tinker', '*', {row})")
    with page.log_in() as guest:
        text = guest.get("/fleet").text
    assert "tinker: slots taken in the last day, at most 5" in text
    assert "offline: slots taken" not in text
    assert re.search(r"<h3>tinker: requests[^<]* 1,234</h3>", text)
    assert re.search(r">down</td><td>open</td><td>no &lt;answer&gt;</td>", text)
