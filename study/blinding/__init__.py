"""Proof of blinding: walk a study as a reader does, and try to tell the arm and the twins from all that was received.

seen.py      what a reader's browser receives for one presentation
channels.py  the ways in which something could be told, and what each of them promises
predict.py   cross-validated prediction, tested against schedules drawn anew
redraw.py    the labels that the presentations would have had under other seeds
audit.py     a channel's verdict, and the report
walk.py      a browser that keeps everything
scratch.py   a copy of the study, on a server of its own, so that the study itself is not touched
plants.py    leaks to be planted, one at a time, to prove that they would be found

seen, channels, predict, redraw and audit know neither Django nor a network.
"""
