"""Addresses: signing in and out, the token, the health check."""

from django.urls import path

from core import accounts, health

urlpatterns = [
    path("sign-in/", accounts.SignIn.as_view(), name="sign_in"),
    path("sign-out/", accounts.SignOut.as_view(), name="sign_out"),
    path("healthz", health.healthz, name="healthz"),
    path("token/", accounts.token, name="token"),
]
