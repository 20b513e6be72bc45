"""A tenant's key opens its bucket and nothing else: tried against the real S3 server."""

import json
import time
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from botocore.exceptions import ClientError
from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command

from core.actors import SYSTEM
from core.audit.models import AuditEntry
from core.errors import Unavailable
from core.tenancy import enter
from storage.adapters import Key, store
from storage.adapters.s3.clients import client_for
from storage.keys import services
from storage.keys.errors import BucketKeyMissing
from storage.keys.models import BucketKey
from storage.keys.services import current_key, ensure_key, rotate_key
from storage.steps import BucketStep
from tests.support.raw import superuser

ELSEWHERE = "px-nobody-has-this"


@pytest.fixture
def pair(new_tenant):
    """Two tenants of the test's own, the second with a secret."""
    ours, theirs = new_tenant().ref, new_tenant().ref
    with enter(theirs):
        default_storage.save("secret.txt", ContentFile(b"secret"))
    return ours, theirs


def key_of(ref):
    with enter(ref):
        return current_key()


def client_of(ref, service="s3"):
    return client_for(service, settings.S3_ENDPOINT_URL, key_of(ref))


def refused(call, **arguments):
    with pytest.raises(ClientError) as refusal:
        call(**arguments)
    return refusal.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


FOREIGN = {
    "put": lambda s3, a, b: s3.put_object(Bucket=b, Key="x", Body=b"x"),
    "get": lambda s3, a, b: s3.get_object(Bucket=b, Key="secret.txt"),
    "head": lambda s3, a, b: s3.head_object(Bucket=b, Key="secret.txt"),
    "list": lambda s3, a, b: s3.list_objects_v2(Bucket=b),
    "list_versions": lambda s3, a, b: s3.list_object_versions(Bucket=b),
    "list_uploads": lambda s3, a, b: s3.list_multipart_uploads(Bucket=b),
    "copy_from": lambda s3, a, b: s3.copy_object(Bucket=a, Key="loot", CopySource=f"{b}/secret.txt"),
    "copy_to": lambda s3, a, b: s3.copy_object(Bucket=b, Key="planted", CopySource=f"{a}/own.txt"),
    "delete": lambda s3, a, b: s3.delete_object(Bucket=b, Key="secret.txt"),
    "start_upload": lambda s3, a, b: s3.create_multipart_upload(Bucket=b, Key="x"),
    "tag": lambda s3, a, b: s3.put_object_tagging(Bucket=b, Key="secret.txt", Tagging={"TagSet": []}),
    "create_bucket": lambda s3, a, b: s3.create_bucket(Bucket=ELSEWHERE),
    "create_bucket_of_like_name": lambda s3, a, b: s3.create_bucket(Bucket=f"{a}-2"),
    "delete_bucket": lambda s3, a, b: s3.delete_bucket(Bucket=b),
    "delete_own_bucket": lambda s3, a, b: s3.delete_bucket(Bucket=a),
    "open_own_bucket_to_all": lambda s3, a, b: s3.put_bucket_acl(Bucket=a, ACL="public-read"),
    "permit_own_bucket_to_all": lambda s3, a, b: s3.put_bucket_policy(Bucket=a, Policy="{}"),
}


def test_a_tenants_key_opens_nothing_but_its_files(pair):
    ours, theirs = pair
    s3 = client_of(ours)
    s3.put_object(Bucket=ours.bucket, Key="own.txt", Body=b"own")

    opened = [
        name
        for name, attack in FOREIGN.items()
        if not refused(lambda attack=attack: attack(s3, ours.bucket, theirs.bucket))
    ]

    assert opened == []
    assert [entry["Key"] for entry in client_of(theirs).list_objects_v2(Bucket=theirs.bucket)["Contents"]] == [
        "secret.txt"
    ]
    assert [entry["Key"] for entry in s3.list_objects_v2(Bucket=ours.bucket)["Contents"]] == ["own.txt"]
    assert not store().bucket_exists(ELSEWHERE)


def test_a_tenants_key_may_not_set_versions_of_its_bucket(pair):
    """Twenty times in a row: SeaweedFS permits it for moments in which it takes over a change of users (ADR 22)."""
    ours, _ = pair
    s3, until, in_a_row = client_of(ours), time.monotonic() + 60, 0

    def answered():
        try:
            s3.put_bucket_versioning(Bucket=ours.bucket, VersioningConfiguration={"Status": "Suspended"})
        except ClientError as error:
            return error.response["ResponseMetadata"]["HTTPStatusCode"]
        return 200

    while in_a_row < 20 and time.monotonic() < until:
        in_a_row = in_a_row + 1 if answered() == 403 else 0

    assert in_a_row == 20


def test_parts_of_an_upload_cannot_be_copied_from_another_bucket(pair):
    ours, theirs = pair
    s3 = client_of(ours)
    upload = s3.create_multipart_upload(Bucket=ours.bucket, Key="loot")

    assert refused(
        s3.upload_part_copy,
        Bucket=ours.bucket,
        Key="loot",
        UploadId=upload["UploadId"],
        PartNumber=1,
        CopySource=f"{theirs.bucket}/secret.txt",
    )


def test_deleting_many_at_once_deletes_nothing_of_another_tenant(pair):
    ours, theirs = pair

    said = client_of(ours).delete_objects(Bucket=theirs.bucket, Delete={"Objects": [{"Key": "secret.txt"}]})

    assert [error["Code"] for error in said["Errors"]] == ["AccessDenied"]
    with enter(theirs):
        assert default_storage.exists("secret.txt")


def test_the_list_of_buckets_shows_a_tenant_its_own_alone(pair):
    ours, _ = pair

    listed = client_of(ours).list_buckets()["Buckets"]

    assert [bucket["Name"] for bucket in listed] == [ours.bucket]


def test_a_tenants_key_makes_no_users_and_permits_itself_nothing(pair):
    ours, theirs = pair
    iam = client_of(ours, "iam")

    for call, arguments in (
        (iam.list_users, {}),
        (iam.create_user, {"UserName": ELSEWHERE}),
        (iam.create_access_key, {"UserName": theirs.bucket}),
        (iam.delete_user, {"UserName": theirs.bucket}),
        (iam.put_user_policy, {"UserName": ours.bucket, "PolicyName": "more", "PolicyDocument": "{}"}),
    ):
        assert refused(call, **arguments)
    assert store().list_key_ids(theirs.bucket) == [key_of(theirs).id]


def test_a_key_that_leads_up_is_refused_by_the_server_too(pair):
    ours, theirs = pair

    with pytest.raises(ClientError):
        client_of(ours).get_object(Bucket=ours.bucket, Key=f"../{theirs.bucket}/secret.txt")


def test_a_links_signature_is_good_for_one_bucket(pair):
    ours, theirs = pair
    link = client_of(ours).generate_presigned_url("get_object", Params={"Bucket": theirs.bucket, "Key": "secret.txt"})

    with pytest.raises(HTTPError, match="403"):
        urlopen(link)  # noqa: S310 -- http to ourselves


# In the database


def test_the_secret_is_encrypted_at_rest(pair):
    ours, _ = pair
    with superuser() as admin:
        ((at_rest,),) = admin.execute(f"SELECT secret FROM {ours.schema}.storage_keys_bucketkey").fetchall()

    assert key_of(ours).secret not in at_rest
    assert at_rest.startswith("gAAAA")


def test_a_key_does_not_show_its_secret():
    assert "hush" not in repr(Key("id", "hush"))


# Made, lost, replaced


def test_the_step_may_be_repeated_and_keeps_the_key(pair):
    ours, _ = pair
    before = key_of(ours)

    ensure_key(ours)

    assert key_of(ours) == before
    assert store().list_key_ids(ours.bucket) == [before.id]


def test_a_key_whose_row_was_never_written_is_replaced(pair):
    """The worker died between the two: IAM tells a secret once."""
    ours, _ = pair
    lost = store().make_key(ours.bucket)
    with enter(ours):
        BucketKey.objects.all().delete()

    ensure_key(ours)

    now = key_of(ours)
    assert store().list_key_ids(ours.bucket) == [now.id]
    assert now.id != lost.id


def test_a_key_that_object_storage_lost_is_replaced(pair):
    ours, _ = pair
    gone = key_of(ours)
    store().delete_key(ours.bucket, gone.id)

    ensure_key(ours)

    assert key_of(ours).id != gone.id


def test_a_key_that_is_not_in_force_in_time_is_waited_for_again_by_the_next_try(pair, monkeypatch):
    ours, _ = pair
    made = key_of(ours)
    monkeypatch.setattr(services, "IN_FORCE_TIMEOUT_S", 0.0)
    monkeypatch.setattr(type(store()), "is_in_force", lambda self, bucket, key: False)

    with pytest.raises(Unavailable):
        ensure_key(ours)
    monkeypatch.undo()
    ensure_key(ours)

    assert key_of(ours) == made


def test_rotation_puts_the_old_key_out_of_force_and_files_stay(pair):
    ours, _ = pair
    old = key_of(ours)
    with enter(ours):
        name = default_storage.save("kept.txt", ContentFile(b"kept"))

    assert rotate_key(ref=ours, actor=SYSTEM)

    assert not store().is_in_force(ours.bucket, old)
    with enter(ours):
        assert default_storage.open(name).read() == b"kept"
        assert AuditEntry.objects.filter(action="storage.key_rotated").count() == 1
    assert store().list_key_ids(ours.bucket) == [key_of(ours).id]


def test_a_key_that_its_holder_made_goes_with_the_next_rotation(pair):
    """SeaweedFS and AWS may let a user make more keys for itself: they open nothing more, and rotation finds them."""
    ours, _ = pair
    extra = store().make_key(ours.bucket)

    rotate_key(ref=ours, actor=SYSTEM)

    assert extra.id not in store().list_key_ids(ours.bucket)


def test_without_a_key_files_are_refused_and_the_command_mends_it(pair, capsys):
    ours, _ = pair
    with enter(ours):
        BucketKey.objects.all().delete()
        with pytest.raises(BucketKeyMissing):
            default_storage.exists("x")

    call_command("rotate_bucket_key", "--missing", "--json")

    assert json.loads(capsys.readouterr().out)["tenants"] == [ours.slug]
    with enter(ours):
        assert not default_storage.exists("x")


def test_the_command_replaces_one_tenants_key(pair, capsys):
    ours, _ = pair
    before = key_of(ours)

    call_command("rotate_bucket_key", ours.slug)

    assert capsys.readouterr().out.strip() == f"{ours.slug} has a new key."
    assert key_of(ours).id != before.id


def test_the_command_wants_to_know_whose():
    with pytest.raises(CommandError, match="Name one tenant"):
        call_command("rotate_bucket_key")


def test_undoing_takes_key_policy_holder_and_bucket_and_may_be_repeated(new_tenant):
    tenant = new_tenant()
    step, key = BucketStep(), key_of(tenant.ref)

    for _ in range(2):
        step.undo(tenant)

        assert not store().has_keyholder(tenant.bucket_name)
        assert not store().bucket_exists(tenant.bucket_name)
        assert not store().is_in_force(tenant.bucket_name, key)
        assert step.find_leftovers(tenant) == []


def test_leftovers_are_named_one_by_one(new_tenant):
    tenant, step = new_tenant(), BucketStep()
    assert [str(found) for found in step.find_leftovers(tenant)] == [
        f"bucket {tenant.bucket_name}",
        f"key {tenant.bucket_name}",
    ]

    store().delete_bucket_with_contents(tenant.bucket_name)

    assert [found.kind for found in step.find_leftovers(tenant)] == ["key"]
