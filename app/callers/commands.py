"""`toolfunnel keys`: callers' keys, from where the registry is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from app.callers import issue
from app.errors import NotFound
from app.registry.console import RISKS, Config, Json, load, risk_of, with_registry
from app.registry.keys import KeyStore
from app.registry.store import Registry
from app.settings import SourcePolicy
from app.terminal import err, given, out, print_json, show_keys
from router.types import Risk

keys = typer.Typer(help="Keys that callers hold.", no_args_is_help=True)


def _given(words: list[str] | None) -> list[str]:
    return [given(word) for word in words or ()]


@keys.command("create")
def create_key(  # noqa: PLR0913, PLR0917 - one option a grant
    name: Annotated[str, typer.Argument(help="Whose key it is.", metavar="NAME", callback=given)],
    tenant: Annotated[list[str] | None, typer.Option(help="A tenant whose tools it reaches, too.")] = None,
    source: Annotated[list[str] | None, typer.Option(help="Only tools of this source.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="Only tools with this tag.")] = None,
    risk: Annotated[
        list[Risk] | None, typer.Option(help="Only tools of this risk.", parser=risk_of, metavar=RISKS)
    ] = None,
    limit: Annotated[list[str] | None, typer.Option(help="Requests, such as 60/minute.", metavar="LIMIT")] = None,
    tools_source: Annotated[
        SourcePolicy | None, typer.Option(help="Whose tools its requests get, within tools.source.")
    ] = None,
    days: Annotated[int | None, typer.Option(help="Days for which it opens; without, for ever.", min=1)] = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Create a key and print it. It is shown this once. Options that name something can be given several times."""
    loaded = load(config)
    wanted = issue.Wanted(
        name=name,
        tenants=_given(tenant),
        sources=_given(source),
        tags=_given(tag),
        risks=risk or [],
        limits=limit or [],
        tools_source=tools_source,
        expires_at=datetime.now(UTC).replace(microsecond=0) + timedelta(days=days) if days else None,
    )
    key, secret = issue.issue(wanted, loaded)
    with_registry(loaded, lambda registry: KeyStore(registry).add(key))
    if as_json:
        print_json({"key": secret} | issue.as_record(key))
    else:
        out.print(secret, markup=False, highlight=False, soft_wrap=True)
        err.print(f"The key {key.id} of {key.name}. It is shown this once: keep it now.", markup=False, highlight=False)


@keys.command("list")
def list_keys(config: Config = None, as_json: Json = False) -> None:
    """List all keys, the oldest first; revoked ones stay."""
    _, found = with_registry(load(config), lambda registry: KeyStore(registry).load())
    records = [issue.as_record(key) for key in found]
    if as_json:
        print_json(records)
    else:
        show_keys(records)


@keys.command("revoke")
def revoke_keys(
    ids: Annotated[list[str], typer.Argument(help="Ids of keys.", metavar="ID")],
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Revoke keys for good. Running gateways refuse them within a second. Exit code 1 when one was not there."""
    now = datetime.now(UTC)

    async def work(registry: Registry) -> list[str]:
        store = KeyStore(registry)
        return [key_id for key_id in dict.fromkeys(ids) if not await store.revoke(key_id, now)]

    missing = with_registry(load(config), work)
    revoked = [key_id for key_id in dict.fromkeys(ids) if key_id not in missing]
    if as_json:
        print_json({"revoked": revoked, "missing": missing})
    else:
        out.print(f"{len(revoked)} revoked", highlight=False)
    if missing:
        raise NotFound("\n".join(f"There is no key {key_id!r}." for key_id in missing))
