// One request, with the page's token against forged ones and a limit on how long it may take.
const TIMEOUT_MS = 15000;

function csrfToken() {
  return document.cookie.match(/(?:^|;\s*)csrftoken=([^;]+)/)?.[1] ?? "";
}

// A sign-in changes the token; forms that were on the page before it take the new one along when they are sent.
document.addEventListener("submit", (event) => {
  const hidden = event.target.elements.namedItem("csrfmiddlewaretoken");
  if (hidden && csrfToken()) hidden.value = csrfToken();
}, { capture: true });

export async function request(address, body) {
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), TIMEOUT_MS);
  const options = { credentials: "same-origin", cache: "no-store", signal: abort.signal };
  if (body !== undefined) {
    options.method = "POST";
    options.headers = { "Content-Type": "application/json", "X-CSRFToken": csrfToken() };
    options.body = JSON.stringify(body);
  }
  try {
    const response = await fetch(address, options);
    const isJson = response.headers.get("Content-Type")?.startsWith("application/json");
    // The body is read inside the time limit: a connection can also die half-way through it.
    const content = isJson ? await response.json() : await response.blob();
    return { status: response.status, ok: response.ok, content };
  } finally {
    clearTimeout(timer);
  }
}
