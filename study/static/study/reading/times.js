// Times that the server gives in UTC, in the reader's own time zone.
const format = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "full", timeStyle: "short" });

for (const element of document.querySelectorAll("time[datetime]")) {
  element.textContent = format.format(new Date(element.dateTime));
}
