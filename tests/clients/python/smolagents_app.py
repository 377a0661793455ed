"""smolagents: an agent that ends its run by calling `final_answer`."""

from scenarios import QUESTION, SYSTEM, own, run

# docs: begin
from smolagents import OpenAIModel, ToolCallingAgent, tool

model = OpenAIModel("your-model", api_base="http://127.0.0.1:8000/v1", api_key="the key of your provider")


@tool
def order_status(order: str) -> str:
    """Where an order is, by its number.

    Args:
        order: The number of the order.
    """
    return f"Order {order} arrives on Friday."


agent = ToolCallingAgent(tools=[order_status], model=model)
print(agent.run("Where is order 1042?"))
# docs: end

# docs: headers
keeping = {"default_headers": {"x-toolfunnel-keep": "unlock_gate"}}  # OpenAIModel(…, client_kwargs=keeping)
alone = {"default_headers": {"x-toolfunnel-source": "request"}}
# docs: end

from pydantic import BaseModel
from smolagents import CodeAgent, Tool


class Forecast(BaseModel):
    """Weather to come."""

    city: str
    days: int


def tool_of(one):
    space = {"run": one.run}
    exec(f"def forward(self, {one.parameter}):\n    return run({one.parameter}={one.parameter})", space)
    inputs = {one.parameter: {"type": "string", "description": "Which one."}}
    members = {"name": one.name, "description": one.description, "inputs": inputs, "output_type": "string"}
    return type(
        one.name, (Tool,), {**members, "forward": space["forward"], "skip_forward_signature_validation": True}
    )()


def model_of(name, options=None):
    return OpenAIModel(name, api_base="http://127.0.0.1:8000/v1", api_key="k", client_kwargs=options)


def agent_of(model, count, options=None, *, stream=False):
    """Count the framework's own `final_answer` as one of the tools."""
    made = ToolCallingAgent(
        tools=[tool_of(one) for one in own(count - 1, without="final_answer")],
        model=model_of(model, options),
        instructions=SYSTEM,
        max_steps=6,
        verbosity_level=0,
        stream_outputs=stream,
    )
    return made.run(QUESTION)


def in_text(model):
    """An agent whose tools are Python functions that its prompt describes: it sends none."""
    made = CodeAgent(
        tools=[tool_of(one) for one in own(3)], model=model_of(model, alone), max_steps=3, verbosity_level=0
    )
    return made.run(QUESTION)


def plain(model, options=None):
    messages = [{"role": "user", "content": [{"type": "text", "text": QUESTION}]}]
    answer = model_of(model, options)(messages)
    return [answer.content, *(call.function.name for call in answer.tool_calls or ())]


run(
    {
        "loop": lambda model: agent_of(model, 4),
        "stream": lambda model: agent_of(model, 4, stream=True),
        "agent13": lambda model: agent_of(model, 13),
        "agent60": lambda model: agent_of(model, 60, keeping),
        "in_text": in_text,
        "plain": plain,
        "plain_called": plain,
        "plain_alone": lambda model: plain(model, alone),
    }
)
