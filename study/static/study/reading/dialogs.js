// The pause, the break reminder, and signing in again without leaving the page.
import { request } from "./http.js";
import { keyNames } from "./keys.js";
import { say } from "./texts.js";

const open = (id) => {
  const dialog = document.getElementById(id);
  dialog.showModal();
  return dialog;
};

// Resolves when the reader closes the dialog with its button or the Escape key.
export function ask(id) {
  return new Promise((resolve) => {
    open(id).addEventListener("close", resolve, { once: true });
  });
}

// The key that opened the pause ends it.
document.getElementById("pause-dialog").addEventListener("keydown", (event) => {
  if (event.repeat || !keyNames(event).includes("p")) return;
  event.stopPropagation(); // the page would take it for the next pause
  event.currentTarget.close();
});

let signingIn = null;

export function signInAgain(room) {
  signingIn ??= askToSignIn(room).finally(() => { signingIn = null; });
  return signingIn;
}

function askToSignIn(room) {
  const dialog = open("sign-in-dialog");
  const form = document.getElementById("sign-in-form");
  const stay = (event) => event.preventDefault();
  dialog.addEventListener("cancel", stay);
  form.elements[form.elements.username.value ? "password" : "username"].focus();
  return new Promise((resolve) => {
    form.onsubmit = async (event) => {
      event.preventDefault();
      const wrong = await attempt(room, new FormData(form));
      showError(wrong);
      if (wrong) return;
      form.elements.password.value = "";
      dialog.removeEventListener("cancel", stay);
      dialog.close();
      resolve();
    };
  });
}

async function attempt(room, entered) {
  const body = { username: entered.get("username"), password: entered.get("password"), code: room.dataset.code };
  const reply = await request(room.dataset.signInUrl, body).catch(() => null);
  if (reply?.ok) return "";
  if (!reply || reply.status >= 500) return say("offline");
  if (reply.status === 429) return say("sign_in_locked");
  return say(reply.status === 409 ? "sign_in_other" : "sign_in_wrong");
}

function showError(message) {
  const element = document.getElementById("sign-in-error");
  element.textContent = message;
  element.hidden = !message;
}
