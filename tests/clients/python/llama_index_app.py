"""LlamaIndex: OpenAILike, with function calling and agents."""

from scenarios import QUESTION, SYSTEM, own, run

# docs: begin
import asyncio

from llama_index.core.agent.workflow import FunctionAgent
from llama_index.llms.openai_like import OpenAILike

llm = OpenAILike(
    model="your-model",
    api_base="http://127.0.0.1:8000/v1",
    api_key="the key of your provider",
    is_chat_model=True,
    is_function_calling_model=True,  # without these two it sends no tools
)


def order_status(order: str) -> str:
    """Where an order is, by its number."""
    return f"Order {order} arrives on Friday."


async def main() -> None:
    agent = FunctionAgent(tools=[order_status], llm=llm)
    print(await agent.run("Where is order 1042?"))


asyncio.run(main())
# docs: end

# docs: headers
keeping = {"x-toolfunnel-keep": "unlock_gate"}  # OpenAILike(…, default_headers=keeping)
alone = {"x-toolfunnel-source": "request"}
# docs: end

from llama_index.core.agent.workflow import ReActAgent
from llama_index.core.llms import ChatMessage
from llama_index.core.prompts import PromptTemplate
from llama_index.core.tools import FunctionTool
from pydantic import BaseModel


class Forecast(BaseModel):
    """Weather to come."""

    city: str
    days: int


def model_of(name, *, schema=False, **headers):
    return OpenAILike(
        model=name,
        api_base=llm.api_base,
        api_key="k",
        is_chat_model=True,
        is_function_calling_model=True,
        should_use_structured_outputs=schema,
        default_headers=headers or None,
    )


async def agent_of(model, count, *, streaming=False, **headers):
    tools = [one.function for one in own(count)]
    agent = FunctionAgent(tools=tools, llm=model_of(model, **headers), system_prompt=SYSTEM, streaming=streaming)
    return str(await agent.run(QUESTION))


async def in_text(model):
    """An agent whose prompt describes its tools: it sends none."""
    agent = ReActAgent(tools=[one.function for one in own(3)], llm=model_of(model, **alone), streaming=False)
    return str(await agent.run(QUESTION))


def one_call(model):
    tools = [FunctionTool.from_defaults(one.function) for one in own(3)]
    return str(model_of(model).predict_and_call(tools, QUESTION))


def structured(model, *, schema):
    made = model_of(model, schema=schema)
    return made.structured_predict(Forecast, PromptTemplate(QUESTION)).model_dump()


def chat(model, **headers):
    return model_of(model, **headers).chat([ChatMessage(QUESTION)]).message.content


run(
    {
        "loop": lambda model: agent_of(model, 3),
        "one_call": one_call,
        "stream": lambda model: agent_of(model, 3, streaming=True),
        "structured": lambda model: structured(model, schema=True),
        "forced": lambda model: structured(model, schema=False),
        "agent13": lambda model: agent_of(model, 13),
        "agent60": lambda model: agent_of(model, 60, **keeping),
        "in_text": in_text,
        "plain": chat,
        "plain_called": chat,
        "plain_alone": lambda model: chat(model, **alone),
    }
)
