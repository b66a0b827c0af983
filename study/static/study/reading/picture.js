// Painting: every patch pixel is a square of whole device pixels, without smoothing, on whole device pixels of the screen.
const MOST_MAGNIFIED = 8;
const GAP = 24; // page pixels between the two of a pair

// The fewest page pixels that are a whole number of device pixels: 1 at 100 %, 2 at 150 %, 4 at 125 %, 10 at 110 %.
function commonGrid(ratio) {
  const error = (count) => Math.abs(count * ratio - Math.round(count * ratio));
  let best = 1;
  for (let count = 1; count <= 64 && error(best) > 1e-3; count += 1) if (error(count) < error(best)) best = count;
  return best;
}

// Whole device pixels per patch pixel: what comes nearest to so many millimetres on a measured screen, or else `scale`.
export function wholeScale(scale, width, sizeMm, pixelsPerMm) {
  if (!sizeMm || !pixelsPerMm) return scale;
  return Math.max(1, Math.round((sizeMm * pixelsPerMm) / width));
}

export class Picture {
  // `screen`: `sizeMm` that an image is to be wide, and `pixelsPerMm` of the screen; empty where they are not known.
  constructor(stage, canvases, scale, exposure = 0, screen = {}) {
    this.exposure = exposure; // ms, or 0 without limit
    this.asked = scale;
    this.sizeMm = Number(screen.sizeMm);
    this.pixelsPerMm = Number(screen.pixelsPerMm);
    this.stage = stage;
    this.canvases = canvases;
    this.wanted = scale;
    this.bitmaps = [];
    this.reset();
    new ResizeObserver(() => this.draw()).observe(stage);
    this.watchRatio();
    stage.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    stage.addEventListener("pointermove", (event) => this.follow(event));
  }

  // A new presentation begins unmagnified; what was used is counted for each one.
  reset() {
    this.factor = 1;
    this.centre = [0.5, 0.5];
    this.shown = 0;
    this.masked = false;
    this.used = { magnifier_steps: 0, magnifier_max: 1, alternations: 0 };
    if (this.exposure) Object.assign(this.used, { exposure_frames: 0, exposure_ms: 0 });
  }

  watchRatio() {
    const query = matchMedia(`(resolution: ${devicePixelRatio}dppx)`);
    query.addEventListener("change", () => { this.draw(); this.watchRatio(); }, { once: true });
  }

  clear() {
    for (const bitmap of this.bitmaps) bitmap.close();
    this.bitmaps = [];
    this.cover(true);
  }

  // Shows the picture for about so many ms, in whole frames, then a mask. What was painted is kept.
  expose(ms) {
    const mine = this.bitmaps;
    let first = null;
    const frame = (now) => {
      if (this.bitmaps !== mine) return; // another picture has come
      first ??= now; // the frame with which the picture is painted
      this.used.exposure_ms = Math.round((now - first) * 10) / 10;
      const frames = this.used.exposure_frames;
      const half = frames ? (now - first) / frames / 2 : Infinity;
      if (frames && now - first + half >= ms) this.mask();
      else {
        this.used.exposure_frames += 1;
        requestAnimationFrame(frame);
      }
    };
    requestAnimationFrame(frame);
  }

  mask() {
    this.masked = true;
    this.draw();
  }

  // Squares of random greys in the place of the picture, as large as its pixels: an after-image is wiped out.
  drawMask(context, wide, high, left, top, step) {
    const across = Math.max(1, Math.round(wide / step));
    const down = Math.max(1, Math.round(high / step));
    const noise = Object.assign(document.createElement("canvas"), { width: across, height: down });
    const values = new Uint32Array(across * down).map(() => 0xff000000 + 0x010101 * Math.floor(64 + 128 * Math.random()));
    const pixels = new ImageData(new Uint8ClampedArray(values.buffer), across, down);
    noise.getContext("2d").putImageData(pixels, 0, 0);
    context.imageSmoothingEnabled = false;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.drawImage(noise, left, top, wide, high);
  }

  cover(covered) {
    for (const canvas of this.canvases) canvas.hidden = covered || !this.bitmaps.length;
  }

  // Decodes and paints; resolves once the frame with the picture has been handed to the screen.
  async paint(blobs) {
    const options = { colorSpaceConversion: "none", premultiplyAlpha: "none" };
    this.bitmaps = await Promise.all(blobs.map((blob) => createImageBitmap(blob, options)));
    this.reset();
    this.cover(false);
    this.draw();
    if (this.exposure) this.expose(this.exposure);
    await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
  }

  // Device pixels that the stage has for one image, across and down.
  room() {
    const across = this.canvases.length;
    const width = (this.stage.clientWidth - 2 * GAP * (across - 1)) / across;
    return [width, this.stage.clientHeight].map((length) => length * devicePixelRatio);
  }

  // The largest whole scale up to the wanted one that fits; never less than 1.
  fit(width, height) {
    const room = this.room();
    return Math.max(1, Math.min(this.wanted, Math.floor(room[0] / width), Math.floor(room[1] / height)));
  }

  draw() {
    if (!this.bitmaps.length) return;
    const [{ width, height }] = this.bitmaps;
    this.wanted = wholeScale(this.asked, width, this.sizeMm, this.pixelsPerMm);
    this.scale = this.fit(width, height);
    const seen = this.visible(width, height);
    this.canvases.forEach((canvas, index) => this.drawOne(canvas, index, width, height, seen));
    this.stage.dispatchEvent(new CustomEvent("drawn"));
  }

  // The canvas is a little larger than the image (see `place`); round the image it is the colour of the room.
  drawOne(canvas, index, width, height, seen) {
    const step = this.scale * this.factor;
    const [wide, high] = seen.map((size) => size * step);
    this.place(canvas, index, wide, high);
    const [left, top] = [Math.floor((canvas.width - wide) / 2), Math.floor((canvas.height - high) / 2)];
    const context = canvas.getContext("2d", { alpha: false });
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.fillStyle = getComputedStyle(document.body).backgroundColor;
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.save();
    context.beginPath();
    context.rect(left, top, wide, high);
    context.clip();
    if (this.masked) {
      this.drawMask(context, wide, high, left, top, step);
      context.restore();
      return;
    }
    const [x, y] = this.corner(width, height, seen);
    context.imageSmoothingEnabled = false;
    context.setTransform(step, 0, 0, step, left - x * step, top - y * step);
    context.drawImage(this.bitmaps[this.canvases.length === 1 ? this.shown : index], 0, 0);
    context.restore();
  }

  // Whole patch pixels that are visible: all of them, or magnified as many as the stage has room for.
  visible(width, height) {
    const step = this.scale * this.factor;
    const room = this.room();
    return [width, height].map((size, axis) => Math.min(size, Math.max(size / this.factor, Math.floor(room[axis] / step))));
  }

  // The top left patch pixel that is visible, so that no border of nothing appears.
  corner(width, height, seen) {
    return [width, height].map((size, axis) =>
      Math.round(Math.min(size - seen[axis], Math.max(0, this.centre[axis] * size - seen[axis] / 2))));
  }

  // Browsers snap boxes to page pixels. At 150 % a page pixel is one and a half device pixels, so only every second
  // one begins on a device pixel: the canvas begins and ends on such ones, and nothing is ever blended at its edges.
  place(canvas, index, wide, high) {
    const ratio = devicePixelRatio;
    const grid = commonGrid(ratio);
    const size = [wide, high].map((length) => Math.ceil(length / ratio / grid - 1e-6) * grid);
    const gap = Math.ceil(GAP / grid) * grid;
    const box = this.stage.getBoundingClientRect();
    const total = size[0] * this.canvases.length + gap * (this.canvases.length - 1);
    const left = Math.floor((box.left + (box.width - total) / 2) / grid) * grid + index * (size[0] + gap);
    const top = Math.floor((box.top + (box.height - size[1]) / 2) / grid) * grid;
    const [columns, rows] = size.map((length) => Math.round(length * ratio));
    if (canvas.width !== columns || canvas.height !== rows) Object.assign(canvas, { width: columns, height: rows });
    Object.assign(canvas.style, {
      width: `${size[0]}px`, height: `${size[1]}px`, left: `${left}px`, top: `${top}px`,
    });
  }

  magnify(by) {
    const factor = Math.min(MOST_MAGNIFIED, Math.max(1, this.factor + by));
    if (factor === this.factor || !this.bitmaps.length) return;
    this.factor = factor;
    if (factor === 1) this.centre = [0.5, 0.5];
    this.used.magnifier_steps += 1;
    this.used.magnifier_max = Math.max(this.used.magnifier_max, factor);
    this.draw();
  }

  wheel(event) {
    if (event.ctrlKey || !this.bitmaps.length) return; // Ctrl and wheel is the browser's own zoom
    event.preventDefault();
    this.magnify(event.deltaY < 0 ? 1 : -1);
  }

  follow(event) {
    const canvas = event.target;
    if (this.factor === 1 || !this.canvases.includes(canvas)) return;
    const box = canvas.getBoundingClientRect();
    this.centre = [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
    this.draw();
  }

  move(dx, dy) {
    if (this.factor === 1) return;
    const step = 0.25 / this.factor;
    this.centre = [this.centre[0] + dx * step, this.centre[1] + dy * step].map((at) => Math.min(1, Math.max(0, at)));
    this.draw();
  }

  alternate() {
    if (this.canvases.length !== 1 || this.bitmaps.length !== 2) return;
    this.shown = 1 - this.shown;
    this.used.alternations += 1;
    this.draw();
  }

  // What is stored with the answer about how the picture was seen.
  viewing() {
    const width = this.bitmaps[0]?.width;
    return {
      ...this.used,
      ...(width && this.pixelsPerMm ? { size_mm: Math.round((width * this.scale * 100) / this.pixelsPerMm) / 100 } : {}),
      scale: this.scale,
      scale_wanted: this.wanted,
      device_pixel_ratio: devicePixelRatio,
      zoom: window.visualViewport?.scale ?? 1,
      inner_width: innerWidth,
      inner_height: innerHeight,
      javascript: true,
    };
  }
}
