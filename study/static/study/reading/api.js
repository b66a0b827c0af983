// Requests that survive: a lost network is waited out with back-off, an ended session asks to sign in again in place.
import { signInAgain } from "./dialogs.js";
import { request } from "./http.js";

const WAITS_MS = [500, 1000, 2000, 4000, 8000, 15000];

export class Rejected extends Error {
  constructor(status, body) {
    super(`rejected with ${status}`);
    this.status = status;
    this.body = body;
  }
}

// Back-off that ends early when the browser is back on line or the reader presses "Try now".
function wait(ms) {
  return new Promise((resolve) => {
    const finish = () => {
      clearTimeout(timer);
      window.removeEventListener("online", finish);
      document.removeEventListener("blindspot:retry", finish);
      resolve();
    };
    const timer = setTimeout(finish, ms);
    window.addEventListener("online", finish);
    document.addEventListener("blindspot:retry", finish);
  });
}

// Repeats until the server has answered. `trouble(waitMs)` is called before each wait, `fine()` once it works again.
export async function persist(room, address, body, { trouble, fine }) {
  let failures = 0;
  let freshened = false;
  for (;;) {
    let reply = null;
    try {
      reply = await request(address, body);
    } catch {
      reply = null; // no connection, or it took too long
    }
    if (reply?.ok) {
      fine();
      return reply.content;
    }
    if (reply?.status === 401) {
      await signInAgain(room);
    } else if (reply?.status === 403 && !freshened) {
      freshened = true; // the token of this page is stale: any page of the server brings a new one
      await request(room.dataset.stateUrl).catch(() => null);
    } else if (reply && reply.status < 500 && reply.status !== 429 && reply.status !== 408) {
      fine();
      throw new Rejected(reply.status, reply.content);
    } else {
      const ms = WAITS_MS[Math.min(failures, WAITS_MS.length - 1)];
      failures += 1;
      if (reply?.status === 500 && failures > 4 && body === undefined) throw new Rejected(500, null);
      trouble(ms);
      await wait(ms);
    }
  }
}
