// The reading room: one presentation after another. An answer is stored by the server before the page moves on.
import { persist, Rejected } from "./api.js";
import { Clock } from "./clock.js";
import { ask } from "./dialogs.js";
import { AnswerForm } from "./form.js";
import { onKeys } from "./keys.js";
import { newKey, Outbox } from "./outbox.js";
import { Picture } from "./picture.js";
import { say } from "./texts.js";

const SETTLE_MS = 250; // a second click or key of the same hand movement does not answer the next image

const $ = (id) => document.getElementById(id);
const room = $("room");
const data = room.dataset;
const canvases = [$("first"), $("second")].filter(Boolean);
const picture = new Picture($("stage"), canvases, Number(data.scale), Number(data.exposure), data);
const clock = new Clock();
const outbox = new Outbox(data.study, data.code);
const form = new AnswerForm($("answer-form"), data.questions.split(" ").filter(Boolean), onAnswer);
const fetched = new Map(); // token -> bytes of an image in the window, never attached to the page before its turn

let state = null;
let shown = null; // { named, earlier }: the presentation on the screen
let settling = 0;

const addressOf = (pattern, token) => pattern.replace("TOKEN", token);
const tokensOf = (named) => (named ? [named.first, named.second].filter(Boolean) : []);

function tell(text) {
  $("status").textContent = text;
}

function trouble(text) {
  return {
    trouble: () => { $("banner-text").textContent = text; $("banner").hidden = false; },
    fine: () => { $("banner").hidden = true; },
  };
}

// Only a presentation that is ready takes an answer; one that was begun since is not ready when the earlier one's time is up.
function ready(value) {
  clearTimeout(settling);
  data.ready = value ? "yes" : "no";
}

async function image(token) {
  if (!fetched.has(token)) {
    fetched.set(token, await persist(room, addressOf(data.imageUrl, token), undefined, trouble(say("offline_image"))));
  }
  return fetched.get(token);
}

// Fetches the next presentation's bytes while the reader looks at this one; a failure is met again at its turn.
function preload() {
  const quiet = { trouble: () => {}, fine: () => {} };
  for (const token of tokensOf(state.next)) {
    if (fetched.has(token)) continue;
    persist(room, addressOf(data.imageUrl, token), undefined, quiet).then((blob) => fetched.set(token, blob), () => {});
  }
}

function forgetOutsideWindow() {
  const near = new Set([state.previous, state.current, state.next].flatMap(tokensOf));
  for (const token of fetched.keys()) if (!near.has(token)) fetched.delete(token);
}

function showProgress(changing) {
  const position = changing ? state.answered : Math.min(state.answered + 1, state.count);
  $("position").textContent = position;
  $("progress").value = state.answered;
  $("changing").hidden = !changing;
  $("back").hidden = changing || !state.previous;
  $("forward").hidden = !changing;
  $("done").hidden = changing || state.stage !== "set_done";
  $("answer-form").hidden = !$("done").hidden;
  $("tools").hidden = $("legend").hidden = $("pause").hidden = $("answer-form").hidden;
}

// Every image begins alike: no answer has the focus, so that neither a ring nor the space bar suggests the one before.
function leaveAnswers() {
  const held = document.activeElement;
  if (held && held !== document.body) $("stage").focus({ preventScroll: true });
}

async function present(named, earlier = null) {
  ready(false);
  leaveAnswers();
  clock.suspend();
  picture.clear();
  showProgress(Boolean(earlier));
  form.fill(earlier);
  showWhich();
  $("loading").hidden = false;
  try {
    const blobs = await Promise.all(tokensOf(named).map(image));
    $("loading").hidden = true;
    await picture.paint(blobs);
  } catch (error) {
    $("loading").hidden = true;
    if (error instanceof Rejected && error.status === 404) return restart(say("moved_on"));
    tell(say("broken"));
    return null;
  }
  clock.start(named.first);
  shown = { named, earlier };
  settling = setTimeout(() => ready(true), SETTLE_MS);
  showWhich();
  tell(earlier ? say("changing") : say("position", { position: state.answered + 1, count: state.count }));
  if (!earlier) preload();
  return null;
}

async function show(next) {
  state = next;
  forgetOutsideWindow();
  if (state.stage === "reading") return present(state.current);
  if (state.stage !== "set_done") return location.assign(data.studyUrl);
  shown = null;
  clock.stop();
  picture.clear();
  showWhich();
  $("scale-bar")?.setAttribute("hidden", "");
  showProgress(false);
  tell(say("saved"));
  $("finish").focus();
  return null;
}

// Keeps the answer, sends it until it is stored, and only then moves on.
async function send(answer) {
  outbox.put(answer);
  tell(say("saving"));
  try {
    const reply = await persist(room, data.answerUrl, answer, trouble(say("offline")));
    outbox.clear(answer.key);
    return reply.state;
  } catch (error) {
    if (!(error instanceof Rejected)) throw error;
    outbox.clear(answer.key);
    if (error.status === 400) return Promise.reject(error);
    await notice(say("not_used"));
    return error.body?.state ?? fetchState();
  }
}

// What must not be missed stays, over a covered image, until the reader has said that it was read.
async function notice(text) {
  $("notice-text").textContent = text;
  await away("notice-dialog");
}

async function onAnswer(values, at, missing) {
  if (!shown || data.ready !== "yes") return;
  if (missing) { tell(missing); return; }
  const { named, earlier } = shown;
  const answer = {
    ...values, ...clock.read(at), token: named.first, key: newKey(), replaces: earlier?.revision ?? 0,
    viewing: picture.viewing(),
  };
  shown = null;
  ready(false);
  try {
    const next = await send(answer);
    clock.stop();
    if (!earlier && isBreak(next)) await away("break-dialog");
    await show(next);
  } catch (error) {
    shown = { named, earlier };
    ready(true);
    const field = error.body?.field;
    if (field && $(`error-${field}`)) form.showErrors({ [field]: error.body.message.replace(`${field}: `, "") });
    else tell(error.body?.message ?? say("offline"));
  }
}

function isBreak(next) {
  const every = Number(data.breakEvery);
  return every > 0 && next.stage === "reading" && next.answered > 0 && next.answered % every === 0;
}

async function away(id) {
  clock.leave("dialog");
  picture.cover(true);
  await ask(id);
  picture.cover(false);
  clock.back("dialog");
}

async function goBack() {
  if (!state?.previous || shown?.earlier || (state.stage === "reading" && !shown)) return;
  shown = null;
  const earlier = await persist(room, addressOf(data.ownAnswerUrl, state.previous.first), undefined, trouble(say("offline_image")));
  await present(state.previous, earlier);
}

async function fetchState() {
  return (await persist(room, data.stateUrl, undefined, trouble(say("offline_image")))).state;
}

async function restart(message) {
  await notice(message);
  await show(await fetchState());
}

function press(element, event) {
  if (element.form === $("answer-form") && element.name) form.press(element, event.timeStamp);
  else element.click();
}

function listen() {
  onKeys(press);
  $("back").addEventListener("click", (event) => { event.preventDefault(); goBack().catch(() => restart(say("moved_on"))); });
  $("forward").addEventListener("click", (event) => { event.preventDefault(); if (shown) show(state); });
  $("pause").addEventListener("click", () => away("pause-dialog"));
  $("larger").addEventListener("click", () => picture.magnify(1));
  $("smaller").addEventListener("click", () => picture.magnify(-1));
  $("retry").addEventListener("click", () => document.dispatchEvent(new CustomEvent("blindspot:retry")));
  $("other")?.addEventListener("click", () => { if (shown) alternate(); });
  $("stage").addEventListener("drawn", noteScale);
  document.addEventListener("keydown", otherKeys);
  window.addEventListener("beforeunload", (event) => { if (outbox.get()) event.preventDefault(); });
}

function otherKeys(event) {
  if (document.querySelector("dialog[open]") || event.target.matches?.("textarea, input[type=number]")) return;
  const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  if (event.shiftKey && steps[event.key]) { event.preventDefault(); picture.move(...steps[event.key]); }
  if (event.key === "Enter" && !form.immediate && !event.defaultPrevented && !event.target.matches?.("button, a, summary, input")) {
    $("answer-form").requestSubmit();
  }
}

function alternate() {
  picture.alternate();
  showWhich();
}

// Which of an alternating pair is on the screen: said above the image, and nowhere before it is there.
function showWhich() {
  const which = $("which");
  if (!which) return;
  which.hidden = !picture.bitmaps.length;
  which.textContent = say(picture.shown ? "showing_second" : "showing_first");
}

// A length of tissue that is a round number and about a quarter of the picture.
const LENGTHS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000];

function drawScaleBar() {
  const bar = $("scale-bar");
  const microns = Number(data.microns);
  if (!bar || !microns || !picture.bitmaps.length) return;
  const perMicron = (picture.scale * picture.factor) / microns / devicePixelRatio; // page pixels
  const wanted = (picture.bitmaps[0].width * picture.scale) / devicePixelRatio / 4;
  const length = LENGTHS.findLast((one) => one * perMicron <= wanted) ?? LENGTHS[0];
  const [line, text] = bar.children;
  line.style.width = `${length * perMicron}px`;
  text.textContent = `${length} µm`;
  bar.hidden = false;
}

function noteScale() {
  drawScaleBar();
  $("factor").textContent = `${picture.factor}×`;
  const small = picture.scale < picture.wanted;
  $("scale-note").hidden = !small;
  if (small) $("scale-note").textContent = say("scale_small", { scale: picture.scale, wanted: picture.wanted });
}

async function start() {
  listen();
  const pending = outbox.get();
  if (pending) {
    const next = await send(pending).catch(() => null);
    if (!next) await notice(say("refused"));
    await show(next ?? await fetchState());
    if (next) tell(say("resent"));
  } else {
    await show(await fetchState());
  }
  if (data.change === "yes") await goBack();
}

start();
