"""The reading room's addresses. A browser can name a presentation by its opaque token alone."""

from django.urls import path

from study.reading import api as reading_api
from study.reading import images as reading_images
from study.reading import join as invitations
from study.reading import pages as reading
from study.reading import room as reading_room

app_name = "reading"

urlpatterns = [
    path("", reading.home, name="home"),
    path("join/<str:secret>/", invitations.join, name="join"),
    path("image/<str:token>", reading_images.stimulus, name="image"),
    path("guide/<str:token>", reading_images.guide, name="guide"),
    path("study/<slug:slug>/", reading.study, name="study"),
    path("study/<slug:slug>/consent/", reading.consent, name="consent"),
    path("study/<slug:slug>/instructions/", reading.instructions, name="instructions"),
    path("study/<slug:slug>/viewing/", reading.viewing, name="viewing"),
    path("study/<slug:slug>/practice/", reading.practice_end, name="practice_end"),
    path("study/<slug:slug>/practice/<int:number>/", reading.practice, name="practice"),
    path("study/<slug:slug>/read/", reading_room.read, name="read"),
    path("study/<slug:slug>/change/", reading_room.change, name="change"),
    path("study/<slug:slug>/finish/", reading_room.finish, name="finish"),
    path("study/<slug:slug>/questionnaire/", reading.questionnaire, name="questionnaire"),
    path("study/<slug:slug>/state/", reading_api.state, name="state"),
    path("study/<slug:slug>/answers/", reading_api.answer, name="answer"),
    path("study/<slug:slug>/answers/<str:token>/", reading_api.given, name="given"),
    path("study/<slug:slug>/sign-in/", reading_api.sign_in, name="sign_in"),
]
