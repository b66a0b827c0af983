// Sends a form with a file so that one sees how far it is. Without this the browser sends it, and shows nothing.
const number = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 0 });

function watch(form) {
  form.addEventListener("submit", (event) => {
    const files = [...form.querySelectorAll("input[type=file]")].filter((input) => input.files.length);
    if (files.length === 0) return; // nothing to wait for
    event.preventDefault();
    send(form);
  });
}

function send(form) {
  const line = form.querySelector(".sending");
  const [bar, words] = [line.querySelector("progress"), line.querySelector("[role=status]")];
  const button = form.querySelector("button[type=submit]");
  const request = new XMLHttpRequest();
  line.hidden = false;
  button.disabled = true;
  words.textContent = "Sending…";
  request.upload.addEventListener("progress", (event) => {
    if (!event.lengthComputable) return;
    bar.value = event.loaded / event.total;
    words.textContent = event.loaded < event.total
      ? `${number.format(event.loaded / 1e6)} of ${number.format(event.total / 1e6)} MB sent`
      : "Sent; being checked…";
  });
  request.addEventListener("load", () => {
    if (request.status < 400) return location.assign(request.responseURL);
    const page = new DOMParser().parseFromString(request.responseText, "text/html");
    const main = page.querySelector("main");
    if (!main || !main.querySelector("form")) return failed(`The server answered ${request.status}.`);
    document.querySelector("main").replaceWith(main);
    for (const next of main.querySelectorAll("form[enctype='multipart/form-data']")) watch(next);
    main.querySelector("[role=alert]")?.scrollIntoView({ block: "center" });
  });
  const failed = (why) => {
    button.disabled = false;
    words.textContent = `${why} Nothing was imported; try again.`;
  };
  request.addEventListener("error", () => failed("The connection broke off."));
  request.open("POST", location.href);
  request.send(new FormData(form));
}

for (const form of document.querySelectorAll("form[enctype='multipart/form-data']")) watch(form);
