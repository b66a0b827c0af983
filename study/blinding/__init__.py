"""Proof of blinding: walk a study as a reader does, and try to tell the arm and the twins from all that was received.

seen.py      what a reader's browser receives for one presentation
channels.py  the ways in which something could be told, and what each of them promises
predict.py   cross-validated prediction, tested against schedules drawn anew
redraw.py    the labels that the presentations would have had under other seeds
audit.py     a channel's verdict, and the report
browser.py   one program that acts as a reader's browser, for the audit, the rehearsal and the reading benchmark
walk.py      the audit's way through a study: everything that a reader receives, and probes
scratch.py   a copy of the study, on a server of its own, so that the study itself is not touched
servers.py   this project served on a free port of the loopback
served.py    what the server of such a copy serves
plants.py    leaks to be planted, one at a time, to prove that they would be found
auditing.py  runs the audit on a study and keeps its report
rehearsal.py simulated readers who answer a study through its pages

seen, channels, predict, redraw and audit know neither Django nor a network.
"""
