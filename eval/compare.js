// The Compare page: keys for its buttons, the board where answers are put in order, and what a rater filled in.
window.fourfold ??= {};
(() => {
  // Each button ends with its key in brackets; Escape stops the answers.
  const buttonFor = (key) => {
    if (key === "Escape") return document.getElementById("stop");
    const votes = [...document.querySelectorAll(".votes button")].filter((button) => button.offsetParent);
    return votes.find((button) => button.textContent.trim().endsWith(`(${key.toLowerCase()})`));
  };
  const chips = () => [...document.querySelectorAll(".ranking .chip")];
  const move = (chip, way) => {
    const place = chip.parentElement;
    const next = way === "up" ? place.previousElementSibling : place.nextElementSibling;
    if (place.children.length > 1) own(chip, place, way);
    else if (next) next.append(chip);
    tidy(chip);
  };
  // A place of its own, before or after another place.
  const own = (chip, place, way) => {
    const made = document.createElement("li");
    made.className = "place";
    made.append(chip);
    place[way === "up" ? "before" : "after"](made);
  };
  const tidy = (chip) => {
    document.querySelectorAll(".ranking .place").forEach((place) => {
      if (!place.children.length) place.remove();
      [...place.children].sort((a, b) => (a.dataset.panes < b.dataset.panes ? -1 : 1)).forEach((one) => place.append(one));
    });
    const places = [...document.querySelectorAll(".ranking .place")];
    const others = [...chip.parentElement.children].filter((one) => one !== chip).map((one) => one.innerText.trim()[0]);
    const tied = others.length ? `, tied with ${others.join(", ")}` : "";
    const name = chip.querySelector("b").textContent;
    document.querySelector(".ranking .said").textContent =
      `${name}: place ${places.indexOf(chip.parentElement) + 1} of ${places.length}${tied}`;
  };
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest?.("input, textarea, select, [contenteditable=true]");
    if (event.ctrlKey || event.metaKey || event.altKey || (typing && event.key !== "Escape")) return;
    const chip = event.target.closest?.(".ranking .chip");
    const way = { ArrowUp: "up", ArrowDown: "down" }[event.key];
    const chosen = chips().find((one) => one.dataset.panes.split(",").includes(String(event.key - 1)));
    const button = buttonFor(event.key);
    if (chip && way) {
      move(chip, way);
      chip.focus();
    } else if (chosen) chosen.focus();
    else if (button && !button.disabled) button.click();
    else return;
    event.preventDefault();
  });
  document.addEventListener("click", (event) => {
    const arrow = event.target.closest?.(".ranking button[data-move]");
    if (!arrow) return;
    move(arrow.closest(".chip"), arrow.dataset.move);
    arrow.focus();
  });
  // Dragging by pointer events, which fingers send too: into a place to tie, above or below it for a place of its own.
  let dragged = null;
  document.addEventListener("pointerdown", (event) => {
    if (event.target.closest?.("button")) return;
    dragged = event.target.closest?.(".ranking .chip");
    dragged?.classList.add("dragged");
  });
  const drop = (event) => {
    const chip = dragged;
    dragged = null;
    chip?.classList.remove("dragged");
    const places = chip && event.type === "pointerup" ? [...document.querySelectorAll(".ranking .place")] : [];
    if (!places.length) return;
    const boxes = places.map((place) => place.getBoundingClientRect());
    const row = boxes.findIndex((box) => event.clientY < box.bottom);
    if (row < 0) own(chip, places.at(-1), "down");
    else {
      const share = (event.clientY - boxes[row].top) / boxes[row].height;
      if (share < 0.25) own(chip, places[row], "up");
      else if (share > 0.75) own(chip, places[row], "down");
      else places[row].append(chip);
    }
    tidy(chip);
  };
  document.addEventListener("pointerup", drop);
  document.addEventListener("pointercancel", drop);

  const judged = (section) => {
    const given = { scores: {}, tags: [] };
    section.querySelectorAll("input:checked").forEach((input) => {
      const { part, id } = input.dataset;
      if (part === "tags") given.tags.push(input.value);
      else if (part === "scores" && input.value) given.scores[id] = Number(input.value);
      else if (part === "thumb") given.thumb = input.value;
    });
    section.querySelectorAll("textarea").forEach((area) => {
      if (area.value !== area.defaultValue) given[area.dataset.part] = area.value;
    });
    return given;
  };
  // All that a vote says beside its button, as JSON; see casting.py.
  window.fourfold.said = () => {
    const sections = [...document.querySelectorAll("#details [data-pane]")];
    const places = [...document.querySelectorAll(".ranking .place")].map((place) =>
      [...place.children].flatMap((chip) => chip.dataset.panes.split(",").map(Number)),
    );
    return JSON.stringify({ places, answers: Object.fromEntries(sections.map((one) => [one.dataset.pane, judged(one)])) });
  };
  // Four live regions at ten updates a second would bury a screen reader; the status line says what matters.
  const quieten = () =>
    document.querySelectorAll('.panes [aria-live="polite"]').forEach((pane) => pane.setAttribute("aria-live", "off"));
  new MutationObserver(quieten).observe(document, { childList: true, subtree: true });
})();
