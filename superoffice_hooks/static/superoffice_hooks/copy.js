"use strict";

(() => {
  const status = document.getElementById("superoffice-copied");

  // Without HTTPS a page has no clipboard, but what is selected can be copied.
  const copySelected = (element) => {
    const range = document.createRange();
    range.selectNodeContents(element);
    const selection = getSelection();
    selection.removeAllRanges();
    selection.addRange(range);
    return document.execCommand("copy");
  };

  const copy = async (element) => {
    try {
      await navigator.clipboard.writeText(element.textContent);
      return true;
    } catch {
      return copySelected(element);
    }
  };

  for (const button of document.querySelectorAll("[data-copies]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      status.textContent = "";
      const copied = await copy(document.getElementById(button.dataset.copies));
      const words = copied ? status.dataset.copied : status.dataset.failed;
      status.textContent = `${button.textContent}: ${words}`;
    });
  }
})();
