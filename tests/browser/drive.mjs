// Opens the live page of a running box in Debian's chromium and checks what a person would.
//
//   node drive.mjs http://127.0.0.1:8480 OUT_DIR
//
// What it needs to happen next it says on stdout as a line `next <what>`, for a runner that scripts the calls; a box
// with calls of its own may ignore that. It ends with a line `report <json>`, screenshots in OUT_DIR, and exit code 0,
// or with the first thing that is wrong and exit code 1.

import { strict as assert } from "node:assert";
import { spawn } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import axe from "axe-core";
import { chromium } from "playwright-core";

const [base, out = "."] = process.argv.slice(2);
const PATIENCE = { timeout: 20_000 };
const MAX_RUN_MS = 180_000;
const report = {};
const foreign = [];
const errors = [];

const next = (what) => console.log(`next ${what}`);
const started = Date.now();
const step = (what) => console.error(`${((Date.now() - started) / 1000).toFixed(1).padStart(6)} s  ${what}`);

// Everything that must stay silent: requests to elsewhere, errors in the console, answers of 400 and above.
const watch = (page) => {
  page.on("request", (request) => {
    if (!request.url().startsWith(base) && !request.url().startsWith("data:")) foreign.push(request.url());
  });
  page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("response", (response) => response.status() >= 400 && errors.push(`${response.status()} ${response.url()}`));
  return page;
};

const bubbleIds = (page) => page.$$eval(".bubble", (bubbles) => bubbles.map((bubble) => bubble.id));
const live = (page) => page.waitForSelector('#connection[data-state="live"]', PATIENCE);
const hasNewBubble = (page, known) =>
  page.waitForFunction(
    (known) => [...document.querySelectorAll(".bubble")].some((bubble) => !known.includes(bubble.id)),
    known,
    { ...PATIENCE, polling: 50 },
  );

// What is on the page, without what runs (timers) and what the player draws.
const content = (page) =>
  page.$$eval(".bubble, #calls tr", (items) =>
    items.map((item) => {
      const copy = item.cloneNode(true);
      for (const timer of copy.querySelectorAll(".timer")) timer.remove();
      return `${copy.id} ${copy.className} ${copy.textContent.replace(/\s+/g, " ").trim()}`;
    }),
  );

// Colours fade from one scheme to the other; half way they are neither.
const settled = (page) =>
  page.evaluate(async () => {
    await new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)));
    const fades = document.getAnimations().filter((animation) => animation instanceof CSSTransition);
    await Promise.allSettled(fades.map((fade) => fade.finished));
  });

const accessible = async (page, what) => {
  await settled(page);
  await page.evaluate(axe.source);
  const { violations, passes } = await page.evaluate(() => globalThis.axe.run());
  const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(" | ")}`);
  assert.deepEqual(found, [], `${what} has accessibility faults`);
  report.axe_passes = (report.axe_passes ?? 0) + passes.length;
};

const checkLivePage = async (context) => {
  step("an empty page says that nothing is going on");
  const page = watch(await context.newPage());
  await page.goto(base);
  await live(page);

  step("bubbles appear by themselves");
  next("calls");
  await page.waitForFunction(() => document.querySelectorAll(".bubble").length >= 4, null, PATIENCE);
  for (const state of ["ringing", "live", "ended"]) await page.waitForSelector(`.bubble.${state}`, PATIENCE);
  const words = await page.$$eval(".bubble .state-words", (all) => all.map((one) => one.textContent));
  assert(words.includes("Ringing") && words.includes("On the phone"), `states in words, not colour alone: ${words}`);
  assert.match(await page.title(), /^\d+ live(, \d+ ringing)? · ringside$/);
  assert(await page.$(".bubble.live .rec"), "REC is shown");
  const alarms = await page.$$eval(".bubble .alarm", (all) => all.map((one) => one.textContent));
  assert.deepEqual(alarms, ["The caller is not heard"]);
  assert((await page.textContent("#announcement")).length > 0, "a screen reader is told");

  step("the timer of a call runs");
  const timer = () => page.textContent(".bubble.live .timer");
  const before = await timer();
  await page.waitForFunction((was) => document.querySelector(".bubble.live .timer").textContent !== was, before, PATIENCE);

  step("the box itself is shown, in lamps and in words");
  const lamps = await page.$$eval("#panel .leds li", (all) => all.map((one) => one.textContent.trim()));
  assert(lamps.includes("net: green, flashing slowly"), `${lamps}`);
  const flashes = () => page.$eval(".lamp.slow", (lamp) => getComputedStyle(lamp).animationName);
  assert.equal(await flashes(), "lamp-half");
  await page.emulateMedia({ reducedMotion: "reduce" });
  assert.equal(await flashes(), "none", "nothing moves for who wants no motion");
  await page.emulateMedia({ reducedMotion: "no-preference" });
  next("hung-up");
  await page.waitForFunction(() => document.querySelector("#panel").textContent.includes("7 untracked calls"), null, PATIENCE);

  step("a reload shows the same");
  const shown = await content(page);
  const { length } = shown;
  await page.reload();
  await live(page);
  assert.deepEqual(await content(page), shown);
  assert(length >= 4);

  step("nobody is kept out");
  await accessible(page, "the live page");
  await page.screenshot({ path: `${out}/live.png`, fullPage: true });
  await page.emulateMedia({ colorScheme: "dark" });
  await accessible(page, "the dark live page");
  await page.screenshot({ path: `${out}/live-dark.png`, fullPage: true });
  await page.emulateMedia({ colorScheme: "light" });
  await page.setViewportSize({ width: 390, height: 844 });
  await accessible(page, "the narrow live page");
  await page.screenshot({ path: `${out}/live-narrow.png`, fullPage: true });
  await page.setViewportSize({ width: 1280, height: 800 });
  return page;
};

// The browser's own context has no focus emulation, so a tab behind another is really hidden.
const checkHiddenTab = async (context) => {
  step("a hidden tab goes on receiving");
  const page = watch(await context.newPage());
  await page.goto(base);
  await live(page);
  const front = await context.newPage();
  await front.bringToFront();
  await page.waitForFunction(() => document.hidden, null, { ...PATIENCE, polling: 100 });
  const known = await bubbleIds(page);
  const title = await page.title();
  next("hidden");
  await hasNewBubble(page, known);
  assert(await page.evaluate(() => document.hidden), "the tab was hidden all the time");
  assert.notEqual(await page.title(), title, "its title counts the new call");
  await front.close();
  await page.close();
};

const checkEndedCall = async (page) => {
  step("a call that ends becomes a row of the table");
  const rows = await page.$$eval("#calls tr", (all) => all.map((row) => row.id));
  const calls = await page.textContent("#summary dd");
  next("end");
  await page.waitForFunction(
    (known) => [...document.querySelectorAll("#calls tr")].some((row) => !known.includes(row.id)),
    rows,
    PATIENCE,
  );
  const first = await page.$eval("#calls tr", (row) => row.id);
  assert(!rows.includes(first), "the newest call is on top");
  assert.equal(Number(await page.textContent("#summary dd")), Number(calls) + 1, "and is counted");
};

const checkPlayer = async (page) => {
  const wave = await page.$(".waveform");
  if (!wave) return;
  step("a click into the waveform plays from there");
  await wave.scrollIntoViewIfNeeded();
  const box = await wave.boundingBox();
  await page.mouse.click(box.x + box.width / 2, box.y + box.height / 2);
  const playing = await page.waitForFunction(
    () => {
      const audio = [...document.querySelectorAll("audio")].find((one) => !one.paused && one.readyState >= 3);
      return audio && { at: audio.currentTime, of: audio.duration };
    },
    null,
    PATIENCE,
  );
  const { at, of } = await playing.jsonValue();
  assert(at > of * 0.4 && at < of * 0.8, `plays from the middle: ${at} of ${of} s`);
  assert(await page.$(".waveform.playing"), "and the waveform shows where");
  await page.$$eval("audio", (all) => all.forEach((audio) => audio.pause()));
  report.played_from_s = at;
};

const checkCallPage = async (page) => {
  step("a call has a page of its own");
  const link = (await page.$("#calls tr:has(audio) a")) ?? (await page.$("#calls a"));
  if (!link) return;
  await link.click();
  await page.waitForSelector(".call-head h1", PATIENCE);
  await accessible(page, "the page of a call");
  await page.screenshot({ path: `${out}/call.png`, fullPage: true });
  // A page out of the back/forward cache fires no load event, and its stream must have come back all the same.
  await page.goBack({ waitUntil: "commit" });
  await live(page);
};

// Deferred scripts that arrive late, or in another order, must not cost the stream.
const checkLateAssets = async (context) => {
  for (const delay of [0, 300, 900, 1500]) {
    step(`the stream opens with scripts ${delay} ms late`);
    const page = watch(await context.newPage());
    await page.route(/\/ui\.(js|css)/, async (route) => {
      await new Promise((resolve) => setTimeout(resolve, delay));
      await route.continue();
    });
    await page.goto(base);
    await live(page);
    await page.close();
  }
};

const checkSpeed = async (page) => {
  step("how fast a bubble is seen");
  await page.evaluate(() => {
    const known = new Set([...document.querySelectorAll(".bubble")].map((bubble) => bubble.id));
    globalThis.seen = new Promise((resolve) => {
      const observer = new MutationObserver(() => {
        if ([...document.querySelectorAll(".bubble")].every((bubble) => known.has(bubble.id))) return;
        observer.disconnect();
        requestAnimationFrame(() => resolve(Date.now()));
      });
      observer.observe(document.getElementById("bubbles"), { childList: true });
    });
  });
  next("timed");
  report.bubble_seen_at_ms = await page.evaluate(() => globalThis.seen);
};

// Errors are expected here, so this page is not watched.
const checkRestart = async (context) => {
  step("a page survives a restart of the box and says so meanwhile");
  const page = await context.newPage();
  await page.goto(base);
  await live(page);
  next("stop");
  await page.waitForSelector('#connection[data-state="lost"]', PATIENCE);
  await page.screenshot({ path: `${out}/lost.png` });
  next("start");
  await live(page);
  await page.close();
};

const FLAGS = [
  "--headless=new",
  "--no-sandbox",
  "--disable-gpu",
  "--hide-scrollbars",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--remote-debugging-port=0",
];

// Started by hand and attached to without playwright's defaults, which would keep every tab visible.
const launch = async (profile) => {
  const chromiumPath = process.env.CHROMIUM ?? "/usr/bin/chromium";
  const args = [...FLAGS, `--user-data-dir=${profile}`, "about:blank"];
  const child = spawn(chromiumPath, args, { stdio: "ignore", env: { ...process.env, TZ: "America/Chicago" } });
  const exited = new Promise((resolve) => child.once("exit", resolve));
  process.once("exit", () => child.kill());
  for (let tries = 0; tries < 200; tries += 1) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    const [port] = (await readFile(join(profile, "DevToolsActivePort"), "utf8").catch(() => "")).split("\n");
    if (port) {
      const browser = await chromium.connectOverCDP(`http://127.0.0.1:${port}`, { noDefaults: true });
      const close = async () => {
        await browser.close();
        child.kill();
        await exited;
      };
      return { browser, close };
    }
  }
  throw new Error(`${chromiumPath} did not start`);
};

const main = async () => {
  await mkdir(out, { recursive: true });
  const profile = await mkdtemp(join(tmpdir(), "ringside-browser-"));
  const { browser, close } = await launch(profile);
  try {
    const context = await browser.newContext({
      viewport: { width: 1280, height: 800 },
      locale: "en-US",
      timezoneId: "America/Chicago",
      colorScheme: "light",
    });
    const page = await checkLivePage(context);
    await checkHiddenTab(browser.contexts()[0]);
    await checkEndedCall(page);
    await checkPlayer(page);
    await checkCallPage(page);
    await checkSpeed(page);
    await checkLateAssets(context);
    assert.deepEqual(foreign, [], "requests to elsewhere");
    assert.deepEqual(errors, [], "errors in the console");
    if (process.env.RESTARTS) await checkRestart(context);
    console.log(`report ${JSON.stringify(report)}`);
  } finally {
    await close();
    await rm(profile, { recursive: true, force: true, maxRetries: 5 });
  }
};

// Nothing above waits for ever, and if it does, it ends here.
setTimeout(() => {
  console.error(`not done after ${MAX_RUN_MS / 1000} s`);
  process.exit(1);
}, MAX_RUN_MS).unref();

main().catch((error) => {
  console.error(error.message);
  console.error({ errors, foreign });
  process.exitCode = 1;
});
