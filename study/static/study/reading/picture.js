// Painting: every patch pixel is a square of whole device pixels, without smoothing, on whole device pixels of the screen.
const MOST_MAGNIFIED = 8;
const GAP = 24; // CSS pixels between the two of a pair

export class Picture {
  constructor(stage, canvases, wanted) {
    this.stage = stage;
    this.canvases = canvases;
    this.wanted = wanted;
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
    this.used = { magnifier_steps: 0, magnifier_max: 1, alternations: 0 };
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
    await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
  }

  // The largest whole scale up to the study's that fits; never less than 1.
  fit(width, height) {
    const ratio = devicePixelRatio;
    const across = this.canvases.length;
    const room = [(this.stage.clientWidth - GAP * (across - 1)) * ratio / across, this.stage.clientHeight * ratio];
    return Math.max(1, Math.min(this.wanted, Math.floor(room[0] / width), Math.floor(room[1] / height)));
  }

  draw() {
    if (!this.bitmaps.length) return;
    const [{ width, height }] = this.bitmaps;
    this.scale = this.fit(width, height);
    this.canvases.forEach((canvas, index) => this.drawOne(canvas, index, width, height));
    this.stage.dispatchEvent(new CustomEvent("drawn"));
  }

  drawOne(canvas, index, width, height) {
    this.place(canvas, index, width * this.scale, height * this.scale);
    const context = canvas.getContext("2d", { alpha: false });
    const step = this.scale * this.factor;
    const [left, top] = this.corner(width, height);
    context.imageSmoothingEnabled = false;
    context.setTransform(step, 0, 0, step, -left * step, -top * step);
    context.drawImage(this.bitmaps[this.canvases.length === 1 ? this.shown : index], 0, 0);
  }

  // The top left patch pixel that is visible, so that no border of nothing appears.
  corner(width, height) {
    return [width, height].map((size, axis) => {
      const visible = size / this.factor;
      return Math.round(Math.min(size - visible, Math.max(0, this.centre[axis] * size - visible / 2)));
    });
  }

  // Device pixels first: the canvas has as many as it covers, and starts on one.
  place(canvas, index, wide, high) {
    const ratio = devicePixelRatio;
    const across = this.canvases.length;
    const box = this.stage.getBoundingClientRect();
    const total = wide * across + Math.round(GAP * ratio) * (across - 1);
    const left = Math.round(box.left * ratio + (box.width * ratio - total) / 2) + index * (wide + Math.round(GAP * ratio));
    const top = Math.round(box.top * ratio + (box.height * ratio - high) / 2);
    if (canvas.width !== wide || canvas.height !== high) Object.assign(canvas, { width: wide, height: high });
    canvas.style.width = `${wide / ratio}px`;
    canvas.style.height = `${high / ratio}px`;
    canvas.style.left = `${left / ratio - box.left}px`;
    canvas.style.top = `${top / ratio - box.top}px`;
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
    return {
      ...this.used,
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
