// What pages gain by script; each works without it. Nothing here asks anything of another site.
"use strict";

// Times, in the reader's own zone. UTC stays to hover over.
const moment = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
for (const time of document.querySelectorAll("time[title]:not(.age)")) {
  const at = new Date(time.dateTime);
  if (!Number.isNaN(at.valueOf())) time.textContent = moment.format(at);
}

// A form is sent once.
for (const form of document.querySelectorAll("form[method=post]")) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "yes";
  });
}
// Going back shows the page as it was left, ready to send again.
addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
});

// A region that does not scroll needs no stop of the keyboard.
const regions = document.querySelectorAll(".scroll");
const stops = () => {
  for (const region of regions) {
    if (region.scrollWidth > region.clientWidth || region.scrollHeight > region.clientHeight) region.tabIndex = 0;
    else region.removeAttribute("tabindex");
  }
};
stops();
addEventListener("resize", stops);

// A box that checks those of its group.
for (const all of document.querySelectorAll("input[data-checks]")) {
  const group = () => document.querySelectorAll(`input[type=checkbox][name="${CSS.escape(all.dataset.checks)}"]`);
  all.closest("[hidden]")?.removeAttribute("hidden");
  all.addEventListener("change", () => {
    for (const box of group()) box.checked = all.checked;
  });
}

// A page that waits for something looks again, until what it waits for is there.
const waiting = document.querySelector("[data-waits]");
if (waiting) {
  const look = async () => {
    if (document.hidden) return setTimeout(look, 2000);
    try {
      // A window that nobody looks after must not keep its session from ending: this is no use of it.
      const headers = { "Poundlock-Waiting": "yes" };
      const answer = await fetch(location.href, { credentials: "same-origin", redirect: "error", headers });
      if (!answer.ok) return;
      const now = new DOMParser().parseFromString(await answer.text(), "text/html");
      const next = now.querySelector("[data-waits]");
      if (!next || next.dataset.waits !== waiting.dataset.waits) return location.reload();
    } catch {
      // The node does not answer at the moment; it may again.
    }
    setTimeout(look, 2000);
  };
  setTimeout(look, 1500);
}

// What somebody has seen does not stay on the screen when their session is over: they have signed out in another window, or
// have left all windows alone for so long that the node has ended it.
const header = document.querySelector("header.top");
if (header) {
  const windows = new BroadcastChannel("session");
  const seconds = header.dataset.sessionSeconds;
  if (seconds) {
    const leave = () => location.replace(`/sign-in?next=${encodeURIComponent(location.pathname + location.search)}`);
    let end;
    const used = () => {
      clearTimeout(end);
      end = setTimeout(leave, (Number(seconds) + 5) * 1000);
    };
    windows.onmessage = ({ data }) => (data === "used" ? used() : leave());
    windows.postMessage("used");
    used();
    // A page that is shown again by going back is asked for again: it may be nobody's to see any more.
    addEventListener("pageshow", (event) => event.persisted && location.reload());
  } else {
    windows.postMessage("left");
  }
}
