"""The manual's table of settings is read from the settings' own source."""

from pathlib import Path

import pytest

from deploy.settings_reference import MARK, Setting, on_page_markdown, read_settings, render_table

SOURCE = """
class Site(Environment):
    env: Literal["development", "production"] = Field("production", description="where it runs")
    secret_key: str = Field(min_length=32, description="Signs | links of <slug>")
    release: str = "dev"
    keys: list[str] = Field(default_factory=list)
    token: str = Field("", description="Who may read")

    @property
    def host(self) -> str: ...

class Other:
    name: str = "not a setting"
"""


@pytest.fixture
def settings(tmp_path: Path) -> list[Setting]:
    (tmp_path / "site.py").write_text(SOURCE)
    return read_settings(tmp_path)


def test_fields_of_environment_classes_are_listed(settings: list[Setting]) -> None:
    assert [(setting.variable, setting.default) for setting in settings] == [
        ("PLEXICA_ENV", "production"),
        ("PLEXICA_SECRET_KEY", None),
        ("PLEXICA_RELEASE", "dev"),
        ("PLEXICA_KEYS", "list"),
        ("PLEXICA_TOKEN", ""),
    ]


def test_the_table_says_what_is_required_and_what_may_be_chosen(settings: list[Setting]) -> None:
    lines = render_table(settings).splitlines()

    assert "| `PLEXICA_ENV` | `production` | where it runs (one of `development`, `production`) |" in lines
    assert "| `PLEXICA_SECRET_KEY` | **required** | Signs \\| links of &lt;slug&gt; |" in lines
    assert "| `PLEXICA_TOKEN` | empty | Who may read |" in lines


def test_only_a_page_that_asks_gets_the_table() -> None:
    assert on_page_markdown("# Other") == "# Other"
    assert "| variable |" in on_page_markdown(f"# Settings\n{MARK}")


def test_every_setting_is_described() -> None:
    assert [setting.variable for setting in read_settings() if not setting.description] == []
