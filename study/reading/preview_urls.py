"""The preview's addresses: those of the reading room, one for one, so that its templates and scripts run unchanged."""

from django.urls import path

from study.reading import preview_pages as views

app_name = "reading"

urlpatterns = [
    path("", views.home, name="home"),
    path("image/<str:token>", views.image, name="image"),
    path("guide/<str:token>", views.guide, name="guide"),
    path("study/<slug:slug>/", views.study, name="study"),
    path("study/<slug:slug>/start/", views.start, name="start"),
    path("study/<slug:slug>/consent/", views.consent, name="consent"),
    path("study/<slug:slug>/instructions/", views.instructions, name="instructions"),
    path("study/<slug:slug>/viewing/", views.viewing, name="viewing"),
    path("study/<slug:slug>/practice/", views.practice_end, name="practice_end"),
    path("study/<slug:slug>/practice/<int:number>/", views.practice, name="practice"),
    path("study/<slug:slug>/read/", views.read, name="read"),
    path("study/<slug:slug>/change/", views.change, name="change"),
    path("study/<slug:slug>/finish/", views.finish, name="finish"),
    path("study/<slug:slug>/questionnaire/", views.questionnaire, name="questionnaire"),
    path("study/<slug:slug>/state/", views.state, name="state"),
    path("study/<slug:slug>/answers/", views.answer, name="answer"),
    path("study/<slug:slug>/answers/<str:token>/", views.given, name="given"),
    path("study/<slug:slug>/sign-in/", views.sign_in, name="sign_in"),
]
