// Gives every number of the plan a slider and calculates anew while it moves. Without this the form does the same.
const form = document.querySelector(".plan-form");
const status = form.querySelector(".plan-status");
let waiting;
let asked;

for (const number of form.querySelectorAll("input[data-slider]")) {
  const slider = document.createElement("input");
  slider.type = "range";
  for (const name of ["min", "max", "step"]) slider.setAttribute(name, number.getAttribute(name));
  slider.value = number.value;
  slider.setAttribute("aria-label", `${form.querySelector(`label[for="${number.id}"]`).textContent.trim()}, slider`);
  number.before(slider);
  slider.addEventListener("input", () => { number.value = slider.value; later(); });
  number.addEventListener("input", () => { slider.value = number.value; later(); });
}
form.addEventListener("change", later);
form.addEventListener("submit", (event) => { event.preventDefault(); calculate(); });

if (document.querySelector("#plan-results[data-calculating]")) calculate();

function later() {
  clearTimeout(waiting);
  waiting = setTimeout(calculate, 350);
}

async function calculate() {
  clearTimeout(waiting);
  if (!form.reportValidity()) return;
  asked?.abort();
  const mine = (asked = new AbortController());
  const address = `${form.getAttribute("action")}?${new URLSearchParams(new FormData(form))}`;
  const results = document.querySelector("#plan-results");
  status.textContent = "Calculating…";
  results.classList.add("stale");
  try {
    let page;
    do {
      if (page) await new Promise((go) => setTimeout(go, 700));
      const answer = await fetch(address, { signal: mine.signal });
      if (!answer.ok) throw new Error(`${answer.status}`);
      if (answer.redirected) return location.assign(address);
      page = new DOMParser().parseFromString(await answer.text(), "text/html");
    } while (page.querySelector("#plan-results[data-calculating]"));
    document.querySelector("#plan-paper").replaceChildren(...page.querySelector("#plan-paper").childNodes);
    results.replaceChildren(...page.querySelector("#plan-results").childNodes);
    results.classList.remove("stale");
    history.replaceState(null, "", address);
    const reasons = [...page.querySelectorAll(".plan-error")].map((reason) => reason.textContent);
    status.textContent = reasons.length ? reasons.join(" ") : "Calculated.";
  } catch (error) {
    if (error.name === "AbortError") return;
    status.textContent = "No answer from the server. Press Calculate to try again.";
  }
}
