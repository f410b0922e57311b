// Keeps a page up to date: the server says "version n of X", and this fetches the parts that have changed. A form is
// sent when the server can take it. Without this script every page works: links, forms, and reloading.

const AT_MOST_EVERY = 1000; // milliseconds between two rounds
const TRY_AGAIN = 2000; // milliseconds until a server that did not answer is asked again
const PATIENCE = 5000; // milliseconds for a server to say whether it can take a form
const main = document.querySelector("main");
const status = document.querySelector("#connection");
const parts = [...document.querySelectorAll("[data-part]")];
const WORDS = {
  lost: "The connection to the page's server is lost. It is tried again.",
  away: "Redis does not answer. What you see may be old; it is tried again.",
  unsent: "Nothing was sent, because the server does not answer. What you wrote is still here. It is tried again.",
  back: "The server answers again. Nothing was sent yet: press the button again.",
  ended: "Nothing was sent, because your session has ended. Log in in another window, then press the button again.",
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
  status.dataset.word = word;
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
    if (source.readyState === EventSource.CLOSED) setTimeout(listenAgain, TRY_AGAIN, subject);
  };
  source.onopen = () => say("");
  leaving.signal.addEventListener("abort", () => source.close());
  addEventListener("pagehide", () => source.close(), { once: true });
}

// A browser gives up where the answer is an error, such as that of a server that starts, or of a session that has ended.
async function listenAgain(subject) {
  if ((await askSession()) === 401) return location.reload(); // the server asks for a login
  listen(subject);
}

// The status of the session: 204, 401 without one, 503 if Redis does not answer; 0 if nobody does.
async function askSession() {
  try {
    return (await fetch("/session", { cache: "no-store", signal: AbortSignal.timeout(PATIENCE) })).status;
  } catch {
    return 0;
  }
}

let sending = false;

async function send(form) {
  if (sending) return;
  sending = true;
  const told = await askSession();
  if (told === 204) {
    leaving.abort();
    return HTMLFormElement.prototype.submit.call(form);
  }
  sending = false;
  say(told === 401 ? "ended" : "unsent");
  status.scrollIntoView({ block: "nearest" });
  if (told !== 401) setTimeout(tellWhenBack, TRY_AGAIN);
}

async function tellWhenBack() {
  if (sending || leaving.signal.aborted) return;
  if ((await askSession()) === 204) say("back");
  else setTimeout(tellWhenBack, TRY_AGAIN);
}

localise(document);
document.addEventListener("visibilitychange", schedule);
addEventListener("submit", (event) => {
  if (!event.target.elements.token) return leaving.abort(); // it changes nothing, or logs in
  event.preventDefault();
  send(event.target);
});
addEventListener("pageshow", (event) => event.persisted && location.reload());
if (main?.dataset.live && parts.length) listen(main.dataset.live);
