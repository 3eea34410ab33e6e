// The part of the live page that HTML cannot do: placing what the stream brings, running timers, local times,
// the line's state, and seeking by a click into a waveform. Bundled behind htmx and its hx-sse extension.
(() => {
  "use strict";

  // "place": what is on the page is changed where it stands, what is new goes where its data-order says,
  // highest first.
  let api;
  const order = (element) => Number(element.dataset.order);
  const place = (list, item) => {
    const shown = document.getElementById(item.id);
    if (!shown) {
      const next = [...list.children].find((other) => order(other) < order(item));
      list.insertBefore(item, next ?? null);
      return item;
    }
    const fragment = document.createDocumentFragment();
    fragment.append(item);
    api.morph(shown, fragment, false);
    return shown;
  };
  htmx.registerExtension("ringside", {
    init: (internal) => {
      api = internal;
    },
    handle_swap: (style, target, fragment) =>
      style === "place" && [...fragment.children].map((item) => place(target, item)),
  });

  // Times are stored in UTC and read in the time zone of whoever looks.
  const clock = new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit" });
  const date = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });
  const localise = () => {
    for (const time of document.querySelectorAll("time[datetime]:not([data-local])")) {
      const format = "date" in time.dataset ? date : clock;
      time.textContent = format.format(new Date(time.dateTime));
      time.dataset.local = "";
    }
  };

  // A timer counts on from the milliseconds the box gave, so the clocks of box and browser need not agree.
  const bases = new WeakMap();
  const two = (number) => String(number).padStart(2, "0");
  const tick = () => {
    for (const timer of document.querySelectorAll(".timer[data-elapsed-ms]")) {
      const given = timer.dataset.elapsedMs;
      let base = bases.get(timer);
      if (base?.given !== given) {
        base = { given, since: Date.now() - Number(given) };
        bases.set(timer, base);
      }
      const seconds = Math.max(0, Math.floor((Date.now() - base.since) / 1000));
      const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60)];
      const head = hours ? `${hours}:${two(minutes % 60)}` : `${minutes}`;
      const text = `${head}:${two(seconds % 60)}`;
      if (timer.textContent !== text) timer.textContent = text;
    }
  };

  const refresh = () => {
    localise();
    tick();
  };
  document.addEventListener("DOMContentLoaded", refresh);
  document.addEventListener("htmx:after:swap", refresh);
  setInterval(tick, 500);

  // A page that silently shows yesterday's calls is worse than none: say whether the stream is up.
  const connection = (state, words) => {
    const sign = document.getElementById("connection");
    if (!sign || sign.dataset.state === state) return;
    sign.dataset.state = state;
    sign.textContent = words;
  };
  document.addEventListener("htmx:sse:after:message", () => connection("live", "Live"));
  for (const name of ["htmx:sse:error", "htmx:sse:close", "htmx:error"]) {
    document.addEventListener(name, () => connection("lost", "No connection to the box, trying again"));
  }
  document.addEventListener("htmx:sse:before:connection", ({ detail }) => {
    if (detail.connection.attempt > 0) connection("lost", "No connection to the box, trying again");
  });
  // The extension comes back by itself from a stream that broke, but not from one that never opened.
  const reopen = (event) => {
    if (event.target.id === "stream") setTimeout(() => htmx.trigger(event.target, "ringside:reconnect"), 2000);
  };
  for (const name of ["htmx:error", "htmx:response:error", "htmx:sse:close"]) {
    document.addEventListener(name, reopen);
  }

  // A click into a waveform plays from there; the line shows where the player is.
  const audioOf = (wave) => wave.closest(".player")?.querySelector("audio");
  document.addEventListener("click", (event) => {
    const wave = event.target.closest?.(".waveform");
    const audio = wave && audioOf(wave);
    if (!audio) return;
    const box = wave.getBoundingClientRect();
    const share = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
    audio.currentTime = (share * Number(wave.dataset.durationMs)) / 1000;
    audio.play();
  });
  const follow = ({ target }) => {
    const wave = target.closest?.(".player")?.querySelector(".waveform");
    if (!wave) return;
    const width = wave.viewBox.baseVal.width;
    const share = (target.currentTime * 1000) / Number(wave.dataset.durationMs);
    const x = (Math.min(1, share) * width).toFixed(2);
    wave.querySelector(".head").setAttribute("d", `M${x} 0v${wave.viewBox.baseVal.height}`);
    wave.classList.toggle("playing", target.currentTime > 0);
  };
  document.addEventListener("timeupdate", follow, true);
  document.addEventListener("seeking", follow, true);
  // One recording at a time.
  document.addEventListener(
    "play",
    ({ target }) => {
      for (const other of document.querySelectorAll("audio")) if (other !== target) other.pause();
    },
    true,
  );
})();
