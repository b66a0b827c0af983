// The viewing check: what the window and the screen are, and which whole scale fits.
import { wholeScale } from "./picture.js";
import { say } from "./texts.js";

const PANEL = 344; // CSS pixels beside, between and above the images on the reading page
const BAR = 72;
const NARROW = matchMedia("(max-width: 36rem), (max-width: 56rem) and (orientation: portrait)"); // the panel goes below
const BESIDE = 0.45; // and leaves the image this share of the height

const CARD_MM = 85.6; // ISO/IEC 7810 ID-1: bank cards and most identity cards
const CARD_RATIO = 85.6 / 53.98;

const form = document.getElementById("viewing");
const card = document.getElementById("card");
const patch = Number(form.dataset.patch); // pixels across; the reading page fits each one by itself
const put = (id, text) => { document.getElementById(id).textContent = text; };

// Which colours the screen shows, as far as the browser tells.
function gamut() {
  return {
    gamut_p3: matchMedia("(color-gamut: p3)").matches,
    gamut_rec2020: matchMedia("(color-gamut: rec2020)").matches,
    high_dynamic_range: matchMedia("(dynamic-range: high)").matches,
  };
}

// What the reader measured: device pixels per millimetre, and the distance. Left out where it was not done.
function physical() {
  if (!card) return {};
  const width = Number(document.getElementById("card-width").value);
  const distance = Number(document.getElementById("distance")?.value);
  const found = {};
  if (document.getElementById("card-fits").checked) found.pixels_per_mm = Math.round((width * devicePixelRatio * 1000) / CARD_MM) / 1000;
  if (distance >= 10 && distance <= 300) found.distance_cm = distance;
  return found;
}

function drawCard() {
  const width = Number(document.getElementById("card-width").value);
  card.style.width = `${width}px`;
  card.style.height = `${width / CARD_RATIO}px`;
}

function measure() {
  const across = Number(form.dataset.pair);
  const wide = ((innerWidth - (NARROW.matches ? 12 : PANEL)) * devicePixelRatio) / across;
  const high = (innerHeight * (NARROW.matches ? BESIDE : 1) - BAR) * devicePixelRatio;
  const fits = Math.floor(Math.min(wide, high) / patch);
  const screenSize = physical();
  const wanted = wholeScale(Number(form.dataset.scale), patch, Number(form.dataset.sizeMm), screenSize.pixels_per_mm);
  const scale = Math.min(wanted, fits);
  if (screenSize.pixels_per_mm) screenSize.size_mm = Math.round((Math.max(scale, 1) * patch * 100) / screenSize.pixels_per_mm) / 100;
  return {
    inner_width: innerWidth,
    inner_height: innerHeight,
    screen_width: screen.width,
    screen_height: screen.height,
    device_pixel_ratio: devicePixelRatio,
    colour_depth: screen.colorDepth,
    zoom: window.visualViewport?.scale ?? 1,
    scale,
    scale_wanted: wanted,
    touch: navigator.maxTouchPoints > 0,
    pattern_seen: new FormData(form).get("pattern") === "yes",
    javascript: true,
    ...gamut(),
    ...screenSize,
  };
}

// A chequerboard of single patch pixels and a scale of greys, at the scale that the patches will have.
function drawPattern(scale) {
  const canvas = document.getElementById("pattern");
  const [columns, rows, k] = [128, 32, Math.max(1, scale)];
  Object.assign(canvas, { width: columns * k, height: rows * k });
  canvas.style.width = `${(columns * k) / devicePixelRatio}px`;
  canvas.style.height = `${(rows * k) / devicePixelRatio}px`;
  const context = canvas.getContext("2d", { alpha: false });
  for (let x = 0; x < columns; x += 1) {
    for (let y = 0; y < rows; y += 1) {
      const grey = x < columns / 2 ? 255 * ((x + y) % 2) : Math.floor((x - columns / 2) / 4) * 17;
      context.fillStyle = `rgb(${grey},${grey},${grey})`;
      context.fillRect(x * k, y * k, k, k);
    }
  }
}

function show() {
  const found = measure();
  put("window", `${found.inner_width} × ${found.inner_height}`);
  put("screen", `${found.screen_width} × ${found.screen_height}`);
  put("ratio", String(Math.round(found.device_pixel_ratio * 1000) / 1000));
  put("depth", say("bits", { value: found.colour_depth }));
  put("gamut", say(found.gamut_rec2020 ? "gamut_rec2020" : found.gamut_p3 ? "gamut_p3" : "gamut_srgb"));
  put("scale", `${Math.max(found.scale, 1)} : 1`);
  if (card) put("size-mm", found.size_mm ? `${found.size_mm.toFixed(1)} mm` : say("size_unknown"));
  const verdict = found.scale < 1 ? "tiny" : found.scale < found.scale_wanted ? "small" : "good";
  put("verdict", say(verdict, { scale: found.scale, wanted: found.scale_wanted }));
  document.getElementById("verdict").className = verdict === "good" ? "feedback right" : "feedback wrong";
  form.elements.viewing.value = JSON.stringify({ ...found, scale: Math.max(found.scale, 1) });
  drawPattern(found.scale);
}

document.getElementById("measured").hidden = false;
document.getElementById("pattern-question").hidden = false;
if (card) {
  document.getElementById("physical").hidden = false;
  document.getElementById("card-width").max = Math.min(900, document.documentElement.clientWidth - 40);
  document.getElementById("card-width").addEventListener("input", () => {
    document.getElementById("card-fits").checked = false; // what was moved must be compared again
    drawCard();
    show();
  });
  document.getElementById("distance")?.addEventListener("input", show);
  drawCard();
}
for (const choice of [...form.elements.pattern, ...(form.elements.card_fits ?? [])]) choice.required = true;
form.addEventListener("change", () => {
  document.getElementById("pattern-advice").hidden = form.elements.pattern.value !== "no";
  show();
});
window.addEventListener("resize", show);
show();
