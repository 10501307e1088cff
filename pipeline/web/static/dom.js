// Small helpers. Text from the server is only ever put in as text, or comes as a fragment that
// the server has escaped.

export function element(name, text, attributes = {}) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

export function toast(text, action, act) {
  const box = element("p", undefined, { class: "toast" });
  box.append(element("span", text));
  if (action) {
    const button = element("button", action, { type: "button" });
    button.addEventListener("click", () => { box.remove(); act(); });
    box.append(button);
  }
  const toasts = document.getElementById("toasts");
  toasts.replaceChildren(box);
  setTimeout(() => box.remove(), 8000);
}

// The event that keys are about: the open one, the chosen card, or the one that has the focus.
export function current() {
  return document.querySelector("[data-whole]")
    ?? document.activeElement?.closest("[data-event]")
    ?? null;
}

export async function fragment(path) {
  const answer = await fetch(path, { headers: { accept: "text/html" } });
  if (answer.status === 404) return null;
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  return page;
}
