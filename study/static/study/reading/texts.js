// The page's texts, as the server gave them (study/reading/texts.py).
const texts = JSON.parse(document.getElementById("texts").textContent);

export function say(key, values = {}) {
  return texts[key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
}
