import { toast } from "./dom.js";
import { moment } from "./player.js";

const done = []; // the ids of the marks made here, the newest last

export function connectMarks() {
  document.addEventListener("click", (happening) => {
    const button = happening.target.closest?.("[data-mark-as]");
    if (button) mark(button.closest("[data-event]"), button.dataset.markAs);
  });
}

// One after the other: an undo that follows a mark at once waits for its answer.
let turn = Promise.resolve();

export function mark(event, kind) {
  turn = turn.then(() => make(event, kind));
  return turn;
}

export function undo(id) {
  turn = turn.then(() => takeBack(id ?? done.at(-1)));
  return turn;
}

async function make(event, kind) {
  if (!event) return;
  if (kind === "missed") {
    await missed(event);
    return;
  }
  if (event.dataset.mark === kind) {
    await takeBack(Number(event.dataset.markId));
    return;
  }
  const made = await send("POST", "/api/v1/marks", { kind, event_id: event.dataset.event });
  if (made) {
    done.push(made.id);
    show(made);
    toast(`Marked ${kind}.`, "Undo", () => undo(made.id));
  }
}

async function missed(event) {
  const dialog = document.getElementById("missed");
  const at = moment(event.querySelector("[data-player]"));
  dialog.querySelector("[data-about]").textContent = at
    ? `At ${at.toLocaleTimeString()}, the moment of the clip that is shown.`
    : "At the time of this event. To name another moment, stop the clip there first.";
  const field = dialog.querySelector("input");
  field.value = "";
  dialog.showModal();
  field.focus();
  dialog.addEventListener("close", async () => {
    if (dialog.returnValue !== "save") return;
    const body = { kind: "missed", event_id: event.dataset.event };
    if (field.value.trim()) body.note = field.value.trim();
    if (at) body.at = at.toISOString();
    const made = await send("POST", "/api/v1/marks", body);
    if (made) {
      done.push(made.id);
      toast("Marked as missed.", "Undo", () => undo(made.id));
    }
  }, { once: true });
}

async function takeBack(id) {
  if (!id) {
    toast("There is nothing to undo here.");
    return;
  }
  const undone = await send("DELETE", `/api/v1/marks/${id}`);
  if (!undone) return;
  const at = done.indexOf(id);
  if (at >= 0) done.splice(at, 1);
  if (undone.event_id) {
    const now = await send("GET", `/api/v1/events/${encodeURIComponent(undone.event_id)}`);
    if (now) show(now.mark ?? { event_id: undone.event_id, kind: "", id: "" });
  }
  toast("Undone.");
}

// Marks come back by the live stream too, from other pages.
export async function marked(mark) {
  if (mark.kind === "missed" || !mark.event_id) return;
  if (mark.undone_at === null) {
    show(mark);
    return;
  }
  const now = await send("GET", `/api/v1/events/${encodeURIComponent(mark.event_id)}`);
  if (now) show(now.mark ?? { event_id: mark.event_id, kind: "", id: "" });
}

function show(mark) {
  for (const event of document.querySelectorAll("[data-event]")) {
    if (event.dataset.event !== mark.event_id) continue;
    event.dataset.mark = mark.kind;
    event.dataset.markId = mark.id;
    for (const button of event.querySelectorAll("[data-mark-as]")) {
      if (button.dataset.markAs === "missed") continue;
      button.setAttribute("aria-pressed", String(button.dataset.markAs === mark.kind));
    }
  }
}

async function send(method, path, body) {
  try {
    const answer = await fetch(path, {
      method,
      headers: body ? { "content-type": "application/json" } : {},
      body: body && JSON.stringify(body),
    });
    const said = await answer.json();
    if (answer.ok) return said;
    toast(said.detail ?? "That was refused.");
  } catch {
    toast("vigil cannot be reached; nothing was marked.");
  }
  return null;
}

