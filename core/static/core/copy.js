// Buttons that copy a field's text. Without the clipboard (plain http) the field is selected, to be copied by key.
for (const button of document.querySelectorAll("[data-copy]")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    const field = document.querySelector(`#${button.dataset.copy}`);
    const told = document.querySelector("#copied");
    field.select();
    try {
      await navigator.clipboard.writeText(field.value);
      told.textContent = "Copied.";
    } catch {
      told.textContent = "Selected: copy it with Ctrl+C.";
    }
  });
}
