"use strict";

(() => {
  // Only the counts are replaced, so the focus stays where it is.
  const look = async () => {
    let wait = 2000;
    try {
      const answer = await fetch(location.href, {credentials: "same-origin"});
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const counts = page.getElementById("superoffice-progress");
      if (!counts || !page.querySelector("noscript")) return location.reload();
      document.getElementById("superoffice-progress").replaceWith(counts);
    } catch { wait = 10000; }
    setTimeout(look, wait);
  };
  setTimeout(look, 1000);
})();
