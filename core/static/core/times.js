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
