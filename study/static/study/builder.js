// The study builder: the power of what is chosen, worked out by the server while it is being chosen.
const form = document.querySelector("#builder");
const table = document.querySelector("#power");
const problem = document.querySelector("#power-error");
const waiting = document.querySelector("#power-waiting");
const lower = document.querySelector("#power-lower");
const ASKED = ["positives", "copies", "task", "arm_order", "further_attacks", "pairs", "variants", "noise", "margin", "alpha", "planned_readers"];
let timer = 0;
let latest = 0;

function show(power) {
  problem.hidden = !power.error;
  problem.textContent = power.error ?? "";
  table.hidden = Boolean(power.error || power.calculating);
  waiting.hidden = !power.calculating;
  if (power.error || power.calculating) return;
  lower.hidden = !(power.crossed && Object.keys(power.one_reading).some((claim) => power.crossed[claim] < power.one_reading[claim]));
  for (const cell of table.querySelectorAll("[data-claim]")) {
    const [part, claim] = cell.dataset.claim.split(".");
    const value = power[part]?.[claim];
    cell.textContent = value === undefined ? "–" : value.toFixed(2);
  }
}

async function work() {
  const asked = (latest += 1);
  const query = new URLSearchParams([...new FormData(form)].filter(([name]) => ASKED.includes(name)));
  try {
    const answer = await fetch(`${form.dataset.power}?${query}`);
    if (!answer.ok || asked !== latest) return;
    const power = await answer.json();
    show(power);
    if (power.calculating) setTimeout(() => asked === latest && work(), 700);
  } catch {
    // The server is away: what was shown stays, and building will say so.
  }
}

form.addEventListener("input", (event) => {
  if (!ASKED.includes(event.target.name)) return;
  clearTimeout(timer);
  timer = setTimeout(work, 250);
});

// The chosen attack is no further arm beside itself.
function offer() {
  const chosen = form.querySelector("[name=attack]")?.value;
  for (const box of form.querySelectorAll("[name=further_attacks]")) {
    const same = box.value === chosen;
    if (same) box.checked = false;
    box.disabled = same;
    box.closest("div").hidden = same;
  }
}

form.querySelector("[name=attack]")?.addEventListener("change", offer);
offer();
if (!waiting.hidden) work();
