// Watches one job: asks for its state every second while it is active, and loads the page anew when it has ended.
import { inViewersZone } from "../core/times.js";

const box = document.querySelector("#job");
const part = (id) => document.querySelector(`#${id}`);
const number = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 1 });

function show(job) {
  part("state").textContent = job.state_text;
  const bar = part("bar");
  if (bar && job.fraction !== null) bar.value = job.fraction;
  if (part("count")) {
    part("count").textContent = job.total ? `${number.format(job.done)} of ${number.format(job.total)} ${job.unit}` : "";
    part("rate").textContent = job.rate ? `${number.format(job.rate)} ${job.unit}/s` : "";
    part("left").textContent = job.left_text;
  }
  const log = part("log");
  if (job.log && log.dataset.shown !== job.log) {
    const following = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
    log.dataset.shown = job.log;
    log.textContent = inViewersZone(job.log);
    if (following) log.scrollTop = log.scrollHeight;
  }
}

async function look() {
  let wait = 1000;
  try {
    const answer = await fetch(box.dataset.url, { headers: { Accept: "application/json" } });
    if (answer.redirected || !answer.ok) throw new Error(`${answer.status}`);
    const job = await answer.json();
    show(job);
    const changed = job.state !== box.dataset.state;
    if (!job.active || (changed && job.state === "running")) return location.reload();
    box.dataset.state = job.state;
  } catch {
    part("state").textContent = "no answer from the server; trying again";
    wait = 5000;
  }
  setTimeout(look, document.hidden ? 5000 : wait);
}

part("log").scrollTop = part("log").scrollHeight;
setTimeout(look, 500);
