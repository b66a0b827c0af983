// Watches every job that a page names in data-job: shows its state, and loads the page anew when one has ended.
async function look(box) {
  let wait = 2000;
  try {
    const answer = await fetch(box.dataset.job, { headers: { Accept: "application/json" } });
    if (answer.redirected || !answer.ok) throw new Error(`${answer.status}`);
    const job = await answer.json();
    if (!job.active) return location.reload();
    const badge = box.querySelector(".badge");
    if (badge.textContent !== job.state_text) {
      badge.textContent = job.state_text;
      badge.className = `badge ${job.state}`;
    }
    if (job.fraction !== null) box.querySelector("progress").value = job.fraction;
  } catch {
    wait = 5000;
  }
  setTimeout(look, document.hidden ? 10000 : wait, box);
}

for (const box of document.querySelectorAll("[data-job]")) setTimeout(look, 500, box);
