"""Proof of blinding: read a study as its readers do, and try to tell arms and twins from everything received.

seen.py      what a reader's browser receives for one presentation
channels.py  everything besides the pixels that could tell arms or twins apart
predict.py   cross-validated prediction, tested against redrawn schedules
guess.py     schedules drawn from seeds that anybody may try, compared with those that readers have
redraw.py    the labels that presentations would have under other seeds
audit.py     a verdict on each channel, and the report
browser.py   one program that acts as a reader's browser, for the audit, the rehearsal and the reading benchmark
walk.py      the audit's way through a study: everything that a reader receives, and probes
scratch.py   a copy of the study, on a server of its own, so that the study itself is not touched
servers.py   this project served on a free port of the loopback
served.py    what the server of such a copy serves
plants.py    leaks that can be planted, one at a time, to prove that the audit finds them
auditing.py  runs the audit on a study and keeps its report
rehearsal.py simulated readers who answer a study through its pages
requests.py  what a rehearsal can be asked for

seen, channels, predict, guess, redraw and audit use neither Django nor a network.
"""
