// The clock of one presentation: from paint to key, with the time out of focus kept apart.
export class Clock {
  constructor() {
    this.away = new Set(); // why the reader is not looking: "blur", "hidden", "dialog"
    this.carried = new Map(); // token -> what was measured before the reader went back and came again
    this.running = null;
    window.addEventListener("blur", () => this.leave("blur"));
    window.addEventListener("focus", () => this.back("blur"));
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) this.leave("hidden");
      else this.back("hidden");
    });
    for (const type of ["keydown", "pointerdown"]) {
      document.addEventListener(type, () => this.back("blur"), { capture: true });
    }
  }

  start(token) {
    const now = performance.now();
    const before = this.carried.get(token);
    this.running = {
      token,
      painted: now,
      shownAt: before?.shownAt ?? new Date(performance.timeOrigin + now).toISOString(),
      seen: before?.seen ?? 0,
      lost: before?.lost ?? 0,
      awaySince: this.away.size ? now : null,
    };
  }

  leave(why) {
    if (!this.away.size && this.running) this.running.awaySince = performance.now();
    this.away.add(why);
  }

  back(why) {
    if (!this.away.delete(why) || this.away.size || !this.running || this.running.awaySince === null) return;
    this.running.lost += performance.now() - this.running.awaySince;
    this.running.awaySince = null;
  }

  // Put the presentation aside, to go on counting when it is shown again.
  suspend() {
    if (!this.running) return;
    const { token, painted, shownAt, seen, awaySince } = this.running;
    const now = performance.now();
    const lost = this.running.lost + (awaySince === null ? 0 : now - awaySince);
    this.carried.set(token, { shownAt, seen: seen + (now - painted), lost });
    this.running = null;
  }

  // `at` is the time stamp of the key or click, on the clock of performance.now().
  read(at) {
    const { painted, shownAt, seen, lost, awaySince } = this.running;
    const end = Math.max(at, painted);
    const gone = lost + (awaySince === null ? 0 : Math.max(0, end - awaySince));
    return {
      rt_ms: Math.max(0, Math.round((seen + end - painted - gone) * 10) / 10),
      focus_lost_ms: Math.round(gone * 10) / 10,
      shown_at: shownAt,
      answered_at: new Date(performance.timeOrigin + end).toISOString(),
    };
  }

  stop() {
    if (this.running) this.carried.delete(this.running.token);
    this.running = null;
  }
}
