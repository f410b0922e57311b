// Keeps a page up to date: the server says "version n of X", and this fetches the parts that have changed.
// Without it, every page works: links, forms, and reloading.

const AT_MOST_EVERY = 1000; // milliseconds between two rounds
const main = document.querySelector("main");
const status = document.querySelector("#connection");
const parts = [...document.querySelectorAll("[data-part]")];
const WORDS = {
  lost: "The connection to the page's server is lost. It is tried again.",
  away: "Redis does not answer. What you see may be old; it is tried again.",
};

let seen = null; // the version that the page shows
let wanted = null; // the newest version that the server has told
let tags = null; // of each part of it, by address; null: not told, so ask for all
let last = 0; // when the last round began
let waiting = null;
const leaving = new AbortController(); // a form leads away: what is asked after it may be refused

function say(word) {
  status.hidden = !word;
  status.textContent = word ? WORDS[word] : "";
}

function localise(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    const moment = new Date(time.dateTime);
    if (isNaN(moment)) continue;
    time.title = time.textContent;
    time.textContent = moment.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
  }
}

// What a reader has opened, focused or scrolled stays as it is.
function replace(part, html) {
  const opened = new Set([...part.querySelectorAll("details[open]")].map((each) => each.querySelector("summary")?.textContent));
  const scrolled = [...part.querySelectorAll(".scroll")].map((each) => [each.scrollLeft, each.scrollTop]);
  const focused = part.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
  part.innerHTML = html;
  for (const each of part.querySelectorAll("details"))
    if (opened.has(each.querySelector("summary")?.textContent)) each.open = true;
  [...part.querySelectorAll(".scroll")].forEach((each, place) => {
    if (scrolled[place]) [each.scrollLeft, each.scrollTop] = scrolled[place];
  });
  if (focused) part.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus();
  localise(part);
}

async function fetchPart(part) {
  const answer = await fetch(part.dataset.part, { headers: { "If-None-Match": `"${part.dataset.tag}"` }, cache: "no-store", signal: leaving.signal });
  if (answer.status === 401) return location.reload(); // the session has ended: the server asks for a login
  if (answer.status !== 200) return answer.status === 304;
  replace(part, await answer.text());
  part.dataset.tag = answer.headers.get("ETag").replaceAll('"', "");
  return true;
}

async function refresh() {
  waiting = null;
  if (document.hidden || leaving.signal.aborted) return; // until somebody looks again
  last = Date.now();
  const [target, now] = [wanted, tags];
  try {
    const done = [];
    for (const part of parts) if (now?.[part.dataset.part] !== part.dataset.tag) done.push(await fetchPart(part));
    if (done.every(Boolean)) seen = target;
  } catch {
    if (leaving.signal.aborted) return;
    say("lost");
  }
  if (seen !== wanted) schedule();
}

function schedule() {
  if (waiting === null && seen !== wanted)
    waiting = setTimeout(refresh, Math.max(0, last + AT_MOST_EVERY - Date.now()));
}

function listen(subject) {
  const source = new EventSource(`/events?of=${encodeURIComponent(subject)}`);
  source.onmessage = (event) => {
    const told = JSON.parse(event.data);
    say(told.away ? "away" : "");
    [wanted, tags] = [told.version, told.parts];
    schedule();
  };
  source.onerror = () => {
    if (leaving.signal.aborted) return;
    say("lost");
    // A browser gives up where the answer is an error, such as that of a server that starts.
    if (source.readyState === EventSource.CLOSED) setTimeout(listen, 5000, subject);
  };
  source.onopen = () => say("");
  leaving.signal.addEventListener("abort", () => source.close());
  addEventListener("pagehide", () => source.close(), { once: true });
}

localise(document);
document.addEventListener("visibilitychange", schedule);
addEventListener("submit", () => leaving.abort());
addEventListener("pageshow", (event) => event.persisted && location.reload());
if (main?.dataset.live && parts.length) listen(main.dataset.live);
