"""The reading pages' addresses, for readers and for the preview. A presentation is named by its opaque token alone."""

from django.urls import path

from study.reading import about, api, images, join, pages, room, stored

app_name = "reading"

shared = [
    path("help/", about.help_page, name="help"),
    path("about/", about.about, name="about"),
    path("stored/", stored.stored, name="stored"),
    path("image/<str:token>", images.stimulus, name="image"),
    path("guide/<str:token>", images.guide, name="guide"),
    path("study/<slug:slug>/", pages.study, name="study"),
    path("study/<slug:slug>/consent/", pages.consent, name="consent"),
    path("study/<slug:slug>/instructions/", pages.instructions, name="instructions"),
    path("study/<slug:slug>/viewing/", pages.viewing, name="viewing"),
    path("study/<slug:slug>/practice/", pages.practice_end, name="practice_end"),
    path("study/<slug:slug>/practice/<int:number>/", pages.practice, name="practice"),
    path("study/<slug:slug>/read/", room.read, name="read"),
    path("study/<slug:slug>/change/", room.change, name="change"),
    path("study/<slug:slug>/finish/", room.finish, name="finish"),
    path("study/<slug:slug>/questionnaire/", pages.questionnaire, name="questionnaire"),
    path("study/<slug:slug>/state/", api.state, name="state"),
    path("study/<slug:slug>/answers/", api.answer, name="answer"),
    path("study/<slug:slug>/answers/<str:token>/", api.own_answer, name="own_answer"),
    path("study/<slug:slug>/sign-in/", api.sign_in, name="sign_in"),
]

urlpatterns = [
    path("", pages.home, name="home"),
    path("join/", join.join, name="join"),
    *shared,
]

preview = [
    path("", pages.preview_home, name="home"),
    path("study/<slug:slug>/begin-again/", pages.begin_again, name="begin_again"),
    *shared,
]
