import { current } from "./dom.js";
import { mark, undo } from "./marks.js";
import { switchVariant, toggle } from "./player.js";

const typing = "input, select, textarea, dialog *";

export function connectKeys() {
  const help = document.getElementById("keys");
  document.querySelector("[data-keys]")?.addEventListener("click", () => help.showModal());
  document.addEventListener("keydown", (key) => {
    if (key.ctrlKey || key.metaKey || key.altKey || key.target.matches?.(typing)) return;
    const act = actions[key.key];
    if (act && act(key) !== false) key.preventDefault();
  });
}

const actions = {
  j: () => move(1),
  k: () => move(-1),
  r: () => mark(chosen(), "real"),
  f: () => mark(chosen(), "false"),
  m: () => mark(chosen(), "missed"),
  u: () => undo(),
  a: () => { const player = chosen()?.querySelector("[data-player]"); if (player) switchVariant(player); },
  "?": () => document.getElementById("keys").showModal(),
  " ": (key) => {
    if (key.target.matches("button, a, video, summary")) return false;
    const event = current();
    if (!event) return false;
    toggle(event.querySelector("[data-player]"));
  },
  Enter: (key) => {
    if (!key.target.matches(".card")) return false;
    location.href = key.target.querySelector("h2 a").href;
  },
};

// Without a choice the newest event is meant.
function chosen() {
  return current() ?? document.querySelector(".card");
}

function move(step) {
  const cards = [...document.querySelectorAll(".card")];
  if (!cards.length) return false;
  const at = cards.indexOf(current());
  const next = at < 0 ? 0 : Math.min(cards.length - 1, Math.max(0, at + step));
  cards[next].focus({ preventScroll: true });
  cards[next].scrollIntoView({ block: "nearest" });
}
