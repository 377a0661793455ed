"""haystack: the chat generator and its agent."""

from scenarios import QUESTION, SYSTEM, own, run

# docs: begin
from haystack.components.agents import Agent
from haystack.components.generators.chat import OpenAIChatGenerator
from haystack.dataclasses import ChatMessage
from haystack.tools import tool
from haystack.utils import Secret

KEY = Secret.from_token("the key of your provider")


@tool
def order_status(order: str) -> str:
    """Where an order is, by its number."""
    return f"Order {order} arrives on Friday."


generator = OpenAIChatGenerator(api_base_url="http://127.0.0.1:8000/v1", api_key=KEY, model="your-model")
agent = Agent(chat_generator=generator, tools=[order_status])
print(agent.run(messages=[ChatMessage.from_user("Where is order 1042?")])["last_message"].text)
# docs: end

# docs: headers
keeping = {"extra_headers": {"x-toolfunnel-keep": "unlock_gate"}}  # OpenAIChatGenerator(…, generation_kwargs=keeping)
alone = {"extra_headers": {"x-toolfunnel-source": "request"}}
# docs: end

from haystack.tools import Tool
from pydantic import BaseModel


class Forecast(BaseModel):
    """Weather to come."""

    city: str
    days: int


def generator_of(model, options=None, **more):
    return OpenAIChatGenerator(
        api_base_url=generator.api_base_url, api_key=KEY, model=model, generation_kwargs=options, **more
    )


def agent_of(model, count, options=None, **more):
    tools = [
        Tool(name=one.name, description=one.description, parameters=one.schema, function=one.run) for one in own(count)
    ]
    made = Agent(chat_generator=generator_of(model, options, **more), tools=tools, system_prompt=SYSTEM)
    return made.run(messages=[ChatMessage.from_user(QUESTION)])["last_message"].text


def plain(model, options=None):
    (reply,) = generator_of(model, options).run(messages=[ChatMessage.from_user(QUESTION)])["replies"]
    return [reply.text, *(call.tool_name for call in reply.tool_calls)]


def structured(model):
    return Forecast.model_validate_json(plain(model, {"response_format": Forecast})[0]).model_dump()


run(
    {
        "loop": lambda model: agent_of(model, 3),
        "stream": lambda model: agent_of(model, 3, streaming_callback=lambda _chunk: None),
        "structured": structured,
        "agent13": lambda model: agent_of(model, 13),
        "agent60": lambda model: agent_of(model, 60, keeping),
        "plain": plain,
        "plain_called": plain,
        "plain_alone": lambda model: plain(model, alone),
    }
)
