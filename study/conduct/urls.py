"""Addresses for running a study: planning, building, its steps, its readers."""

from django.urls import path

from study.conduct import comparison, drafts, invitations, life, planning, readers, studies, verification

app_name = "study"

urlpatterns = [
    path("plan/", planning.page, name="plan"),
    path("plan/plan.json", planning.document, name="plan_json"),
    path("studies/", studies.studies, name="studies"),
    path("compare-studies/", comparison.page, name="compare"),
    path("compare-studies.csv", comparison.table, name="compare_csv"),
    path("new-study/", drafts.new_study, name="study_new"),
    path("new-study/power", drafts.power, name="power"),
    path("studies/<slug:slug>/", studies.study, name="study"),
    path("studies/<slug:slug>/protocol/", studies.protocol, name="protocol"),
    path("studies/<slug:slug>/protocol.json", studies.protocol_json, name="protocol_json"),
    path("studies/<slug:slug>/protocol.md", studies.protocol_text, name="protocol_text"),
    path("studies/<slug:slug>/edit/", drafts.edit, name="study_edit"),
    path("studies/<slug:slug>/delete/", drafts.delete, name="study_delete"),
    path("studies/<slug:slug>/team/", life.team, name="study_team"),
    path("studies/<slug:slug>/freeze/", life.freeze, name="study_freeze"),
    path("studies/<slug:slug>/open/", life.open_to_readers, name="study_open"),
    path("studies/<slug:slug>/close/", life.close, name="study_close"),
    path("studies/<slug:slug>/unblind/", life.unblind, name="study_unblind"),
    path("studies/<slug:slug>/readers/", readers.study_readers, name="readers"),
    path("studies/<slug:slug>/readers/invited/", invitations.invited, name="invited"),
    path("studies/<slug:slug>/readers/<str:code>/invite-again/", invitations.invite_again, name="invite_again"),
    path("studies/<slug:slug>/readers/<str:code>/remind/", readers.remind, name="reader_remind"),
    path("studies/<slug:slug>/readers/<str:code>/withdraw/", readers.withdraw, name="reader_withdraw"),
    path("studies/<slug:slug>/readers/<str:code>/sets/<int:number>/reopen/", readers.reopen, name="reader_reopen"),
    path("studies/<slug:slug>/readers/<str:code>/sets/<int:number>/washout/", readers.washout, name="reader_washout"),
    path("studies/<slug:slug>/verification/", verification.page, name="verification"),
]
