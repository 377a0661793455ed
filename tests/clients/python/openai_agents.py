"""openai-agents: the default model (Responses) and the one that speaks Chat Completions."""

from scenarios import QUESTION, SYSTEM, of_catalogue, own, run

# docs: begin
from agents import Agent, OpenAIChatCompletionsModel, Runner, function_tool, set_tracing_disabled
from openai import AsyncOpenAI

set_tracing_disabled(True)  # it would send traces to OpenAI
client = AsyncOpenAI(base_url="http://127.0.0.1:8000/v1", api_key="the key of your provider")


@function_tool
def order_status(order: str) -> str:
    """Where an order is, by its number."""
    return f"Order {order} arrives on Friday."


model = OpenAIChatCompletionsModel("your-model", client)  # its tools are routed; those of the default model are not yet
agent = Agent(name="Orders", instructions="Help with orders.", model=model, tools=[order_status])
print(Runner.run_sync(agent, "Where is order 1042?").final_output)
# docs: end

# docs: headers
from agents import ModelSettings

alone = ModelSettings(extra_headers={"x-toolfunnel-source": "request"})  # for an agent without tools
keeping = ModelSettings(extra_headers={"x-toolfunnel-keep": "unlock_gate"})
# docs: end

from agents import FunctionTool, OpenAIResponsesModel, handoff
from pydantic import BaseModel


# What was shown had an event loop of its own, to which its client's connections belong. And nothing is asked twice.
client = AsyncOpenAI(base_url=str(client.base_url), api_key="k", max_retries=0)


class Forecast(BaseModel):
    """Weather to come."""

    city: str
    days: int


def agent_of(model, count, *, settings=None, output=None, responses=False, handoffs=(), without=""):
    kind = OpenAIResponsesModel if responses else OpenAIChatCompletionsModel
    return Agent(
        name="Warehouse",
        instructions=SYSTEM,
        tools=[function_tool(one.function) for one in own(count, without=without)],
        model=kind(model, client),
        model_settings=settings or ModelSettings(),
        output_type=output,
        handoffs=list(handoffs),
    )


async def asked(agent):
    return (await Runner.run(agent, QUESTION)).final_output


async def streamed(agent):
    running = Runner.run_streamed(agent, QUESTION)
    async for _event in running.stream_events():
        pass
    return running.final_output


async def structured(agent):
    return (await asked(agent)).model_dump()


def declaring(model, settings=None):
    """An agent that has one tool of the catalogue itself, as by a connection to the same MCP server, and no others."""
    theirs = of_catalogue("openweather_current")
    made = agent_of(model, 3, settings=settings)
    made.tools.append(
        FunctionTool(theirs["name"], theirs["description"], theirs["parameters"], None, strict_json_schema=False)
    )
    return asked(made)


def handing(model):
    """An agent that hands over to another one: a control tool that the framework makes."""
    other = Agent(name="Billing", instructions="You do bills.", model=OpenAIChatCompletionsModel("loop", client))
    other.tools = [function_tool(one.function) for one in own(3)]
    return asked(agent_of(model, 24, handoffs=[handoff(other)], without="transfer_to_billing"))


run(
    {
        "loop": lambda model: asked(agent_of(model, 3)),
        "stream": lambda model: streamed(agent_of(model, 3)),
        "structured": lambda model: structured(agent_of(model, 0, output=Forecast)),
        "agent13": lambda model: asked(agent_of(model, 13)),
        "agent60": lambda model: asked(agent_of(model, 60, settings=keeping)),
        "stranger": lambda model: asked(agent_of(model, 25)),
        "handoff": handing,
        "declared": declaring,
        "declared_alone": lambda model: declaring(model, alone),
        "plain": lambda model: asked(agent_of(model, 0)),
        "plain_called": lambda model: asked(agent_of(model, 0)),
        "plain_alone": lambda model: asked(agent_of(model, 0, settings=alone)),
        "responses_loop": lambda model: asked(agent_of(model, 40, responses=True)),
        "responses_stream": lambda model: streamed(agent_of(model, 40, responses=True)),
        "responses_structured": lambda model: structured(agent_of(model, 0, output=Forecast, responses=True)),
    }
)
