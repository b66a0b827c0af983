// The answer form: what was chosen, what is missing, and when a choice is complete.
import { say } from "./texts.js";

const REQUIRED = ["confidence", "perturbed_response"];

export class AnswerForm {
  constructor(form, questions, submit) {
    this.form = form;
    this.questions = questions;
    this.immediate = questions.length === 0;
    // Where every question has keys, the last key saves; a count or a note asks for Enter.
    this.saves = questions.every((name) => REQUIRED.includes(name));
    this.submit = submit;
    this.pointed = -Infinity;
    form.noValidate = true;
    form.addEventListener("submit", (event) => this.onSubmit(event));
    form.addEventListener("pointerup", (event) => { this.pointed = event.timeStamp; });
    form.addEventListener("change", (event) => this.onChange(event));
  }

  onSubmit(event) {
    event.preventDefault();
    const answer = this.immediate ? event.submitter?.value : this.value("answer");
    this.send(answer, event.timeStamp);
  }

  // Arrow keys inside a group of choices only move; a pointer's choice may be the last one that was missing.
  onChange(event) {
    this.settle(event.target);
    if (event.target.type === "radio" && event.timeStamp - this.pointed < 500) this.complete(event.timeStamp);
  }

  press(element, at) {
    if (this.immediate) return this.send(element.value, at);
    element.checked = true;
    this.settle(element);
    element.focus({ preventScroll: true });
    return this.complete(at);
  }

  complete(at) {
    if (this.saves && !this.changing && !this.missing().length) this.send(this.value("answer"), at);
  }

  value(name) {
    return new FormData(this.form).get(name);
  }

  missing() {
    const needed = ["answer", ...REQUIRED.filter((name) => this.questions.includes(name))];
    return needed.filter((name) => !this.value(name));
  }

  send(answer, at) {
    const missing = this.immediate ? [] : this.missing();
    this.showErrors(Object.fromEntries(missing.map((name) => [name, say("needed_here")])));
    if (missing.length) this.submit(null, at, say("needed", { fields: missing.map((name) => say(name)).join(", ") }));
    else if (answer) this.submit(this.values(answer), at, "");
  }

  // Each error stands beside its question, the first one in view.
  showErrors(errors) {
    let first = null;
    for (const place of this.form.querySelectorAll(".error")) {
      const text = errors[place.id.replace("error-", "")] ?? "";
      place.textContent = text;
      place.hidden = !text;
      if (text) first ??= place.parentElement;
    }
    first?.scrollIntoView({ block: "nearest" });
  }

  // What has been answered is not asked for any longer.
  settle(element) {
    const place = element.closest("[id^=question-]")?.querySelector(".error");
    if (place) place.hidden = true;
  }

  values(answer) {
    const values = { answer };
    const has = (name) => this.questions.includes(name);
    if (has("confidence")) values.confidence = Number(this.value("confidence"));
    if (has("perturbed_response")) values.perturbed_response = this.value("perturbed_response") === "true";
    if (has("tumour_cell_count")) values.tumour_cell_count = this.value("tumour_cell_count") || null;
    if (has("note")) values.note = this.value("note");
    return values;
  }

  // Empty for a new presentation, filled with the reader's own answer when it is to be changed.
  fill(earlier) {
    this.changing = Boolean(earlier);
    this.form.reset();
    this.showErrors({});
    this.form.scrollTop = this.form.parentElement.scrollTop = 0; // the first question first
    for (const element of this.form.elements) {
      if (element.type === "radio") element.checked = earlier ? String(earlier[element.name]) === element.value : false;
      else if (element.name === "tumour_cell_count" || element.name === "note") element.value = earlier?.[element.name] ?? "";
      else if (element.name === "answer") element.classList.toggle("earlier", earlier?.answer === element.value);
    }
  }
}
