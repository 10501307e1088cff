// Clips: annotated or raw, at the same moment.
import { element } from "./dom.js";

export function connectPlayers(root) {
  for (const player of root.querySelectorAll("[data-player]")) {
    if (player.closest(".card")) cover(player);
    player.querySelector("[data-variant]")?.addEventListener("click", () => switchVariant(player));
  }
}

// In the list a clip is its picture until somebody plays it.
function cover(player) {
  const video = player.querySelector("video");
  if (!video || !video.paused || video.currentTime > 0) return;
  video.controls = false;
  const button = element("button", "▶", { type: "button", class: "play", "aria-label": "Play the clip" });
  button.addEventListener("click", () => video.play());
  video.after(button);
  video.addEventListener("play", () => {
    button.remove();
    video.controls = true;
    video.focus({ preventScroll: true });
  }, { once: true });
}

export function switchVariant(player) {
  const video = player.querySelector("video");
  const button = player.querySelector("[data-variant]");
  if (!video || !button) return;
  const annotated = button.getAttribute("aria-pressed") !== "true";
  const at = video.currentTime;
  const playing = !video.paused;
  button.setAttribute("aria-pressed", String(annotated));
  button.textContent = annotated ? "annotated" : "raw";
  video.src = annotated ? player.dataset.annotated : player.dataset.raw;
  video.addEventListener("loadedmetadata", () => {
    video.currentTime = at;
    if (playing) video.play();
  }, { once: true });
  video.load();
}

export function toggle(player) {
  const video = player?.querySelector("video");
  if (!video) return;
  if (video.paused) video.play();
  else video.pause();
}

// When the picture that is shown was taken, or null.
export function moment(player) {
  const video = player?.querySelector("video");
  if (!video || !player.dataset.start || !video.currentTime) return null;
  return new Date(new Date(player.dataset.start).getTime() + 1000 * video.currentTime);
}
