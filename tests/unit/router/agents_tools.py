"""Tool lists of agents and frameworks of the field, as far as their names go: what steers the agent, what works.

Names are as the programs of 2026 send them; of some, older names stand beside.
"""

from __future__ import annotations

CONTROL = {
    "smolagents": """
        final_answer python_interpreter user_input
    """,
    "openai-agents": """
        transfer_to_billing_agent transfer_to_refund_agent shell apply_patch computer
    """,
    "pydantic-ai": """
        final_result
    """,
    "langgraph": """
        transfer_to_research_assistant transfer_back_to_supervisor handoff_to_flight_agent write_todos task
        human_assistance think_tool ResearchComplete
    """,
    "autogen": """
        transfer_to_user transfer_to_travel_agent handoff_to_writer
    """,
    "crewai": """
        delegate_work_to_coworker ask_question_to_coworker
    """,
    "llama-index": """
        handoff
    """,
    "haystack": """
        ask_human
    """,
    "langchain": """
        human python_repl terminal
    """,
    "swe-agent": """
        bash submit str_replace_editor exit_forfeit
    """,
    "openhands": """
        execute_bash execute_ipython_cell str_replace_editor finish think task_tracker request_condensation
    """,
    "claude": """
        bash str_replace_editor str_replace_based_edit_tool computer memory code_execution
    """,
    "claude-code": """
        Task Bash BashOutput KillBash Edit MultiEdit TodoWrite TodoRead ExitPlanMode exit_plan_mode
        AskUserQuestion Skill Agent
    """,
    "cline": """
        execute_command ask_followup_question attempt_completion plan_mode_respond act_mode_respond new_task
        use_mcp_tool condense
    """,
    "roo": """
        switch_mode update_todo_list new_task apply_diff attempt_completion run_slash_command
    """,
    "codex": """
        shell exec_command update_plan apply_patch write_stdin request_user_input
    """,
    "gemini-cli": """
        run_shell_command save_memory replace write_todos complete_task ask_user
    """,
    "cursor": """
        run_terminal_cmd todo_write edit_file update_memory
    """,
    "copilot": """
        run_in_terminal manage_todo_list think apply_patch runSubagent
    """,
    "manus": """
        message_notify_user message_ask_user idle shell_exec
    """,
    "letta": """
        send_message core_memory_append core_memory_replace
    """,
    "adk": """
        transfer_to_agent exit_loop
    """,
    "own": """
        ask_user confirm_with_user escalate_to_human end_conversation end_call done terminate finalAnswer
        human-input request_approval give_up submit_answer
    """,
}
WORK = {
    "claude-code": """
        Read Write Glob Grep LS WebFetch WebSearch NotebookRead NotebookEdit ListMcpResourcesTool
    """,
    "cline": """
        read_file write_to_file replace_in_file search_files list_files list_code_definition_names
        browser_action
    """,
    "openhands": """
        browser_goto fetch
    """,
    "gemini-cli": """
        read_file write_file glob search_file_content list_directory google_web_search web_fetch
    """,
    "cursor": """
        codebase_search read_file list_dir grep_search file_search delete_file web_search
    """,
    "manus": """
        file_read file_write browser_navigate browser_click info_search_web deploy_expose_port
    """,
    "own": """
        get_user list_users create_task update_user send_email search_orders get_weather create_issue
        list_messages read_message refund_payment book_hotel cancel_order find_person get_agent_status
        transfer_money add_memory_card mcp__todo__task mcp__shell__bash submit_order task_list_tasks
    """,
}

# Written down after the words were chosen; 40 of 67 were recognised then, some words came with them.
HELD_OUT = """
final_output shell text_editor run_command command_status run_terminal_command edit_existing_file terminal thinking
report_progress suggest_rollback ask_secrets mark_completed_and_get_feedback userInput executeBash taskStatus
prework sequentialthinking task_done code_interpreter ConductResearch think analyze transfer_task_to_member
delegate_task_to_member ask_member handoff_to_user stop use_agent swarm python_repl editor RoleZero.ask_human
RoleZero.reply_to_human end Plan.append_task Plan.finish_current_task done wait transfer_to_human_agents respond
noop complete_task endCall transferCall transfer_call transfer_to_number skip_turn fs_write execute_bash todo_list
delegate message_user shell_exec submit_result raise_exception human_in_the_loop request_human_review set_output
finalize_answer return_control call_agent spawn_agent wait_for_agent close_agent send_input view_image
"""
