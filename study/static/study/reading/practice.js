// Practice pages are plain forms; keys press their buttons, and the patch is shown at a whole scale.
import { isTyping, onKeys } from "./keys.js";

const form = document.getElementById("answer-form");

onKeys((element) => {
  element.click();
  if (element.type === "radio") element.focus({ preventScroll: true });
});
document.addEventListener("keydown", (event) => {
  const onButton = event.target instanceof Element && event.target.matches("button, a, summary");
  if (event.key === "Enter" && form && !event.defaultPrevented && !onButton && !isTyping(event)) {
    form.querySelector("#save")?.click();
  }
});

const stage = document.querySelector(".stage");
const patch = document.querySelector(".patch");

function fit() {
  const ratio = devicePixelRatio;
  const room = Math.min(stage.clientWidth / patch.naturalWidth, stage.clientHeight / patch.naturalHeight) * ratio;
  const scale = Math.max(1, Math.min(Number(stage.dataset.scale), Math.floor(room)));
  patch.style.width = `${(patch.naturalWidth * scale) / ratio}px`;
  patch.style.height = `${(patch.naturalHeight * scale) / ratio}px`;
}

if (patch.complete) fit();
patch.addEventListener("load", fit);
window.addEventListener("resize", fit);
