"""The demo's inbox: every mail, with links that work, in development alone."""

import re
import subprocess
import sys

import pytest
from django.core import mail
from django.core.checks import run_checks
from django.core.mail import EmailMultiAlternatives

from plexica.settings.environment import BASE_DIR


@pytest.fixture
def folder(settings, tmp_path):
    """Mails are written here, as the demo writes them."""
    settings.EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    settings.EMAIL_FILE_PATH = str(tmp_path)
    return tmp_path


def send(subject, *, text="Hello", html="", to="ada@acme.example", **headers):
    message = EmailMultiAlternatives(subject, text, to=[to], headers=headers)
    if html:
        message.attach_alternative(html, "text/html")
    message.send()


def keys_on(page):
    return re.findall(r'href="/inbox/([\w-]+)/"', page.content.decode())


def test_mails_are_listed_newest_first(folder, visitor, db):
    send("The second", Date="Sun, 22 Nov 2026 05:00:00 +0000")
    send("The first", Date="Sun, 22 Nov 2026 06:30:00 +0200", to="bo@acme.example")
    send("The third", Date="Sun, 22 Nov 2026 06:00:00 +0000")

    text = visitor().get("/inbox/").content.decode()

    assert re.findall(r">(The \w+)</a>", text) == ["The third", "The second", "The first"]
    assert "bo@acme.example" in text


def test_several_mails_of_one_connection_are_several(folder, visitor, db):
    with mail.get_connection() as connection:
        connection.send_messages(
            [EmailMultiAlternatives(f"Number {n}", "-" * 79, to=["a@b.example"]) for n in range(3)]
        )

    assert len(keys_on(visitor().get("/inbox/"))) == 3


def test_an_empty_inbox_says_what_to_do(folder, visitor, db):
    assert "No mail yet" in visitor().get("/inbox/").content.decode()


def test_one_mail_is_shown_as_text_whose_links_work(folder, visitor, db):
    send("Come in", text="Open http://acme-corp.localhost:8000/invitations/abc/ now", html="<p>Open</p>")
    (key,) = keys_on(visitor().get("/inbox/"))

    page = visitor().get(f"/inbox/{key}/")

    assert '<a href="http://acme-corp.localhost:8000/invitations/abc/"' in page.content.decode()
    assert "frame-src 'self'" in page["Content-Security-Policy"]


def test_a_mails_html_can_run_nothing_and_goes_nowhere_by_itself(folder, visitor, db):
    send("Beware", html='<p style="color:red">Red</p><script>alert(1)</script>')
    (key,) = keys_on(visitor().get("/inbox/"))

    page = visitor().get(f"/inbox/{key}/")
    content = visitor().get(f"/inbox/{key}/content/")

    assert 'sandbox="allow-popups allow-popups-to-escape-sandbox"' in page.content.decode()
    assert "alert(1)" not in page.content.decode()
    policy = content["Content-Security-Policy"]
    assert "sandbox allow-popups allow-popups-to-escape-sandbox" in policy
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'self'" in policy
    assert content["X-Frame-Options"] == "SAMEORIGIN"
    assert '<base target="_blank"><p style="color:red">' in content.content.decode()


@pytest.mark.parametrize("key", ["nothing", "20261122-0", "etc-passwd-0"])
def test_made_up_mails_are_not_found(key, folder, visitor, db):
    assert visitor().get(f"/inbox/{key}/").status_code == 404
    assert visitor().get(f"/inbox/{key}/content/").status_code == 404


def test_workspaces_have_no_inbox(folder, visitor, acme, db):
    assert visitor(acme).get("/inbox/").status_code == 404


ADDRESS = """
import django
from django.conf import settings
from django.urls import reverse
django.setup()
print(settings.SHOW_INBOX)
print(reverse("inbox"))
"""


@pytest.mark.parametrize(
    ("env", "shown"),
    [
        ({"PLEXICA_ENV": "development"}, True),
        ({"PLEXICA_ENV": "development", "PLEXICA_MAIL_DIR": "", "PLEXICA_EMAIL_URL": "smtp://mail.example"}, False),
        ({"PLEXICA_ENV": "production", "PLEXICA_PASSWORD_ITERATIONS": ""}, False),
    ],
    ids=["demo", "development-with-a-mail-server", "production-with-files"],
)
def test_only_a_development_that_writes_files_has_the_address(env, shown, monkeypatch):
    for name, value in {"DJANGO_SETTINGS_MODULE": "plexica.settings", **env}.items():
        monkeypatch.setenv(name, value)

    asked = subprocess.run([sys.executable, "-c", ADDRESS], cwd=BASE_DIR, capture_output=True, text=True, check=False)

    assert asked.stdout.splitlines()[:1] == [str(shown)], asked.stderr
    assert (asked.returncode == 0) is shown
    assert shown or "NoReverseMatch" in asked.stderr


def test_djangos_check_refuses_an_inbox_in_production(settings):
    settings.SHOW_INBOX, settings.DEVELOPMENT = True, False

    found = [one.id for one in run_checks(include_deployment_checks=True)]

    assert "inbox.E001" in found
