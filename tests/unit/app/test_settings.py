"""app/settings: files, environment, references, refusals."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from app import settings
from app.errors import ConfigurationError
from app.settings import Credentials, SourcePolicy, load, redacted
from app.settings.registry import RegistrySettings
from app.settings.server import ServerSettings
from router.types import Risk

SECRET = "sk-0123456789-do-not-print"


def ours() -> list[str]:
    """Give the names of all variables with our prefix."""
    return [name for name in os.environ if name.upper().startswith(settings.PREFIX)]


@pytest.fixture(autouse=True)
def house(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """Start every test in an empty directory, without any variable of ours; undo what `override` writes."""
    for name in ours():
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for name in ours():
        del os.environ[name]


def written(text: str) -> Path:
    """Write `text` as ./config.yaml."""
    path = Path("config.yaml")
    path.write_text(text, encoding="utf-8")
    return path


def refusal(text: str = "") -> str:
    """Load `text` as ./config.yaml, give the reason for which it is refused."""
    written(text)
    with pytest.raises(ConfigurationError) as caught:
        load()
    return str(caught.value)


# Where settings come from


def test_load_gives_defaults_where_nothing_is_configured() -> None:
    """Without file and environment, every key has its default."""
    loaded = load()
    assert (loaded.server.host, loaded.server.port) == ("127.0.0.1", 8000)
    assert (loaded.select.initial, loaded.select.max) == (12, 20)
    assert loaded.tools.source is SourcePolicy.AUTO
    assert loaded.safety.allow == {Risk.READ}
    assert loaded.upstream.credentials is Credentials.PASSTHROUGH


def test_load_reads_the_file_in_the_working_directory() -> None:
    """A ./config.yaml is found without being named."""
    written("server: {port: 9001}")
    assert load().server.port == 9001


def test_load_reads_the_file_that_the_environment_names(house: Path) -> None:
    """$TOOLFUNNEL_CONFIG is read in place of ./config.yaml."""
    written("server: {port: 9001}")
    (house / "other.yaml").write_text("server: {port: 9002}")
    settings.use_file(house / "other.yaml")
    assert load().server.port == 9002


def test_load_prefers_the_path_it_is_given(house: Path) -> None:
    """An explicit path wins over $TOOLFUNNEL_CONFIG."""
    settings.use_file(house / "absent.yaml")
    (house / "given.yaml").write_text("server: {port: 9003}")
    assert load(house / "given.yaml").server.port == 9003


def test_load_lets_the_environment_win_over_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable replaces its one key and leaves the file's other keys of the section alone."""
    written("server: {port: 9001, shutdown_grace_s: 7}")
    monkeypatch.setenv("TOOLFUNNEL_SERVER__PORT", "9002")
    loaded = load()
    assert (loaded.server.port, loaded.server.shutdown_grace_s) == (9002, 7)


def test_override_wins_over_environment_and_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command-line option wins over everything else."""
    written("server: {port: 9001}")
    monkeypatch.setenv("TOOLFUNNEL_SERVER__PORT", "9002")
    settings.override("server", "port", 9003)
    assert load().server.port == 9003


def test_override_reaches_later_processes() -> None:
    """An option is kept in the environment, which worker processes inherit."""
    settings.override("log", "format", settings.LogFormat.JSON)
    program = "import os; print(os.environ['TOOLFUNNEL_LOG__FORMAT'])"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout == b"json\n"


def test_load_takes_an_empty_variable_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """`NAME=` in an .env file changes nothing."""
    written("server: {port: 9001}")
    monkeypatch.setenv("TOOLFUNNEL_SERVER__PORT", "")
    monkeypatch.setenv("TOOLFUNNEL_ADMIN__KEY", "")
    loaded = load()
    assert (loaded.server.port, loaded.admin.key) == (9001, None)


def test_load_reads_lists_in_the_environment_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys and risk classes are JSON lists in the environment."""
    monkeypatch.setenv("TOOLFUNNEL_UPSTREAM__CREDENTIALS", "managed")
    monkeypatch.setenv("TOOLFUNNEL_CALLERS__KEYS", '["key-of-one-team", "key-of-another"]')
    monkeypatch.setenv("TOOLFUNNEL_SAFETY__ALLOW", '["read", "write"]')
    loaded = load()
    assert [key.get_secret_value() for key in loaded.callers.keys] == ["key-of-one-team", "key-of-another"]
    assert loaded.safety.allow == {Risk.READ, Risk.WRITE}


def test_load_refuses_keys_that_nobody_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Callers' keys beside forwarded credentials would look like a closed door and be none."""
    monkeypatch.setenv("TOOLFUNNEL_CALLERS__KEYS", '["key-of-one-team"]')
    with pytest.raises(ConfigurationError, match="managed mode only"):
        load()


@pytest.mark.parametrize("text", ["", "# only a comment\n", "server:\n", "server:\nselect:\n"])
def test_load_takes_empty_files_and_sections(text: str) -> None:
    """A file or a section with everything commented out means the defaults."""
    defaults = load()
    written(text)
    assert load() == defaults


def test_settings_are_frozen() -> None:
    """Settings do not change while the process runs."""
    key = "port"
    with pytest.raises(ValueError, match="frozen"):
        setattr(load().server, key, 1)


# Unknown keys and broken files


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("sever: {port: 1}", "sever"),
        ("server: {prot: 1}", "server.prot"),
        ("upstream: {headers: {a: b}}", "upstream.headers"),
        ("_env_prefix: OTHER_", "_env_prefix"),
        ("1: {port: 1}", "1"),
    ],
)
def test_load_refuses_an_unknown_key_of_the_file(text: str, named: str) -> None:
    """A key that does not exist is refused by its name, so that a typing error cannot go unseen."""
    assert refusal(text) == f"{named}: there is no such key"


@pytest.mark.parametrize(
    ("variable", "named"),
    [
        ("TOOLFUNNEL_SEVER__PORT", "TOOLFUNNEL_SEVER__PORT"),
        ("TOOLFUNNEL_SERVER_PORT", "TOOLFUNNEL_SERVER_PORT"),
        ("TOOLFUNNEL_SERVER__PROT", "server.prot"),
        ("TOOLFUNNEL_ENCODER__NAME", "TOOLFUNNEL_ENCODER__NAME"),
        ("toolfunnel_sever__port", "toolfunnel_sever__port"),
        ("toolfunnel_config", "toolfunnel_config"),
    ],
)
def test_load_refuses_an_unknown_variable(monkeypatch: pytest.MonkeyPatch, variable: str, named: str) -> None:
    """A variable of ours that names no setting is refused by its name."""
    monkeypatch.setenv(variable, "1")
    assert named in refusal()


def test_load_leaves_other_programs_variables_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only variables with our prefix are looked at."""
    monkeypatch.setenv("SERVER__PORT", "9009")
    monkeypatch.setenv("TOOLFUNNELS", "1")
    assert load().server.port == 8000


def test_load_refuses_broken_yaml_with_its_place() -> None:
    """A syntax error names file and line."""
    reason = refusal("server:\n  port: [1\nselect: {}\n")
    assert "config.yaml" in reason
    assert "line 3" in reason


@pytest.mark.parametrize(
    "value", [f'"{SECRET}', f"*{SECRET}", f"!{SECRET} x", f"[{SECRET}", f'"{SECRET}\\q"', f"\x00{SECRET}"]
)
def test_load_does_not_quote_broken_yaml(value: str) -> None:
    """The text of a broken file may hold a secret and is not repeated."""
    assert SECRET not in refusal(f"admin:\n  key: {value}\n")


def test_load_refuses_text_that_is_not_utf8() -> None:
    """Bytes that are not UTF-8 are refused with the file's name."""
    Path("config.yaml").write_bytes(b"server: {host: \xff}")
    with pytest.raises(ConfigurationError, match=r"config\.yaml: byte 16 is not UTF-8$"):
        load()


@pytest.mark.parametrize(
    ("secret", "said"), [(b"\xffhidden", "byte 1 is not UTF-8"), (None, "No such file or directory")]
)
def test_load_says_why_a_secrets_file_cannot_be_read(house: Path, secret: bytes | None, said: str) -> None:
    """Once with its name, in words, and with nothing of its content."""
    path = house / "secret"
    if secret is not None:
        path.write_bytes(secret)
    assert refusal(f"admin: {{key: 'file:{path}'}}").endswith(f"cannot read {path}: {said}")


def test_load_refuses_a_list_at_the_top() -> None:
    """A file that is not made of sections is refused."""
    assert "expected sections" in refusal("- server\n- select\n")


@pytest.mark.parametrize("text", ["server: [1]", "server: 127.0.0.1"])
def test_load_refuses_a_section_that_is_none(text: str) -> None:
    """A section holds keys."""
    assert refusal(text).startswith("server: ")


def test_load_refuses_a_missing_file(house: Path) -> None:
    """A file that was named must be there."""
    settings.use_file(house / "absent.yaml")
    with pytest.raises(ConfigurationError, match=r"absent\.yaml: there is no such file"):
        load()


def test_load_refuses_a_directory(house: Path) -> None:
    """A directory in place of a file is refused by its name."""
    with pytest.raises(ConfigurationError, match=house.name):
        load(house)


@pytest.mark.parametrize("value", [SECRET, f"[{SECRET}]", '["unfinished'])
def test_load_refuses_a_list_that_is_not_json(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """A list in the environment that is not JSON is refused by its section, without its value."""
    monkeypatch.setenv("TOOLFUNNEL_CALLERS__KEYS", value)
    reason = refusal()
    assert "callers" in reason
    assert "JSON" in reason
    assert value not in reason


def test_load_reports_every_mistake_at_once() -> None:
    """Each mistake has a line of its own."""
    assert len(refusal("server: {port: -1}\nlog: {level: loud}\nsever: {}").splitlines()) == 3


# Secrets


def test_secret_is_taken_literally() -> None:
    """A secret may stand in the file."""
    written(f"admin: {{key: {SECRET}}}")
    key = load().admin.key
    assert key is not None
    assert key.get_secret_value() == SECRET


def test_secret_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """`env:NAME` stands for the value of NAME, whatever its prefix."""
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    written("upstream: {api_key: 'env:OPENAI_API_KEY'}")
    key = load().upstream.api_key
    assert key is not None
    assert key.get_secret_value() == SECRET


def test_secret_is_read_from_a_file(house: Path) -> None:
    """`file:PATH` stands for the file's text without the newline at its end."""
    (house / "secret").write_text(f"{SECRET}\n")
    written(f"callers: {{keys: ['file:{house}/secret']}}\nupstream: {{credentials: managed}}")
    (key,) = load().callers.keys
    assert key.get_secret_value() == SECRET


def test_secret_reference_works_in_the_environment(monkeypatch: pytest.MonkeyPatch, house: Path) -> None:
    """A variable of ours may hold a reference, too."""
    (house / "secret").write_text(SECRET)
    monkeypatch.setenv("TOOLFUNNEL_ADMIN__KEY", f"file:{house}/secret")
    key = load().admin.key
    assert key is not None
    assert key.get_secret_value() == SECRET


@pytest.mark.parametrize(
    ("reference", "named"), [("env:NOT_SET_ANYWHERE", "NOT_SET_ANYWHERE"), ("file:/not/there", "/not/there")]
)
def test_secret_reference_to_nothing_is_refused(reference: str, named: str) -> None:
    """A reference that leads nowhere is refused with the key and what it named."""
    reason = refusal(f"admin: {{key: '{reference}'}}")
    assert reason.startswith("admin.key: ")
    assert named in reason


@pytest.mark.parametrize("value", ["", " ", "two words", "new\\nline", "schl\u00fcssel", "bell\\a"])
def test_secret_is_one_word_of_ascii(value: str) -> None:
    """A key that no HTTP header can carry is refused, and not repeated."""
    reason = refusal(f'upstream: {{api_key: "{value}"}}')
    assert reason.startswith("upstream.api_key: ")
    assert not value.strip() or value not in reason


def test_secret_is_never_printed() -> None:
    """Neither repr, str, redacted output nor JSON shows a secret."""
    written(
        f"admin: {{key: {SECRET}}}\nupstream: {{api_key: {SECRET}, credentials: managed}}\n"
        f"callers: {{keys: [{SECRET}]}}"
    )
    loaded = load()
    for shown in (repr(loaded), str(loaded), repr(redacted(loaded)), loaded.model_dump_json()):
        assert SECRET not in shown


def test_redacted_shows_that_a_secret_is_there() -> None:
    """A secret that is set is stars, one that is not is null."""
    written(f"admin: {{key: {SECRET}}}")
    shown = redacted(load())
    assert shown["admin"]["key"] == "**********"
    assert shown["upstream"]["api_key"] is None


@pytest.mark.parametrize(
    "text",
    [
        f"callers: {{keys: {SECRET}}}",
        f"admin: {{key: [{SECRET}]}}",
        f"admin: {{key: '{SECRET} '}}",
        f"upstream: {{api_key: {SECRET}}}\nsever: 1",
        f"upstream: {{api_key: {SECRET}, base_url: ftp://x}}",
        f"callers: {{keys: [{SECRET}]}}\nserver: {{host: 0.0.0.0}}",
    ],
)
def test_refusal_never_holds_a_secret(text: str) -> None:
    """No refusal, nor the error beneath it that a traceback would show, repeats a secret."""
    written(text)
    with pytest.raises(ConfigurationError) as caught:
        load()
    assert SECRET not in f"{caught.value}{caught.value.__cause__}{caught.value.__context__}"


# Rules between keys


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "gateway.example", ""])
def test_server_open_to_others_needs_an_admin_key(host: str) -> None:
    """Without an admin key, only a loopback address may be listened on."""
    assert "admin.key must be set" in refusal(f"server: {{host: '{host}'}}")


def test_server_open_to_others_starts_with_an_admin_key() -> None:
    """With an admin key any address may be listened on."""
    written(f"server: {{host: 0.0.0.0}}\nadmin: {{key: {SECRET}}}")
    assert load().server.host == "0.0.0.0"


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("[::1]", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("10.0.0.1", False),
        ("127.0.0.1.example", False),
        ("", False),
    ],
)
def test_server_knows_loopback_addresses(host: str, expected: bool) -> None:
    """Only addresses of this machine count as loopback; a name that is not known does not."""
    assert ServerSettings.model_validate({"host": host}).is_loopback is expected


def test_managed_needs_the_providers_key() -> None:
    """In managed mode the server must have a key to show to the provider."""
    reason = refusal("upstream: {credentials: managed, base_url: 'https://api.openai.com/v1'}")
    assert "upstream.api_key" in reason


def test_managed_open_to_others_needs_caller_keys() -> None:
    """In managed mode strangers must not spend the server's key."""
    reason = refusal(
        f"server: {{host: 0.0.0.0}}\nadmin: {{key: {SECRET}}}\nupstream: {{credentials: managed, api_key: {SECRET}}}"
    )
    assert "callers.keys" in reason


@pytest.mark.parametrize("open_to_others", [True, False])
def test_managed_starts_where_its_rules_are_met(open_to_others: bool) -> None:
    """Managed mode starts with caller keys anywhere, and without them on loopback."""
    written(
        f"upstream: {{credentials: managed, api_key: {SECRET}, base_url: 'https://api.openai.com/v1'}}\n"
        + (f"server: {{host: 0.0.0.0}}\nadmin: {{key: {SECRET}}}\ncallers: {{keys: [one]}}" if open_to_others else "")
    )
    assert load().upstream.credentials is Credentials.MANAGED


# Values


def test_select_max_is_not_below_initial() -> None:
    """A list cannot be capped below what it starts with."""
    assert refusal("select: {initial: 12, max: 11}") == "select: select.max is at least select.initial"


def test_select_max_may_equal_initial() -> None:
    """A list that never grows is allowed."""
    written("select: {initial: 12, max: 12}")
    assert load().select.max == 12


def test_safety_never_allows_dangerous() -> None:
    """Dangerous tools cannot be switched on."""
    assert "dangerous tools are never offered" in refusal("safety: {allow: [read, dangerous]}")


def test_safety_may_allow_nothing() -> None:
    """An empty list offers no catalogue tool at all."""
    written("safety: {allow: []}")
    assert load().safety.allow == frozenset()


@pytest.mark.parametrize(
    "url",
    [
        "ftp://api.example/v1",
        "api.example/v1",
        "https://",
        "https:///v1",
        "https://:443/v1",
        "https://api.example:port/v1",
        "https://[::1/v1",
        "https://api.example/v1 ",
        "https://api.example/v1?key=1",
        "https://api.example/v1#part",
        f"https://someone:{SECRET}@api.example/v1",
    ],
)
def test_upstream_base_url_is_scheme_host_and_path(url: str) -> None:
    """Anything else in the URL is refused, and a password in it is not repeated."""
    reason = refusal(f"upstream: {{base_url: '{url}'}}")
    assert reason.startswith("upstream: base_url")
    assert SECRET not in reason


@pytest.mark.parametrize("url", ["https://api.openai.com/v1", "http://[::1]:8080/v1", "http://localhost:8080/a@b/v1"])
def test_upstream_base_url_is_kept_as_written(url: str) -> None:
    """A usable URL is not rewritten."""
    written(f"upstream: {{base_url: '{url}'}}")
    assert load().upstream.base_url == url


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("server: {port: 65536}", "server.port"),
        ("server: {port: eight}", "server.port"),
        ("upstream: {idle_timeout_s: 0}", "upstream.idle_timeout_s"),
        ("upstream: {credentials: shared}", "upstream.credentials"),
        ("select: {initial: 0}", "select.initial"),
        ("select: {budget_ms: 0}", "select.budget_ms"),
        ("tools: {source: all}", "tools.source"),
        ("registry: {url: 'mysql://db/tools'}", "registry"),
        ("registry: {url: 'postgresql://db'}", "registry"),
        ("registry: {url: 'postgresql://[db/tools'}", "registry"),
        ("registry: {url: 'postgresql+asyncpg://db/tools'}", "registry"),
        ("index: pgvector", "configuration"),
        ("encoder: other", "encoder"),
        ("log: {level: loud}", "log.level"),
    ],
)
def test_value_that_cannot_be_used_is_named(text: str, named: str) -> None:
    """A refused value is named by section and key."""
    assert refusal(text).startswith(f"{named}: ")


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("postgresql://me@db:5432/tools?sslmode=require", "postgresql://me:a%2Fb%40c@db:5432/tools?sslmode=require"),
        ("postgresql://db/tools", "postgresql://:a%2Fb%40c@db/tools"),
        ("sqlite:///x.db", "sqlite:///x.db"),
    ],
)
def test_the_password_of_the_registry_is_shown_to_its_server_alone(url: str, address: str) -> None:
    """It is put into the address, escaped, and into nothing that is printed."""
    registry = RegistrySettings(url=url, password=SecretStr("a/b@c"))
    assert registry.address == address
    assert "a/b@c" not in repr(registry)
    assert "%40c" not in registry.model_dump_json()


@pytest.mark.parametrize(
    ("base_url", "doubt"),
    [
        ("", "No provider is set"),
        ("https://api.openai.com", "upstream.base_url has no path"),
        ("https://api.openai.com/", "upstream.base_url has no path"),
        ("https://api.openai.com/v1", ""),
    ],
)
def test_doubt_about_the_provider_is_told(base_url: str, doubt: str) -> None:
    """None at all, and one without /v1, are probably not meant."""
    told = settings.doubt_about_provider(settings.UpstreamSettings(base_url=base_url))
    assert told.startswith(doubt)
    assert bool(told) == bool(doubt)


@pytest.mark.parametrize("value", ["inf", "-inf", "nan", "1e300", "9" * 5000, "1" + "0" * 13])
@pytest.mark.parametrize("name", ["SERVER__KEEP_ALIVE_S", "SERVER__WRITE_IDLE_S", "UPSTREAM__IDLE_TIMEOUT_S"])
def test_a_number_without_measure_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """A timer could not be set to it."""
    monkeypatch.setenv(f"TOOLFUNNEL_{name}", value)
    with pytest.raises(ConfigurationError):
        load()
