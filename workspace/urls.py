from django.urls import path

from workspace.views import dashboard, people

urlpatterns = [
    path("", dashboard.dashboard, name="dashboard"),
    path("sign-ins.csv", dashboard.sign_ins_csv, name="sign_ins_csv"),
    path("team/", people.team_list, name="team_list"),
    path("profile/", people.profile, name="profile"),
    path("search/", people.workspace_search, name="workspace_search"),
    path("brand.css", people.brand_css, name="brand_css"),
]
