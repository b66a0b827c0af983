// One place for keys: an element with data-key="t" is pressed by that key. Typing in a field is left alone.
const TYPING = "textarea, input:not([type=radio]):not([type=checkbox]):not([type=hidden])";

export function keyName(event) {
  if (event.key === "=" || event.key === "Add") return "+";
  if (event.key === "_" || event.key === "Subtract") return "-";
  return event.key.toLowerCase();
}

export function isTyping(event) {
  return event.target instanceof Element && event.target.matches(TYPING);
}

export function elementFor(key) {
  const elements = document.querySelectorAll(`[data-key="${CSS.escape(key)}"]`);
  return [...elements].find((element) => element.closest("[hidden]") === null) ?? null;
}

// Calls handle(element, event) for a plain key that belongs to a visible element and repeats no held key.
export function onKeys(handle) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey && event.key.startsWith("Arrow")) return;
    if (document.querySelector("dialog[open]") || isTyping(event)) return;
    const onButton = event.target instanceof Element && event.target.matches("button, a, summary");
    if (onButton && (event.key === "Enter" || event.key === " ")) return;
    const element = elementFor(keyName(event));
    if (!element) return;
    event.preventDefault();
    if (!event.repeat) handle(element, event);
  });
}
