"""The mutants. Each is one line or two of the code, written wrong; the tests named have to fail with it.

A row of this table whose `old` text is not in its file once, or whose tests do not exist, fails
tests/house/test_mutants.py: whoever changes the code changes the row.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    """A fault: in the file `path` the text `new` in place of `old`. One of the `tests` has to find it."""

    name: str
    path: str
    old: str
    new: str
    tests: tuple[str, ...]


MUTANTS = (
    # Routing
    Mutant(
        "routing raises",
        "app/routing.py",
        "            return step(what, catalog, asked)\n",
        "            raise RuntimeError\n",
        (
            "tests/edge/test_bodies.py::test_b08_depth_breaks_nothing",
            "tests/edge/test_bodies.py::test_b10_b11_b12_b14_odd_bodies_break_nothing",
        ),
    ),
    Mutant(
        "a fault of routing fails the request",
        "app/routing.py",
        '            return Routed(body, "failed")\n',
        "            raise\n",
        ("tests/gateway/test_routing_faults.py::test_e06_when_routing_raises_the_request_goes_out_as_it_came",),
    ),
    Mutant(
        "the deadline of routing is ignored",
        "app/routing.py",
        "asyncio.wait({job}, timeout=self._answer_s(body))",
        "asyncio.wait({job})",
        ("tests/gateway/test_routing_faults.py::test_c16_when_routing_takes_too_long_the_request_goes_out_as_it_came",),
    ),
    Mutant(
        "the client's list is put together anew in another order",
        "app/wire/chat.py",
        'b",".join(_marked(tools, own, legacy=request.list_key == "functions"))',
        'b",".join(_marked(tools, own, legacy=request.list_key == "functions")[::-1])',
        ("tests/gateway/test_request_bytes.py::test_c03_a_long_list_is_trimmed_and_nothing_else_changes",),
    ),
    Mutant(
        "a byte of the request goes missing behind the list",
        "app/wire/chat.py",
        '        return b"".join((view[:start], text, view[end:]))\n',
        '        return b"".join((view[:start], text, view[end:].tobytes().replace(b" ", b"")))\n',
        ("tests/gateway/test_request_bytes.py::test_c03_a_long_list_is_trimmed_and_nothing_else_changes",),
    ),
    Mutant(
        "a tool that tool_choice names is trimmed",
        "router/cut.py",
        "    return appended(held, _callable(pool, forced, permitted), Reason.FORCED)\n",
        "    return held\n",
        ("tests/gateway/test_invariants.py::test_c07_a_demanded_function_is_kept",),
    ),
    Mutant(
        "a tool of an unknown type is trimmed",
        "router/cut.py",
        "for i, tool in enumerate(pool.own.tools) if tool.fixed}",
        "for i, tool in enumerate(pool.own.tools) if tool.fixed and not tool.name}",
        (
            "tests/gateway/test_request_bytes.py::test_c22_a_tool_of_an_unknown_type_is_kept",
            "tests/gateway/test_request_bytes.py::test_c05_a_deferred_tool_is_never_trimmed",
        ),
    ),
    Mutant(
        "the budget is ignored",
        "router/cut.py",
        "    room = min(room, budget.most - taken)\n",
        "    room = len(ranked.ids)\n",
        ("tests/gateway/test_request_bytes.py::test_c04_three_hundred_tools_become_few",),
    ),
    Mutant(
        "a tool that is named is not sent",
        "router/naming.py",
        "            self._at[turn] = self._allowed(self._mentions(turn))\n",
        "            self._at[turn] = []\n",
        ("tests/gateway/test_named_tools.py::test_a_dozen_named_tools_are_sent",),
    ),
    Mutant(
        "a tool that is named is sent to whom it is not permitted",
        "router/cut.py",
        "for p in pool.positions(name) if permitted[p]]\n        if mention",
        "for p in pool.positions(name)]\n        if mention",
        ("tests/unit/router/test_naming.py::test_a_name_is_no_way_to_what_is_not_permitted",),
    ),
    Mutant(
        "the cap of a conversation is ignored",
        "router/cut.py",
        "        if held.budgeted + len(fresh) <= most:\n",
        "        if fresh:\n",
        ("tests/unit/router/test_cut.py::test_filled_stops_at_the_cap",),
    ),
    Mutant(
        "the floor is upside down",
        "router/pipeline.py",
        "margin < (GROWS if held.started else 0)",
        "margin > (GROWS if held.started else 0)",
        ("tests/unit/router/test_search.py::test_search_adds_nothing_to_small_talk",),
    ),
    # Permission
    Mutant(
        "risk is ignored",
        "router/rights.py",
        "        mask: Mask = (self.risks & risks).astype(np.bool_)\n",
        "        mask: Mask = self.risks.astype(np.bool_)\n",
        ("tests/gateway/test_safety.py::test_safety_only_harmless_tools_are_sent",),
    ),
    Mutant(
        "a dangerous tool is offered",
        "router/rights.py",
        "if tool.enabled and tool.risk is not Risk.DANGEROUS else 0",
        "if tool.enabled else 0",
        ("tests/unit/router/test_permit.py::test_permitted_is_refusal_for_every_tool",),
    ),
    Mutant(
        "a disabled tool is offered",
        "router/rights.py",
        "if tool.enabled and tool.risk is not Risk.DANGEROUS else 0",
        "if tool.risk is not Risk.DANGEROUS else 0",
        ("tests/gateway/test_safety.py::test_safety_only_harmless_tools_are_sent",),
    ),
    Mutant(
        "the tenant is ignored",
        "router/rights.py",
        '        mask &= _any_of({"", *grants.tenants}, self.tenants, len(mask))\n',
        "",
        ("tests/auth/test_isolation.py::test_auth_e05_nothing_outside_the_grants_is_offered_or_ranked",),
    ),
    Mutant(
        "what a key grants is ignored",
        "app/gateway/identify.py",
        "    return Caller(owner, replace(asked, grants=holder.grants, of_key=holder.source), holder.id, limits)\n",
        "    return Caller(owner, asked, holder.id, limits)\n",
        ("tests/auth/test_isolation.py::test_auth_e05_the_provider_sees_only_what_is_granted",),
    ),
    Mutant(
        "a list in haste of one caller is another's",
        "router/pipeline.py",
        "repr((self.request.owner, self.request.floor))",
        "repr(self.request.floor)",
        ("tests/gateway/test_routing_faults.py::test_c34_callers_share_nothing_that_is_remembered",),
    ),
    Mutant(
        "a client's tools go out where the catalogue's alone may",
        "app/gateway/flow.py",
        "    return caller.options.granted(gateway.settings).policy is SourcePolicy.REGISTRY\n",
        "    return False\n",
        ("tests/edge/test_catalogue_only.py::test_h04_no_tool_of_a_client_goes_out",),
    ),
    # Keys and limits
    Mutant(
        "a revoked key opens",
        "app/callers/ring.py",
        "            if key.revoked_at is None\n",
        "",
        ("tests/auth/test_keys.py::test_auth_e18_a_revoked_key_opens_nothing_within_a_second",),
    ),
    Mutant(
        "an expired key opens",
        "app/callers/ring.py",
        "        if held is None or held.until <= now:\n",
        "        if held is None:\n",
        ("tests/auth/test_keys.py::test_an_expired_key_opens_nothing",),
    ),
    Mutant(
        "limits are not counted",
        "app/gateway/flow.py",
        "    if caller.limits:\n",
        "    if not caller.limits:\n",
        ("tests/auth/test_limits.py::test_limits_of_one_key_are_not_anothers",),
    ),
    Mutant(
        "a limit begins anew when Redis falls silent",
        "app/callers/rate.py",
        "            passes_here = await self._own.hit(item, key_id)\n",
        "            passes_here = await self._own.test(item, key_id)\n",
        (
            "tests/unit/app/callers/test_rate.py::test_a_limit_does_not_begin_anew_when_redis_falls_silent",
            "tests/unit/app/callers/test_rate.py::test_a_limit_lets_through_so_many",
        ),
    ),
    Mutant(
        "the admin key is not looked at",
        "app/admin/endpoints.py",
        "    if not credentials.matches(credentials.bearer(",
        "    if not bool(credentials.bearer(",
        ("tests/admin/test_auth.py::test_nothing_but_the_key_opens_the_admin_api",),
    ),
    Mutant(
        "the Host header is not looked at",
        "app/hosts.py",
        "    if host and not (names_this_machine(host) or _is_allowed(host, server)):\n",
        "    if False:\n",
        ("tests/edge/test_pages.py::test_h01_a_name_that_was_pointed_here_is_refused",),
    ),
    Mutant(
        "the Origin header is not looked at",
        "app/hosts.py",
        "    if origin is None or (host and",
        "    if True or (host and",
        ("tests/edge/test_pages.py::test_h01_a_simple_request_of_another_page_is_refused",),
    ),
    # The provider
    Mutant(
        "the last bytes of an answer are cut",
        "app/gateway/relay.py",
        "        return (chunk,)\n",
        "        return (chunk[:-1],)\n",
        ("tests/gateway/test_streams.py::test_s01_s03_s07_a_stream_arrives_byte_for_byte",),
    ),
    Mutant(
        "a byte of an answer is changed",
        "app/gateway/relay.py",
        "        return (chunk,)\n",
        '        return (chunk.replace(b"\\r", b"\\n"),)\n',
        ("tests/gateway/test_streams.py::test_s01_s03_s07_a_stream_arrives_byte_for_byte",),
    ),
    Mutant(
        "an answer that broke looks whole",
        "app/gateway/relay.py",
        '        raise BrokenOff(f"the provider\'s answer broke off: {error}") from error\n',
        "        del error\n",
        ("tests/gateway/test_streams.py::test_s05_a_stream_that_breaks_is_broken_off",),
    ),
    Mutant(
        "the provider's own key is sent in passthrough mode",
        "app/gateway/forward.py",
        "        if self._settings.credentials is not Credentials.MANAGED:\n            return None\n",
        "",
        ("tests/gateway/test_credentials.py::test_passthrough_forwards_the_callers_key",),
    ),
    Mutant(
        "a caller's key is sent to the provider",
        "app/gateway/forward.py",
        "            and not (key is not None and name in _CREDENTIALS)\n",
        "",
        ("tests/gateway/test_credentials.py::test_managed_shows_the_provider_its_own_key_only",),
    ),
    Mutant(
        "an error shows the provider's key",
        "app/gateway/forward.py",
        "        return masked(answer, key) if key else answer\n",
        "        return answer\n",
        ("tests/faults/test_upstream_faults.py::test_a23_an_error_that_repeats_the_providers_key_comes_without_it",),
    ),
    Mutant(
        "a connection with unread bytes is used again",
        "app/gateway/connections.py",
        "        elif self.should_close or not self._is_between():\n",
        "        elif self.should_close:\n",
        ("tests/faults/test_stray_bytes.py::test_a24_what_comes_unasked_reaches_nobody",),
    ),
    # Imports, the registry, operation
    Mutant(
        "any address is imported from",
        "app/imports/addresses.py",
        "    if not is_public(address):\n",
        "    if False:\n",
        (
            "tests/imports/test_guard.py::test_e12_no_form_of_this_machines_address_is_asked",
            "tests/imports/test_guard.py::test_e12_no_address_of_a_network_inside_is_asked",
        ),
    ),
    Mutant(
        "a changed definition is offered at once",
        "app/imports/plan.py",
        '        return "held", Known(replace(known.tool, enabled=False), held)\n',
        '        return "held", Known(known.tool, held)\n',
        ("tests/imports/test_mcp.py::test_m09_a_changed_definition_is_held_until_it_is_approved",),
    ),
    Mutant(
        "a tool that waits for approval can be enabled",
        "app/registry/held.py",
        '[row["name"] for row in written if row["enabled"]]',
        "[]",
        (
            "tests/contract/test_registry_sources.py::test_h03_nothing_but_an_approval_enables_what_waits",
            "tests/imports/test_admin.py::test_h03_a_tool_that_waits_is_offered_by_no_other_way",
        ),
    ),
    Mutant(
        "a backup is not compared with its manifest",
        "app/registry/backup.py",
        "    if sha256 != manifest.sha256:\n",
        "    if False:\n",
        ("tests/durability/test_backup.py::test_durability_c15_a_backup_with_another_database_is_refused",),
    ),
    Mutant(
        "a restore revives revoked keys",
        "app/registry/backup.py",
        "        await keys.revoke_again(target, revoked)\n",
        "        await keys.revoke_again(target, {})\n",
        ("tests/durability/test_backup.py::test_durability_c15_a_restore_revives_no_key",),
    ),
    Mutant(
        "a reload drops what protects",
        "app/settings/change.py",
        '    if loosened := "; ".join(_loosened(old, new)):\n',
        '    if loosened := "":\n',
        ("tests/operations/test_reload.py::test_h02_a_file_of_which_a_part_is_missing_opens_nothing",),
    ),
    Mutant(
        "nothing is redacted",
        "app/telemetry/redact.py",
        "        if self._is_harmless(line):\n",
        "        if line:\n",
        (
            "tests/unit/app/test_redact.py::test_lines_of_libraries_are_redacted_too",
            "tests/unit/app/test_redact.py::test_values_of_private_names_are_masked_at_any_depth",
        ),
    ),
    Mutant(
        "text is normalised in one piece",
        "router/text.py",
        "    if len(text) <= _PIECE:\n        return unicodedata",
        "    if text:\n        return unicodedata",
        ("tests/unit/router/test_text.py::test_text_is_normalised_in_pieces_however_many_marks_it_has",),
    ),
    Mutant(
        "what is remembered has no bound",
        "router/memory.py",
        "            while self.used_bytes > self.most_bytes:\n",
        "            while self.used_bytes < 0:\n",
        ("tests/unit/router/test_memory.py::test_lru_forgets_the_oldest",),
    ),
    Mutant(
        "a number is read however long it is",
        "app/digits.py",
        ' or len(text) > len(f"{most}")',
        "",
        ("tests/unit/app/test_digits.py::test_whole_reads_nothing_else",),
    ),
    # Whose tools, and what is asked for
    Mutant(
        "a client's list of twenty tools is trimmed",
        "router/cut.py",
        "        if len(pool.own) - len(kept) <= budget.most:\n",
        "        if len(pool.own) - len(kept) <= budget.initial:\n",
        (
            "tests/unit/router/test_cut.py::test_invariants_keep_a_short_list_fixed_and_pinned",
            "tests/gateway/test_own_tools.py::test_up_to_twenty_are_all_kept",
        ),
    ),
    Mutant(
        "the catalogue joins whatever a client sends",
        "app/joining.py",
        "Source.REQUEST if why is Why.OWN else Source.BOTH",
        "Source.BOTH",
        ("tests/unit/app/test_joining.py::test_own_tools_stay_alone",),
    ),
    Mutant(
        "a reminder of the harness is a turn",
        "app/wire/turns.py",
        "        if not asked.is_turn:\n",
        "        if False:\n",
        ("tests/unit/wire/test_turns.py::test_a_reminder_of_its_own_is_no_turn",),
    ),
    Mutant(
        "SIGTERM ends a command as nobody wants it",
        "app/__main__.py",
        "            signal.signal(number, _as_ctrl_c)\n",
        "            pass\n",
        ("tests/cli/test_interrupts.py::test_a_signal_while_the_gateway_is_imported_ends_it_quietly",),
    ),
)
