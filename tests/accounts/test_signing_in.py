from django.urls import reverse


def test_the_owner_lands_on_the_dashboard_of_their_workspace(owner):
    page = owner.get("/")

    assert page.status_code == 200
    assert "Acme Corp" in page.content.decode()


def test_the_session_of_one_tenant_is_nobody_at_another(owner, globex, visitor):
    there = visitor(globex, cookies=owner.cookies)

    answer = there.get("/")

    assert answer.status_code == 302
    assert answer["Location"].startswith(reverse("oidc_authentication_init"))


def test_a_member_of_a_tenant_is_nobody_at_the_console(owner, visitor):
    answer = visitor(cookies=owner.cookies).get("/console/tenants/")

    assert answer.status_code == 302


def test_an_operator_sees_the_tenants(operator_at_console):
    page = operator_at_console.get("/console/tenants/")

    assert page.status_code == 200
    assert "acme-corp" in page.content.decode()
