// What people do on the live page: forms that are saved where they stand, a sound and a notification on the first ring,
// and keys. Without scripts the same forms go to pages of their own.
(() => {
  "use strict";

  // While somebody writes, what comes from the box must not change the form under their hands: it is skipped until it
  // is saved. The box tells them if somebody else was faster.
  const keep = (form) => form.setAttribute("hx-morph-skip", "");
  const release = (form) => form.removeAttribute("hx-morph-skip");
  document.addEventListener("input", ({ target }) => {
    const form = target.closest?.("form.write[data-live]");
    if (form) keep(form);
  });

  const say = (form, words, bad) => {
    const said = form.querySelector(".said");
    if (!said) return;
    said.textContent = words;
    said.classList.toggle("bad", Boolean(bad));
  };
  const send = async (form, order) => {
    const body = new URLSearchParams(new FormData(form));
    body.set("do", order);
    let answer;
    try {
      answer = await fetch(form.action, { method: "POST", headers: { Accept: "application/json" }, body });
    } catch {
      return say(form, "Not saved: no connection to the box", true);
    }
    if (answer.ok) {
      release(form);
      const note = form.elements.note;
      if (note) {
        form.elements.note_was.value = note.value;
        say(form, "Saved");
      } else say(form, "");
      return undefined;
    }
    const why = await answer.json().catch(() => ({ title: "the box did not take it" }));
    const theirs = why.call?.handling?.note ?? "";
    if (why.code === "note_changed" && form.elements.note) {
      form.elements.note_was.value = theirs;
      return say(form, `Somebody else wrote: “${theirs}”. Save again to replace it.`, true);
    }
    if (why.code === "claimed" && confirm(`${why.title}?`)) return send(form, "take_over");
    return say(form, `${why.title}.`, true);
  };
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.matches("form[data-live]")) return;
    event.preventDefault();
    const button = event.submitter;
    if (button?.dataset.confirm && !confirm(button.dataset.confirm)) return;
    send(form, button?.value ?? "save");
  });

  const page = () => document.getElementById("mute");
  const remembered = (name) => {
    try {
      return localStorage.getItem(name);
    } catch {
      return null;
    }
  };
  const remember = (name, value) => {
    try {
      localStorage.setItem(name, value);
    } catch {
      // A browser that keeps nothing asks again next time.
    }
  };

  // Two notes, as a door bell. Browsers let a page sound only after somebody has touched it.
  let audio;
  const isMuted = () => remembered("ringside.muted") === "yes";
  const wake = () => {
    if (!page() || isMuted()) return;
    audio ??= new AudioContext();
    if (audio.state === "suspended") audio.resume();
  };
  const chime = () => {
    if (isMuted() || audio?.state !== "running") return;
    [784, 622].forEach((hertz, index) => {
      const at = audio.currentTime + index * 0.22;
      const [tone, volume] = [audio.createOscillator(), audio.createGain()];
      tone.frequency.value = hertz;
      volume.gain.setValueAtTime(0.0001, at);
      volume.gain.exponentialRampToValueAtTime(0.25, at + 0.02);
      volume.gain.exponentialRampToValueAtTime(0.0001, at + 0.5);
      tone.connect(volume).connect(audio.destination);
      tone.start(at);
      tone.stop(at + 0.55);
    });
  };
  const showMute = () => {
    const button = page();
    if (!button) return;
    button.hidden = false;
    button.setAttribute("aria-pressed", String(isMuted()));
    button.textContent = isMuted() ? "Sound off" : "Sound on";
  };
  const mute = () => {
    remember("ringside.muted", isMuted() ? "no" : "yes");
    showMute();
    wake();
  };
  const showNotify = () => {
    const button = document.getElementById("notify");
    const can = "Notification" in window && window.isSecureContext && Notification.permission === "default";
    if (button) button.hidden = !can;
  };
  const notify = (bubble) => {
    if (!("Notification" in window) || Notification.permission !== "granted" || !document.hidden) return;
    const title = bubble.querySelector(".campaign")?.textContent ?? "A call";
    const body = bubble.querySelector(".caller")?.textContent ?? "";
    const note = new Notification(title, { body, tag: bubble.id });
    note.onclick = () => window.focus();
    setTimeout(() => note.close(), 20000);
  };

  // A call is told of once, from its first ring; what rings already when the page opens is told of as well.
  const told = new Set();
  const lookForRings = () => {
    if (!page()) return;
    for (const bubble of document.querySelectorAll(".bubble.ringing")) {
      if (told.has(bubble.id)) continue;
      told.add(bubble.id);
      chime();
      notify(bubble);
    }
  };
  document.addEventListener("htmx:after:swap", lookForRings);

  // Keys, unless somebody writes or has turned them off.
  const bubbles = () => [...document.querySelectorAll(".bubble")];
  const current = () => document.activeElement?.closest?.(".bubble") ?? bubbles()[0];
  const step = (by) => {
    const all = bubbles();
    if (all.length === 0) return;
    const at = all.indexOf(document.activeElement?.closest?.(".bubble"));
    const next = at < 0 ? 0 : (at + by + all.length) % all.length;
    all[next].focus();
  };
  const press = (orders) => {
    for (const order of orders) {
      const button = current()?.querySelector(`button[value="${order}"]`);
      if (button) return button.click();
    }
    return undefined;
  };
  const help = () => document.getElementById("keys")?.showModal();
  const actions = {
    j: () => step(1),
    k: () => step(-1),
    c: () => press(["claim", "take_over"]),
    p: () => press(["pause", "resume"]),
    n: () => current()?.querySelector("textarea")?.focus(),
    m: mute,
    "?": help,
  };
  document.addEventListener("keydown", (event) => {
    wake();
    if (!page() || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest?.("input, textarea, select, dialog")) {
      if (event.key === "Escape") event.target.blur?.();
      return;
    }
    const action = actions[event.key.toLowerCase()];
    if (!action || (event.key !== "?" && remembered("ringside.keys") === "off")) return;
    event.preventDefault();
    action();
  });
  document.addEventListener("pointerdown", wake);

  document.addEventListener("DOMContentLoaded", () => {
    if (!page()) return;
    showMute();
    showNotify();
    page().addEventListener("click", mute);
    document.getElementById("notify").addEventListener("click", async () => {
      await Notification.requestPermission();
      showNotify();
    });
    const dialog = document.getElementById("keys");
    if (dialog) {
      const open = document.getElementById("keys-open");
      open.hidden = false;
      open.addEventListener("click", help);
      document.getElementById("keys-close").addEventListener("click", () => dialog.close());
      const on = document.getElementById("keys-on");
      on.checked = remembered("ringside.keys") !== "off";
      on.addEventListener("change", () => remember("ringside.keys", on.checked ? "on" : "off"));
    }
    lookForRings();
  });
})();
