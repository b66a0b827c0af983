"""Columns of the exports that are not in the tidy table, for the data dictionary."""

from study.results.exports import visibility
from study.results.tidy import AUDIT_COLUMNS, READER_COLUMNS, RESPONSE_COLUMNS, STIMULUS_COLUMNS
from study.statistics.schema import BY_NAME, Column

_OWN = {
    "is_current": Column("is_current", "boolean", "1 for the revision that counts.", allowed_values="0; 1"),
    "answer": Column(
        "answer", "text", "What was answered.", allowed_values="tumour; no_tumour; first; second",
        derivation="first and second belong to pair comparison",
    ),
    "note": Column("note", "text", "The reader's free note.", missing_code="empty"),
    "received_at_utc": Column("received_at_utc", "timestamp", "When the server stored the answer.",
                              units="UTC, server clock"),
    "language": Column("language", "text", "Language of the pages in that session.", missing_code="empty"),
    "viewing": Column("viewing", "text", "Scale, width in mm, devicePixelRatio and magnifier steps, as JSON.",
                      missing_code="empty"),
    "simulated": Column("simulated", "boolean", "1: answered by a program, not by a person.", allowed_values="0; 1"),
    "invited_at_utc": Column("invited_at_utc", "timestamp", "When the reader was assigned to the study.", units="UTC"),
    "consented_at_utc": Column("consented_at_utc", "timestamp", "When the reader consented.", units="UTC",
                               missing_code="empty"),
    "practised_at_utc": Column("practised_at_utc", "timestamp", "When the practice was finished.", units="UTC",
                               missing_code="empty"),
    "withdrawn_at_utc": Column("withdrawn_at_utc", "timestamp", "When the reader was withdrawn.", units="UTC",
                               missing_code="empty: not withdrawn"),
    "withdrawal_reason": Column("withdrawal_reason", "text", "Why.", missing_code="empty"),
    "sets": Column("sets", "integer", "Sets scheduled."),
    "sets_completed": Column("sets_completed", "integer", "Sets the reader declared finished."),
    "presentations": Column("presentations", "integer", "Presentations scheduled."),
    "answered": Column("answered", "integer", "Presentations answered."),
    "questionnaire_noticed": Column("questionnaire_noticed", "text", "Could you tell that images had been altered?",
                                    allowed_values="yes; no; unsure", missing_code="empty"),
    "questionnaire_share": Column("questionnaire_share", "integer", "Share of images thought to be altered.",
                                  units="per cent", missing_code="empty"),
    "questionnaire_difference": Column("questionnaire_difference", "text", "What was thought to differ.",
                                       missing_code="empty"),
    "questionnaire_repeats": Column("questionnaire_repeats", "text", "Were repeated patches noticed?",
                                    allowed_values="yes; no; unsure", missing_code="empty"),
    "questionnaire_comment": Column("questionnaire_comment", "text", "Anything else.", missing_code="empty"),
    "case_number": Column("case_number", "integer", "Order of drawing, from 1."),
    "tumour_cells": Column("tumour_cells", "integer", "Tumour cells according to the reference diagnosis.",
                           units="cells", missing_code="empty"),
    "number": Column("number", "integer", "Number of the event; a gap is another study's event."),
    "at_utc": Column("at_utc", "timestamp", "When the event was logged, to the microsecond.",
                     units="UTC, server clock"),
    "actor": Column("actor", "text", "Who did it: a user name, or a reader's code."),
    "action": Column("action", "text", "What was done."),
    "detail": Column("detail", "text", "What belongs to it, as JSON.",
                     derivation="under clock stands what is wrong with the time, where something is"),
    "previous_hash": Column("previous_hash", "text", "Hash of the event before it in the log of all studies."),
    "study_previous": Column("study_previous", "text", "Hash of the study's event before it; 64 zeros for the first.",
                             missing_code="empty: logged before there was this column"),
    "hash": Column("hash", "text", "SHA-256 of the text in hashed."),
    "hashed": Column("hashed", "text", "All of the event as the JSON text that is hashed; see docs/verifying.md."),
}  # fmt: skip

_IN_NORM = "in the ladder's norm"
_ENDS = "95 % interval; other readers and patches like these"


def _number(name: str, description: str, units: str = "", derivation: str = "") -> Column:
    return Column(name, "number", description, units, missing_code="empty: see reasons", derivation=derivation)


_OWN |= {
    column.name: column
    for column in (
        Column("readers", "integer", "Readers who answered pairs of this ladder."),
        Column("patches", "integer", "Patches of this ladder."),
        Column("answers", "integer", "Answers to pairs of this ladder; identical pairs are not counted."),
        Column("flips_found", "integer", "Patches on which a change was found that makes the classifier err."),
        _number("threshold", "The size of change that is seen on every second look, guesses and slips taken off.",
                _IN_NORM, "of the readers' mean, or of this reader, on the patch in the middle"),
        _number("threshold_low", "Lower end of the threshold's interval.", _IN_NORM, _ENDS),
        _number("threshold_high", "Upper end of the threshold's interval.", _IN_NORM, _ENDS),
        _number("blind_spot_index", "Share of (reader, patch) with the smallest flip below the threshold.",
                derivation="patches without a flip count as never flipping"),
        _number("index_low", "Lower end of the index's interval.", "", _ENDS),
        _number("index_high", "Upper end of the index's interval.", "", _ENDS),
        _number("index_these_low", "The same for these readers alone, lower end.", "", "95 % interval; other patches"),
        _number("index_these_high", "The same for these readers alone, upper end.", "", "95 % interval; other patches"),
        _number("safety_factor", "Median over (reader, patch) of threshold / smallest flip."),
        _number("factor_low", "Lower end of the factor's interval.", "", _ENDS),
        _number("factor_high", "Upper end of the factor's interval.", "", _ENDS),
        _number("median_flip", "Median over patches of the smallest flip.", _IN_NORM),
        _number("patch_sd", "SD over patches of the log threshold."),
        _number("slope", "Steepness of the reader's curve in the logarithm of the level."),
        _number("lapse", "Share of slips: answers that are wrong although the change is plain."),
        Column("reasons", "text", "Why a number is missing.", missing_code="empty"),
    )
}  # fmt: skip

EXTRA: dict[str, list[Column]] = {
    file: [_OWN.get(name) or BY_NAME[name] for name in columns]
    for file, columns in (
        ("responses.csv", RESPONSE_COLUMNS),
        ("readers.csv", READER_COLUMNS),
        ("stimuli.csv", STIMULUS_COLUMNS),
        ("audit_log.csv", AUDIT_COLUMNS),
        ("blind_spot.csv", visibility.COLUMNS),
        ("thresholds.csv", visibility.READER_COLUMNS),
    )
}
"""File name to its columns; columns shared with the tidy table mean the same there."""
