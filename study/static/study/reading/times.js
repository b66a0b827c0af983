// Times that the server gives in UTC, in the reader's own time zone.
const language = document.documentElement.lang === "en" ? "en-GB" : document.documentElement.lang;
const format = new Intl.DateTimeFormat(language, { dateStyle: "full", timeStyle: "short" });

for (const element of document.querySelectorAll("time[datetime]")) {
  element.textContent = format.format(new Date(element.dateTime));
}
