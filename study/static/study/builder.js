// The study builder: the power of what is chosen, worked out by the server while it is being chosen.
const form = document.querySelector("#builder");
const table = document.querySelector("#power");
const problem = document.querySelector("#power-error");
const ASKED = ["positives", "copies", "task", "arm_order", "further_attacks", "pairs", "variants", "noise", "margin", "alpha", "planned_readers"];
let timer = 0;
let latest = 0;

function show(power) {
  problem.hidden = !power.error;
  problem.textContent = power.error ?? "";
  table.hidden = Boolean(power.error);
  if (power.error) return;
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
    if (answer.ok && asked === latest) show(await answer.json());
  } catch {
    // The server is away: what was shown stays, and building will say so.
  }
}

form.addEventListener("input", (event) => {
  if (!ASKED.includes(event.target.name)) return;
  clearTimeout(timer);
  timer = setTimeout(work, 250);
});
