"""autogen-agentchat with the OpenAI client of autogen-ext."""

from scenarios import QUESTION, SYSTEM, own, run

# docs: begin
import asyncio

from autogen_agentchat.agents import AssistantAgent
from autogen_ext.models.openai import OpenAIChatCompletionClient

client = OpenAIChatCompletionClient(
    model="your-model",
    base_url="http://127.0.0.1:8000/v1",
    api_key="the key of your provider",
    model_info={  # it knows OpenAI's models by name; of others it must be told
        "family": "unknown",
        "function_calling": True,
        "json_output": True,
        "structured_output": True,
        "vision": False,
    },
)


async def order_status(order: str) -> str:
    """Where an order is, by its number."""
    return f"Order {order} arrives on Friday."


async def main() -> None:
    agent = AssistantAgent("orders", model_client=client, tools=[order_status], reflect_on_tool_use=True)
    print((await agent.run(task="Where is order 1042?")).messages[-1].content)


asyncio.run(main())
# docs: end

# docs: headers
keeping = {"x-toolfunnel-keep": "unlock_gate"}  # OpenAIChatCompletionClient(…, default_headers=keeping)
alone = {"x-toolfunnel-source": "request"}
# docs: end

from pydantic import BaseModel


class Forecast(BaseModel):
    """Weather to come."""

    city: str
    days: int


async def agent_of(model, count, *, headers=None, stream=False, **options):
    made = OpenAIChatCompletionClient(
        model=model,
        base_url=URL,
        api_key="k",
        model_info=INFO,
        default_headers=headers or {},
    )
    agent = AssistantAgent(
        "warehouse",
        model_client=made,
        tools=[one.function for one in own(count)] or None,
        system_message=SYSTEM,
        model_client_stream=stream,
        **options,
    )
    content = (await agent.run(task=QUESTION)).messages[-1].content
    return content.model_dump() if isinstance(content, BaseModel) else content


URL = "http://127.0.0.1:8000/v1"
INFO = {
    "family": "unknown",
    "function_calling": True,
    "json_output": True,
    "structured_output": True,
    "vision": False,
}
many = {"max_tool_iterations": 6}

run(
    {
        "loop": lambda model: agent_of(model, 3, **many),
        "stream": lambda model: agent_of(model, 3, stream=True, **many),
        "structured": lambda model: agent_of(model, 0, output_content_type=Forecast),
        "agent13": lambda model: agent_of(model, 13, **many),
        "agent60": lambda model: agent_of(model, 60, headers=keeping, **many),
        "plain": lambda model: agent_of(model, 0),
        "plain_called": lambda model: agent_of(model, 0),
        "plain_alone": lambda model: agent_of(model, 0, headers=alone),
    }
)
