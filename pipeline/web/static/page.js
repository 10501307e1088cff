import { follow } from "./live.js";
import { connectMarks } from "./marks.js";
import { connectPlayers } from "./player.js";
import { connectKeys } from "./keys.js";

connectPlayers(document);
connectMarks();
connectKeys();
follow();

// With scripts a filter applies at once.
const filters = document.querySelector(".filters");
if (filters) {
  filters.addEventListener("change", () => filters.requestSubmit());
  filters.querySelector("button").hidden = true;
}
