// Keys for the Compare page. Each vote button ends with its key in brackets; Escape stops the answers.
(() => {
  const buttonFor = (key) => {
    if (key === "Escape") return document.getElementById("stop");
    const votes = [...document.querySelectorAll(".votes button")];
    return votes.find((button) => button.textContent.trim().endsWith(`(${key.toLowerCase()})`));
  };
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest?.("input, textarea, select, [contenteditable=true]");
    if (event.ctrlKey || event.metaKey || event.altKey || (typing && event.key !== "Escape")) return;
    const button = buttonFor(event.key);
    if (button && !button.disabled) {
      event.preventDefault();
      button.click();
    }
  });
  // Four live regions at ten updates a second would bury a screen reader; the status line says what matters.
  const quieten = () =>
    document.querySelectorAll('.panes [aria-live="polite"]').forEach((pane) => pane.setAttribute("aria-live", "off"));
  new MutationObserver(quieten).observe(document, { childList: true, subtree: true });
})();
