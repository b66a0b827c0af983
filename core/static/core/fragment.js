// The secret of a link stands behind its "#", which no server sees. It is posted at once, and leaves the address bar.
function post() {
  const field = document.querySelector("[data-from-fragment]");
  const secret = window.location.hash.slice(1);
  if (!field || secret.length < 20) return;
  window.history.replaceState(null, "", window.location.pathname);
  field.value = decodeURIComponent(secret);
  field.form.requestSubmit();
}

window.addEventListener("hashchange", post); // another link, pasted while this page is open
post();
