// What changes while the page is open, by server-sent events.
import { element, fragment } from "./dom.js";
import { marked } from "./marks.js";
import { connectPlayers } from "./player.js";

const list = document.getElementById("events");
const news = document.getElementById("news");
const waiting = new Map(); // cards that arrived while somebody was reading further down
const lost = document.getElementById("connection");
const LOST = lost.textContent;
const ENTER = "vigil does not know this browser any more; open the link that its terminal shows.";
const MOST_CARDS = 200; // of a list that is left open for weeks

// A browser opens six connections to a page at most: a tab that nobody sees gives its own back,
// and is told what it missed when it is looked at again.
let stream = null;
let seen = document.body.dataset.sequence;
let later;

export function follow() {
  if (seen === undefined) return; // a page that shows no events, such as one that does not exist
  news?.addEventListener("click", () => { arrive(); scrollTo({ top: 0 }); });
  addEventListener("pagehide", disconnect);
  addEventListener("pageshow", connect);
  document.addEventListener("visibilitychange", () => (document.hidden ? disconnect() : connect()));
  connect();
}

function connect() {
  clearTimeout(later);
  if (stream || document.hidden) return;
  stream = new EventSource(`/live?after=${encodeURIComponent(seen)}`);
  stream.addEventListener("open", () => { lost.hidden = true; });
  stream.addEventListener("error", broken);
  hear("event", changed);
  hear("cameras", cameras);
  hear("mark", marked);
  stream.addEventListener("reset", () => location.reload());
}

function disconnect() {
  clearTimeout(later);
  stream?.close();
  stream = null;
}

function hear(kind, act) {
  stream.addEventListener(kind, (message) => {
    seen = message.lastEventId;
    act(JSON.parse(message.data));
  });
}

// A connection that breaks is made again by the browser; one that was refused is not.
async function broken() {
  if (stream?.readyState === EventSource.CLOSED) {
    disconnect();
    later = setTimeout(connect, 5000);
    const answer = await fetch("/api/v1/cameras").catch(() => null);
    lost.textContent = answer?.status === 401 ? ENTER : LOST;
  }
  lost.hidden = false;
}

const turns = new Map(); // one after the other for each event, so that the newest version stays

function changed(event) {
  const turn = (turns.get(event.id) ?? Promise.resolve()).then(() => patiently(event));
  turns.set(event.id, turn);
  turn.then(() => { if (turns.get(event.id) === turn) turns.delete(event.id); });
}

async function patiently(event) {
  for (const pause of [1000, 4000, 16000]) {
    try {
      await refresh(event);
      return;
    } catch {
      await new Promise((done) => setTimeout(done, pause));
    }
  }
}

async function refresh(event) {
  const whole = document.querySelector("[data-whole]");
  if (whole) {
    if (whole.dataset.event === event.id) await refreshWhole(whole, event);
    return;
  }
  if (!list) return;
  const known = document.getElementById(`event-${event.id}`);
  if (!known && (list.dataset.live !== "true" || !wanted(event))) return;
  if (known && Number(known.dataset.version) >= event.version) return;
  const page = await fragment(`/events/${encodeURIComponent(event.id)}/card`);
  const card = page?.querySelector(".card");
  if (!card) return;
  if (known) replace(known, card);
  else if (scrollY > 200 || list.contains(document.activeElement)) {
    waiting.set(event.id, card);
    news.hidden = false;
    news.textContent = waiting.size === 1 ? "1 new event" : `${waiting.size} new events`;
  } else insert(card);
}

function wanted(event) {
  const filters = JSON.parse(list.dataset.filters);
  return ["camera", "rule", "state"].every((name) => !filters[name] || filters[name] === event[name]);
}

function insert(card) {
  card.classList.add("new");
  // Ids sort by time; an event that was told late still stands in its place.
  const after = [...list.children].find((other) => other.dataset.event < card.dataset.event);
  list.insertBefore(card, after ?? null);
  connectPlayers(card);
  document.getElementById("empty").hidden = true;
  trim();
}

// The oldest cards go, and "Older events" begins where the list ends then.
function trim() {
  if (list.children.length <= MOST_CARDS) return;
  while (list.children.length > MOST_CARDS) list.lastElementChild.remove();
  const older = document.getElementById("older");
  const link = older.querySelector("a");
  const to = new URL(link.href);
  to.searchParams.set("before", list.lastElementChild.dataset.event);
  link.href = to;
  older.hidden = false;
}

function arrive() {
  if (waiting.size > MOST_CARDS) {
    location.reload();
    return;
  }
  for (const card of waiting.values()) insert(card);
  waiting.clear();
  news.hidden = true;
}

// A clip that plays goes on: then only the words beside it change.
function replace(known, card) {
  const video = known.querySelector("video");
  const watching = video && (!video.paused || video.currentTime > 0);
  if (watching && !known.querySelector("[data-variant]") && card.querySelector("[data-variant]")) {
    offer(known.querySelector("[data-player]"), card.querySelector("[data-player]"));
  }
  const focused = known.contains(document.activeElement);
  exchange(known, card, watching);
  if (!watching) connectPlayers(card);
  if (focused) card.focus({ preventScroll: true });
}

// A player that is moved within the page goes on; one that has been elsewhere begins anew.
function exchange(known, fresh, watching) {
  known.before(fresh);
  if (watching) fresh.querySelector("[data-player]").replaceWith(known.querySelector("[data-player]"));
  known.remove();
}

// The annotated clip has come while the raw one is being watched.
function offer(player, fresh) {
  player.dataset.annotated = fresh.dataset.annotated;
  const button = element("button", "raw", {
    type: "button", class: "quiet", "data-variant": "", "aria-pressed": "false",
  });
  const caption = player.querySelector("figcaption") ?? player.appendChild(element("figcaption"));
  caption.prepend(button);
  connectPlayers(player.parentElement);
}

async function refreshWhole(whole, event) {
  if (Number(whole.dataset.version) >= event.version) return;
  const page = await fragment(`/events/${encodeURIComponent(event.id)}`);
  const fresh = page?.querySelector("[data-whole]");
  if (!fresh) return;
  const video = whole.querySelector("video");
  const watching = video && (!video.paused || video.currentTime > 0);
  fresh.querySelector("details").open = whole.querySelector("details").open;
  exchange(whole, fresh, watching);
  if (!watching) connectPlayers(fresh);
}

function cameras(all) {
  const bar = document.getElementById("cameras");
  if (!bar) return;
  bar.replaceChildren(...all.map((camera) => {
    const item = element("li", undefined, { "data-camera": camera.key, "data-state": camera.state });
    item.append(
      element("span", undefined, { class: "dot", "aria-hidden": "true" }),
      element("a", camera.name, { class: "name", href: `/cameras/${encodeURIComponent(camera.key)}` }), " ",
      element("span", camera.word, { class: "word" }),
    );
    if (camera.sentence) item.append(element("span", camera.sentence, { class: "sentence" }));
    return item;
  }));
}
