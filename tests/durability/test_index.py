"""A gateway that searches in PostgreSQL instead of holding vectors."""

from __future__ import annotations

from tests.conftest import UNHURRIED, StartGateway
from tests.durability.conftest import mode, sent
from tests.support import tools
from tests.support.postgres import Postgres


def test_durability_c06_an_index_that_is_lost_is_made_again(start_gateway: StartGateway, mortal: Postgres) -> None:
    """Tools are found as they come and go. The table that is searched, dropped, is made anew without embedding."""
    first = start_gateway(REGISTRY__URL=mortal.url(), INDEX="pgvector", **UNHURRIED)
    first.register([tools.record(tool) for tool in tools.distinct(60)])
    first.admin("PUT", "/admin/tools/sing_song", json=tools.function("sing_song", "Sings a song aloud."))
    assert "sing_song" in sent(first, "please perform some music for me")
    first.admin("DELETE", "/admin/tools/sing_song")
    assert "sing_song" not in sent(first, "perform some music for me, please")
    first.stop()
    (table,) = mortal.execute("SELECT tablename FROM pg_tables WHERE tablename LIKE 'nearest_%'")
    mortal.execute(f"DROP TABLE {table[0]}")
    second = start_gateway(REGISTRY__URL=mortal.url(), INDEX="pgvector", **UNHURRIED)
    assert mode(second, "list invoices") == "hybrid"
    assert "embedding tools" not in second.log
    assert mortal.execute(f"SELECT count(*) FROM {table[0]}") == [(60,)]
