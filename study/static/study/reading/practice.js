// Practice pages are plain forms; keys press their buttons, and the patch is shown at a whole scale.
import { onKeys } from "./keys.js";

onKeys((element) => element.click());

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
