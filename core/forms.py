"""Fields that forms share."""

from django import forms

SEED = forms.IntegerField(
    initial=0, min_value=0, max_value=2**32 - 1, help_text="Equal seeds and settings give equal results."
)
