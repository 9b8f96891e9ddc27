// Sends a form once: a second press while the first is under way would spend the same login step again.
"use strict";
for (const form of document.querySelectorAll("form[data-submit-once]")) {
  const buttons = form.querySelectorAll("button");
  form.addEventListener("submit", () => {
    for (const button of buttons) button.disabled = true;
  });
  // The back button may bring this page back as it was left.
  window.addEventListener("pageshow", () => {
    for (const button of buttons) button.disabled = false;
  });
}
