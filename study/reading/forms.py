"""What comes in from the reading pages, as forms: the plain page and the JSON of the page with JavaScript alike."""

from datetime import UTC, datetime
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy

from core.errors import InvalidInput
from core.texts import encodable
from study.models import Response
from study.reading.answers import LONGEST_MS, MAX_CELLS, MAX_NOTE, NOTICED, SentAnswer

EARLIEST, LATEST = datetime(1900, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)


class ClientTime(forms.DateTimeField):
    """A time of the browser's clock, which may be wrong, but not by so much that no database can hold it in UTC."""

    def clean(self, value: Any) -> datetime | None:
        try:
            time = super().clean(value)
            if time is None or EARLIEST <= time <= LATEST:
                return time
        except (OverflowError, ValueError):  # its time zone takes it out of the years 1 to 9999
            pass
        raise ValidationError("Enter a valid date/time.")


def text_of(value: Any) -> str:
    """A text that the database can hold, else InvalidInput: JSON can hold numbers, lists and half characters."""
    if not isinstance(value, str) or not encodable(value):
        raise InvalidInput("this must be a text.")
    return value


ANSWER_FIELDS: dict[str, forms.Field] = {
    "token": forms.CharField(max_length=32),
    "key": forms.CharField(min_length=8, max_length=64),
    "replaces": forms.IntegerField(min_value=0, max_value=32_767, required=False),
    "answer": forms.ChoiceField(choices=Response.Answer.choices),
    "confidence": forms.IntegerField(min_value=1, max_value=5, required=False),
    "tumour_cell_count": forms.IntegerField(min_value=0, max_value=MAX_CELLS, required=False),
    "perturbed_response": forms.NullBooleanField(required=False),
    "note": forms.CharField(max_length=MAX_NOTE, required=False),
    "rt_ms": forms.FloatField(min_value=0, max_value=LONGEST_MS, required=False),
    "focus_lost_ms": forms.FloatField(min_value=0, max_value=LONGEST_MS, required=False),
    "shown_at": ClientTime(required=False),
    "answered_at": ClientTime(required=False),
    "viewing": forms.JSONField(required=False),
}
"""Cleaned one by one: a JSON document can hold a value of a kind that no form sends, and its name is to be told."""


def require_valid(form: forms.Form) -> dict[str, Any]:
    """The form's cleaned values.

    Raises:
        InvalidInput: naming the first field that is wrong.
    """
    if form.is_valid():
        return form.cleaned_data
    name, errors = next(iter(form.errors.items()))
    raise InvalidInput(f"{errors[0]}", field=name)


def read_answer(data: Any) -> dict[str, Any]:
    """The arguments of ``answers.record_answer`` from a form's or a JSON document's fields.

    Raises:
        InvalidInput: naming the field.
    """
    values = {}
    for name, field in ANSWER_FIELDS.items():
        try:
            sent = field.widget.value_from_datadict(data, {}, name)
            if isinstance(sent, str) and not encodable(sent):
                raise ValidationError("A text with half a character in it cannot be stored.")
            values[name] = field.clean(sent)
        except ValidationError as error:
            raise InvalidInput(f"{error.messages[0]}", field=name) from None
        except (TypeError, AttributeError, ValueError, OverflowError, RecursionError):
            raise InvalidInput("a value of this kind does not fit here.", field=name) from None
    token, key, replaces, viewing = (values.pop(name) for name in ("token", "key", "replaces", "viewing"))
    answer = SentAnswer(viewing=viewing if isinstance(viewing, dict) else {}, **values)
    return {"token": token, "key": key, "replaces": replaces or 0, "sent": answer}


_CHOOSE = dict.fromkeys(("required", "invalid_choice"), gettext_lazy("Choose one of the answers."))
_PERCENTAGE = dict.fromkeys(("invalid", "min_value", "max_value"), gettext_lazy("Enter a percentage from 0 to 100."))


class QuestionnaireForm(forms.Form):
    noticed = forms.ChoiceField(choices=[(value, value) for value in NOTICED], error_messages=_CHOOSE)
    share = forms.IntegerField(min_value=0, max_value=100, required=False, error_messages=_PERCENTAGE)
    difference = forms.CharField(max_length=MAX_NOTE, required=False)
    repeats = forms.ChoiceField(choices=[(value, value) for value in NOTICED], error_messages=_CHOOSE)
    comment = forms.CharField(max_length=MAX_NOTE, required=False)
