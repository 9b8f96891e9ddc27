// Sends a form once: a second press while the first is under way would spend the same login step again.
"use strict";
const submitButtons = document.querySelectorAll("form[data-submit-once] button");

function setDisabled(disabled) {
  for (const button of submitButtons) button.disabled = disabled;
}

for (const form of document.querySelectorAll("form[data-submit-once]")) {
  form.addEventListener("submit", () => {
    setDisabled(true);
    // If the page is still here then, the answer did not come or was stopped.
    setTimeout(setDisabled, 15000, false);
  });
}

// The back button may bring this page back as it was left.
window.addEventListener("pageshow", () => setDisabled(false));
