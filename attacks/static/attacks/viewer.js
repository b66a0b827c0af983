// The pair viewer: blink, zoom and move, the same in all three frames; and another gain of the difference.
const viewer = document.querySelector("#viewer");
const tools = document.querySelector("#viewer-tools");
const gain = document.querySelector("#gain");
const difference = document.querySelector("#difference");
const button = (name) => tools.querySelector(`[data-do=${name}]`);
const LARGEST = 32;
let [zoom, x, y] = [1, 0, 0]; // the shift is in per cent of the frame, before the zoom

function draw() {
  const most = 50 * (1 - 1 / zoom);
  [x, y] = [x, y].map((shift) => Math.max(-most, Math.min(most, shift)));
  for (const [name, value] of [["--zoom", zoom], ["--x", x], ["--y", y]]) viewer.style.setProperty(name, value);
  viewer.classList.toggle("zoomed", zoom > 1);
  document.querySelector("#zoom-shown").textContent = `${zoom} ×`;
  button("out").disabled = zoom === 1;
  button("in").disabled = zoom === LARGEST;
}

function inOnePlace(wanted) {
  viewer.classList.toggle("one-place", wanted);
  viewer.classList.remove("second");
  button("mode").setAttribute("aria-pressed", wanted);
  button("blink").disabled = !wanted;
}

const does = {
  mode: () => inOnePlace(!viewer.classList.contains("one-place")),
  blink: () => {
    if (!viewer.classList.contains("one-place")) return inOnePlace(true);
    viewer.classList.toggle("second");
  },
  in: () => { zoom = Math.min(LARGEST, zoom * 2); },
  out: () => { zoom = Math.max(1, zoom / 2); },
  whole: () => { [zoom, x, y] = [1, 0, 0]; },
};
const KEYS = { b: "blink", B: "blink", "+": "in", "=": "in", "-": "out", "−": "out", 0: "whole" };
const MOVES = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

function act(name) {
  does[name]();
  draw();
}

tools.hidden = false;
tools.addEventListener("submit", (event) => event.preventDefault());
tools.addEventListener("click", (event) => {
  const name = event.target.closest("[data-do]")?.dataset.do;
  if (name) act(name);
});
document.addEventListener("keydown", (event) => {
  if (event.target.closest("input, select, textarea") || event.ctrlKey || event.metaKey || event.altKey) return;
  if (KEYS[event.key]) act(KEYS[event.key]);
  else if (MOVES[event.key] && zoom > 1) {
    [x, y] = [x + (MOVES[event.key][0] * 12.5) / zoom, y + (MOVES[event.key][1] * 12.5) / zoom];
    draw();
  } else return;
  event.preventDefault();
});
viewer.addEventListener("pointerdown", (event) => {
  const frame = event.target.closest(".frame");
  if (!frame || zoom === 1) return;
  viewer.setPointerCapture(event.pointerId);
  let last = event;
  const move = (next) => {
    x += (100 * (next.clientX - last.clientX)) / frame.clientWidth / zoom;
    y += (100 * (next.clientY - last.clientY)) / frame.clientHeight / zoom;
    last = next;
    draw();
  };
  viewer.addEventListener("pointermove", move);
  viewer.addEventListener("pointerup", () => viewer.removeEventListener("pointermove", move), { once: true });
});
viewer.addEventListener("wheel", (event) => {
  if (!event.ctrlKey) return; // the page scrolls as it always does
  event.preventDefault();
  act(event.deltaY < 0 ? "in" : "out");
}, { passive: false });
gain.addEventListener("change", () => {
  if (!gain.reportValidity()) return;
  difference.src = `${difference.dataset.address}?gain=${gain.value}`;
  document.querySelector("#gain-shown").textContent = gain.value;
});
draw();
