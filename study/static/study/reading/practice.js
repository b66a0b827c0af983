// The practice: plain forms, and the picture and the keys of the reading room.
import { isTyping, onKeys } from "./keys.js";
import { Picture } from "./picture.js";
import { say } from "./texts.js";

const $ = (id) => document.getElementById(id);
const form = $("answer-form");
const stage = $("stage");
const picture = new Picture(stage, [...stage.querySelectorAll("canvas")], Number(stage.dataset.scale), 0, stage.dataset);

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

function showWhich() {
  if (!$("which")) return;
  $("which").hidden = false;
  $("which").textContent = say(picture.shown ? "showing_second" : "showing_first");
}

stage.addEventListener("drawn", () => { $("factor").textContent = `${picture.factor}×`; });
$("larger").addEventListener("click", () => picture.magnify(1));
$("smaller").addEventListener("click", () => picture.magnify(-1));
$("other")?.addEventListener("click", () => { picture.alternate(); showWhich(); });

const addresses = $("room").dataset.images.trim().split(" ");
const blobs = await Promise.all(addresses.map(async (address) => (await fetch(address)).blob()));
await picture.paint(blobs);
$("tools").hidden = false;
showWhich();
