// One place for keys: an element with data-key="t" is pressed by that key. Typing in a field is left alone.
const TYPING = "textarea, input:not([type=radio]):not([type=checkbox]):not([type=hidden])";

const SIGNS = { "=": "+", "＋": "+", Add: "+", _: "-", "－": "-", Subtract: "-" };

// The names by which a key may be meant, the likeliest first. A Latin letter counts as it is printed, wherever the layout
// puts it. Where the keyboard has other letters (Cyrillic, Greek, Arabic, Korean ...) or an input method takes the key, its
// place counts. The row of digits counts by its place, for French and Czech keyboards have other signs there; with Shift
// held the sign comes first, such as the Swiss +.
export function keyNames(event) {
  if (event.code === "Space") return [" "];
  const named = SIGNS[event.key] ?? event.key.toLowerCase();
  const [, kind, place] = /^(Key|Digit|Numpad)([A-Z0-9])$/.exec(event.code ?? "") ?? [];
  if (!place || /^[a-z0-9]$/.test(named)) return [named];
  const written = event.key.length === 1 || ["Process", "Dead", "Unidentified"].includes(event.key);
  if (!written) return [named]; // an arrow on the number pad is an arrow
  return kind === "Key" || event.shiftKey ? [named, place.toLowerCase()] : [place, named];
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
    const element = keyNames(event).map(elementFor).find(Boolean);
    if (!element) return;
    event.preventDefault();
    if (!event.repeat) handle(element, event);
  });
}
