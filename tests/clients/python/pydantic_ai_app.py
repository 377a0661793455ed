"""pydantic-ai: Chat Completions and Responses."""

from scenarios import QUESTION, SYSTEM, own, run

# docs: begin
from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

provider = OpenAIProvider(base_url="http://127.0.0.1:8000/v1", api_key="the key of your provider")
agent = Agent(OpenAIChatModel("your-model", provider=provider))


@agent.tool_plain
def order_status(order: str) -> str:
    """Where an order is, by its number."""
    return f"Order {order} arrives on Friday."


print(agent.run_sync("Where is order 1042?").output)
# docs: end

# docs: headers
from pydantic_ai import ModelSettings

keeping = ModelSettings(extra_headers={"x-toolfunnel-keep": "unlock_gate"})
alone = ModelSettings(extra_headers={"x-toolfunnel-source": "request"})
# docs: end

from openai import AsyncOpenAI
from pydantic import BaseModel
from pydantic_ai import NativeOutput
from pydantic_ai.models.openai import OpenAIResponsesModel


# What was shown had an event loop of its own, to which its client's connections belong. And nothing is asked twice.
provider = OpenAIProvider(openai_client=AsyncOpenAI(base_url=provider.base_url, api_key="k", max_retries=0))


class Forecast(BaseModel):
    """Weather to come."""

    city: str
    days: int


def agent_of(model, count, *, kind=OpenAIChatModel, **options):
    tools = [one.function for one in own(count)]
    return Agent(kind(model, provider=provider), system_prompt=SYSTEM, tools=tools, **options)


async def asked(agent):
    return (await agent.run(QUESTION)).output


async def streamed(agent):
    async with agent.run_stream(QUESTION) as answer:
        return await answer.get_output()


async def structured(agent):
    return (await asked(agent)).model_dump()


run(
    {
        "loop": lambda model: asked(agent_of(model, 3)),
        "stream": lambda model: streamed(agent_of(model, 3)),
        "structured": lambda model: structured(agent_of(model, 0, output_type=NativeOutput(Forecast))),
        "forced": lambda model: structured(agent_of(model, 0, output_type=Forecast)),
        "agent13": lambda model: asked(agent_of(model, 13)),
        "agent60": lambda model: asked(agent_of(model, 60, model_settings=keeping)),
        "plain": lambda model: asked(agent_of(model, 0)),
        "plain_called": lambda model: asked(agent_of(model, 0)),
        "plain_alone": lambda model: asked(agent_of(model, 0, model_settings=alone)),
        "responses_loop": lambda model: asked(agent_of(model, 40, kind=OpenAIResponsesModel)),
        "responses_stream": lambda model: streamed(agent_of(model, 40, kind=OpenAIResponsesModel)),
    }
)
