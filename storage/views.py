from pathlib import PurePosixPath

from django.core.files.storage import default_storage
from django.core.signing import BadSignature
from django.http import FileResponse, HttpRequest
from django.views.decorators.http import require_safe

from core.errors import NotFound
from core.web.files import make_harmless
from storage.names import content_type_of
from storage.tenant_files import read_link


@require_safe
def file_read(request: HttpRequest, token: str) -> FileResponse:
    """Send the file that a signed link of this tenant leads to, as a download that runs nothing."""
    try:
        name = read_link(token)
        opened = default_storage.open(name)
    except (BadSignature, FileNotFoundError):
        raise NotFound from None
    response = FileResponse(
        opened, as_attachment=True, filename=PurePosixPath(name).name, content_type=content_type_of(name)
    )
    response["Content-Length"] = str(opened.size)
    make_harmless(response)
    return response
