// Times that the server gives in UTC, in the viewer's zone, with its name; UTC stays in the hint.
const { lang } = document.documentElement;
const calm = document.body.classList.contains("calm"); // readers' pages: the day of the week helps
const format = (seconds) => new Intl.DateTimeFormat(lang.startsWith("en") ? "en-GB" : lang, {
  ...(calm && { weekday: "long" }), ...(seconds && { second: "2-digit" }),
  year: "numeric", month: calm ? "long" : "short", day: "numeric", hour: "2-digit", minute: "2-digit", timeZoneName: "short",
});
const [toTheMinute, toTheSecond] = [format(false), format(true)];

for (const element of document.querySelectorAll("time[datetime]")) {
  element.title = element.textContent;
  element.textContent = ("seconds" in element.dataset ? toTheSecond : toTheMinute).format(new Date(element.dateTime));
}

// A time that is asked for is entered in the same zone, and sent with it. Without scripts the field is in UTC and says so.
const zone = toTheMinute.formatToParts(new Date()).find((part) => part.type === "timeZoneName")?.value ?? "";
for (const input of document.querySelectorAll('input[type="datetime-local"]')) {
  const words = input.labels[0]?.firstChild;
  if (words) words.textContent = words.textContent.replace("UTC", zone);
  input.form?.addEventListener("formdata", ({ formData }) => {
    if (input.value) formData.set(input.name, new Date(input.value).toISOString());
  });
}

/** A text in which every time, as logs write it, stands in the viewer's zone. */
export const inViewersZone = (text) =>
  text.replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)/g, (time) => toTheSecond.format(new Date(time)));
