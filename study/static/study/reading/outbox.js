// The answer that is on its way, kept in the browser until the server says that it is stored.
export class Outbox {
  constructor(study, code) {
    this.name = `blindspot:${study}:${code}:pending`;
    this.memory = null;
  }

  put(answer) {
    this.memory = answer;
    try {
      localStorage.setItem(this.name, JSON.stringify(answer));
    } catch {
      // Storage is full or forbidden here: the answer still lives in this page.
    }
  }

  get() {
    try {
      return JSON.parse(localStorage.getItem(this.name)) ?? this.memory;
    } catch {
      return this.memory;
    }
  }

  // Only the answer that was sent is removed: another window may have put its own meanwhile.
  clear(key) {
    if (this.memory?.key === key) this.memory = null;
    try {
      if (JSON.parse(localStorage.getItem(this.name))?.key === key) localStorage.removeItem(this.name);
    } catch {
      // nothing was stored
    }
  }
}

// Opaque, from the browser's own randomness; also where crypto.randomUUID is missing (plain http in a hospital).
export function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
