"""Included by the workspace below profile/, by the console below console/profile/."""

from django.urls import path

from accounts.profile import security, sessions, two_factor

urlpatterns = [
    path("security/", security.profile_security, name="profile_security"),
    path("security/two-factor/on/", two_factor.profile_two_factor_on, name="profile_two_factor_on"),
    path("security/two-factor/codes/", two_factor.profile_two_factor_codes, name="profile_two_factor_codes"),
    path("security/two-factor/off/", two_factor.profile_two_factor_off, name="profile_two_factor_off"),
    path("sessions/", sessions.profile_sessions, name="profile_sessions"),
    path("sessions/end-others/", sessions.profile_sessions_end_others, name="profile_sessions_end_others"),
    path("sessions/end-all/", sessions.profile_sessions_end_all, name="profile_sessions_end_all"),
    path("sessions/<uuid:session_id>/end/", sessions.profile_session_end, name="profile_session_end"),
]
