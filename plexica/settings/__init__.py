"""Django's settings, one small file for each topic; values come from the environment and are checked at start."""

from plexica.settings.access import *  # noqa: F403
from plexica.settings.api import *  # noqa: F403
from plexica.settings.apps import *  # noqa: F403
from plexica.settings.archives import *  # noqa: F403
from plexica.settings.database import *  # noqa: F403
from plexica.settings.environment import BASE_DIR  # noqa: F401
from plexica.settings.events import *  # noqa: F403
from plexica.settings.identity import *  # noqa: F403
from plexica.settings.limits import *  # noqa: F403
from plexica.settings.logs import *  # noqa: F403
from plexica.settings.people import *  # noqa: F403
from plexica.settings.services import *  # noqa: F403
from plexica.settings.site import *  # noqa: F403
from plexica.settings.tenants import *  # noqa: F403
from plexica.settings.webhooks import *  # noqa: F403
