"use strict";

// The preview follows the choice. It is a part of the same page, fetched again; without this script
// a button does that.
(() => {
  const LONGEST_URL = 4000;
  const form = document.getElementById("superoffice-replay");
  const button = form.elements.namedItem("preview");
  let running = null;

  const ask = () => {
    const data = new FormData(form);
    data.delete("reason");
    data.set("preview", "1");
    const url = new URL(form.action);
    for (const [name, value] of data) {
      if (name !== "csrfmiddlewaretoken") url.searchParams.append(name, value);
    }
    const options = {credentials: "same-origin", signal: running.signal};
    if (url.href.length <= LONGEST_URL) return fetch(url, options);
    // Many events that are named one by one.
    return fetch(form.action, {...options, method: "POST", body: new URLSearchParams(data)});
  };

  const follow = async () => {
    running?.abort();
    const mine = running = new AbortController();
    const old = document.getElementById("superoffice-preview");
    old.setAttribute("aria-busy", "true");
    try {
      const answer = await ask();
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const preview = page.getElementById("superoffice-preview");
      if (mine === running) old.replaceWith(preview);
    } catch {
      if (mine === running) button.click();
    }
  };

  button.hidden = true;
  form.addEventListener("change", (event) => {
    if (event.target.type === "checkbox") follow();
  });
})();
