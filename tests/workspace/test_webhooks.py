"""Pages about webhooks, and the mail about one that was disabled."""

import re

import pytest
from django.utils import timezone

from accounts.event_handlers import tell_of_disabled_webhook
from accounts.tasks import mail_webhook_disabled
from core.actors import SYSTEM
from core.tenancy import enter
from events.subscribing import EventContext
from events.webhooks.models import Attempt, Delivery, Webhook
from events.webhooks.services import make_webhook, send_test
from plexica_sdk.events import WebhookDisabled

URL = "https://hooks.example/in"


@pytest.fixture
def webhook(acme, owner):
    with enter(acme):
        return make_webhook(url=URL, events=["plexica.member.*"], description="Warehouse", actor=SYSTEM).webhook


@pytest.fixture
def page(webhook):
    return f"/webhooks/{webhook.pk}/"


def now(webhook, acme):
    with enter(acme):
        return Webhook.objects.get(pk=webhook.pk)


def test_a_webhook_is_made_and_its_secret_shown_once(owner, acme):
    made = owner.post("/webhooks/create/", {"url": URL, "events": ["plexica.member.*", "plexica.role.made"]})

    text = made.content.decode()
    with enter(acme):
        webhook = Webhook.objects.get()
    assert made["Cache-Control"] == "no-store"
    assert webhook.secret in text
    assert webhook.events == ["plexica.member.*", "plexica.role.made"]
    for path in ("/webhooks/", f"/webhooks/{webhook.pk}/", f"/webhooks/{webhook.pk}/change/"):
        shown = owner.get(path).content.decode()
        assert "hooks.example" in shown
        assert "whsec_" not in shown


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"url": "http://hooks.example/", "events": ["plexica.*"]}, "begins with https://"),
        ({"url": "https://127.0.0.1/", "events": ["plexica.*"]}, "private network"),
        ({"url": URL, "events": []}, "Choose at least one"),
    ],
)
def test_wrong_values_bring_the_form_back(owner, acme, values, words):
    answer = owner.post("/webhooks/create/", values)

    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert values["url"] in answer.content.decode()
    with enter(acme):
        assert not Webhook.objects.exists()


def test_a_webhook_is_changed_and_a_stale_form_is_refused(owner, acme, webhook, page):
    form = owner.get(f"{page}change/")
    version = re.search(r'name="version" value="(\d+)"', form.content.decode()).group(1)
    values = {"url": f"{URL}/2", "events": ["plexica.*"], "description": "", "version": version}

    changed = owner.post(f"{page}change/", values, page=form)
    stale = owner.post(f"{page}change/", values | {"url": f"{URL}/3"}, page=form)

    assert (changed.status_code, stale.status_code) == (302, 412)
    assert (now(webhook, acme).url, now(webhook, acme).events) == (f"{URL}/2", ["plexica.*"])


def test_a_webhook_is_disabled_enabled_rotated_and_deleted(owner, acme, webhook, page):
    secret = webhook.secret

    owner.post(f"{page}disable/")
    stopped = owner.get(page).content.decode()
    owner.post(f"{page}enable/")
    rotated = owner.post(f"{page}rotate/").content.decode()
    kept = now(webhook, acme)
    question = owner.get(f"{page}delete/").content.decode()
    owner.post(f"{page}delete/")

    assert "Somebody disabled it." in stopped
    assert (kept.state, kept.previous_secret) == ("active", secret)
    assert kept.secret in rotated
    assert "Deliveries in its log" in question
    with enter(acme):
        assert not Webhook.objects.exists()


def test_a_test_leads_to_its_delivery_which_looks_again_until_there_is_an_answer(owner, acme, webhook, page):
    sent = owner.post(f"{page}test/", page=owner.get(page))
    live = owner.get(sent["Location"]).content.decode()
    with enter(acme):
        delivery = Delivery.objects.get()
        Attempt.objects.create(
            delivery=delivery,
            started_at=delivery.created_at,
            duration_ms=12,
            request_headers={"webhook-id": str(delivery.pk)},
            status_code=500,
            response_body="<script>alert(1)</script>",
        )
        Delivery.objects.update(status="failed", tries=1)
    done = owner.get(sent["Location"]).content.decode()
    again = owner.post(f"{sent['Location']}send-again/", page=owner.get(sent["Location"]))

    assert 'hx-trigger="every 2s"' in live
    assert 'hx-trigger="every 2s"' not in done
    assert "Answer 500" in done
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in done
    assert "<script>alert(1)" not in done
    assert again.status_code == 302
    with enter(acme):
        assert Delivery.objects.get().status == "waiting"


def test_deliveries_are_narrowed_by_what_became_of_them(owner, acme, webhook, page):
    with enter(acme):
        send_test(webhook_id=webhook.pk, actor=SYSTEM)

    assert "A test" in owner.get(f"{page}?status=waiting").content.decode()
    assert "No delivery fits" in owner.get(f"{page}?status=failed").content.decode()


def test_another_tenants_webhook_has_no_pages_here(owner, globex, acme):
    with enter(globex):
        theirs = make_webhook(url=URL, events=["plexica.*"], actor=SYSTEM).webhook
        delivery = send_test(webhook_id=theirs.pk, actor=SYSTEM)
    token = owner.get("/webhooks/")
    path = f"/webhooks/{theirs.pk}/"

    reads = [owner.get(f"{path}{end}").status_code for end in ("", "change/", "rotate/", "disable/", "delete/")]
    reads.append(owner.get(f"{path}deliveries/{delivery.pk}/").status_code)
    writes = [
        owner.post(f"{path}{end}", page=token).status_code
        for end in ("test/", "rotate/", "enable/", "disable/", "delete/", f"deliveries/{delivery.pk}/send-again/")
    ]

    assert set(reads + writes) == {404}
    assert "hooks.example" not in token.content.decode()
    with enter(globex):
        assert Webhook.objects.get().version == 1


def test_only_who_may_sees_the_entry_in_the_menu(owner, member):
    assert 'href="/webhooks/"' in owner.get("/").content.decode()
    assert 'href="/webhooks/"' not in member.get("/").content.decode()


# -- the mail


def context(tenant):
    return EventContext(tenant, 1, timezone.now(), "system", None, "", 1)


def test_who_may_manage_webhooks_is_mailed_unless_somebody_disabled_it(acme, owner, webhook, person_of, monkeypatch):
    mailed = []
    monkeypatch.setattr(mail_webhook_disabled, "delay", lambda *args: mailed.append(args))

    with enter(acme):
        for reason in ("person", "failing"):
            tell_of_disabled_webhook(WebhookDisabled(webhook_id=webhook.pk, reason=reason), context(acme))

    assert mailed == [(str(person_of("owner").pk), str(webhook.pk))]


@pytest.mark.parametrize(("language", "subject"), [("en", "is disabled"), ("it", "è disattivato")])
def test_the_mail_speaks_the_readers_language_and_leads_to_the_webhook(
    acme, owner, webhook, person_of, mailoutbox, language, subject
):
    person = person_of("owner")
    with enter(acme):
        type(person).objects.filter(pk=person.pk).update(language=language)
        Webhook.objects.update(status="disabled", disabled_because="failing", disabled_at=timezone.now())

        mail_webhook_disabled(str(person.pk), str(webhook.pk))

    (mail,) = mailoutbox
    assert mail.to == [person.email]
    assert subject in mail.subject
    assert "Warehouse" in mail.subject
    assert f"/webhooks/{webhook.pk}/" in mail.body


def test_nobody_is_mailed_about_a_webhook_that_works_again(acme, owner, webhook, person_of, mailoutbox):
    with enter(acme):
        mail_webhook_disabled(str(person_of("owner").pk), str(webhook.pk))

    assert not mailoutbox
