"""Addresses: signing in and out, one's account and password, people, the token, the health check."""

from django.urls import path

from core import accounts, health, languages, passwords, people, second_factor

urlpatterns = [
    path("sign-in/", accounts.SignIn.as_view(), name="sign_in"),
    path("sign-in/code/", second_factor.sign_in_code, name="sign_in_code"),
    path("language/", languages.choose, name="set_language"),
    path("sign-out/", accounts.SignOut.as_view(), name="sign_out"),
    path("healthz", health.healthz, name="healthz"),
    path("account/", accounts.account, name="account"),
    path("account/password/", passwords.change, name="password_change"),
    path("account/second-factor/", second_factor.second_factor, name="second_factor"),
    path("account/second-factor/confirm/", second_factor.confirm, name="second_factor_confirm"),
    path("password/forgotten/", passwords.forgotten, name="password_forgotten"),
    path("password/new/", passwords.new, name="password_new"),
    path("people/", people.people, name="people"),
    path("people/<int:pk>/link/", people.link, name="people_link"),
    path("people/<int:pk>/second-factor/", people.second_factor, name="people_second_factor"),
    path("token/", accounts.token, name="token"),
]
