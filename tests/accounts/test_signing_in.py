def test_the_owner_lands_on_the_dashboard_of_their_workspace(owner):
    page = owner.get("/")

    assert page.status_code == 200
    assert "Acme Corp" in page.content.decode()


def test_an_operator_sees_the_tenants(operator_at_console):
    page = operator_at_console.get("/console/tenants/")

    assert page.status_code == 200
    assert "acme-corp" in page.content.decode()
