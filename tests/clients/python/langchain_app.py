"""LangChain: a chat model with tools, structured output, and agents, which are graphs of LangGraph."""

from scenarios import QUESTION, SYSTEM, own, run

# docs: begin
from langchain.agents import create_agent
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI

llm = ChatOpenAI(base_url="http://127.0.0.1:8000/v1", api_key="the key of your provider", model="your-model")


@tool
def order_status(order: str) -> str:
    """Where an order is, by its number."""
    return f"Order {order} arrives on Friday."


agent = create_agent(llm, [order_status])
state = agent.invoke({"messages": [("user", "Where is order 1042?")]})
print(state["messages"][-1].content)
# docs: end

# docs: headers
keeping = ChatOpenAI(
    base_url="http://127.0.0.1:8000/v1",
    api_key="the key of your provider",
    model="your-model",
    default_headers={"x-toolfunnel-keep": "unlock_gate"},
)
# docs: end

from langchain_core.messages import HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import StructuredTool
from langgraph.prebuilt import create_react_agent
from pydantic import BaseModel


class Forecast(BaseModel):
    """Weather to come."""

    city: str
    days: int


def model_of(name, **headers):
    return ChatOpenAI(base_url=llm.openai_api_base, api_key="k", model=name, default_headers=headers or None)


def tools(count):
    return [StructuredTool.from_function(one.function) for one in own(count)]


def loop(model, stream=False):
    bound = model_of(model).bind_tools(tools(3))
    messages = [HumanMessage(QUESTION)]
    for _ in range(6):
        if stream:
            parts = list(bound.stream(messages))
            answer = sum(parts[1:], parts[0])
        else:
            answer = bound.invoke(messages)
        if not answer.tool_calls:
            return answer.content
        messages.append(answer)
        for call in answer.tool_calls:
            made = next(one for one in tools(3) if one.name == call["name"])
            messages.append(ToolMessage(made.invoke(call["args"]), tool_call_id=call["id"]))
    return None


def agent_of(model, count, **headers):
    made = create_agent(model_of(model, **headers), tools(count), system_prompt=SYSTEM)
    return made.invoke({"messages": [("user", QUESTION)]})["messages"][-1].content


def graph(model):
    made = create_react_agent(model_of(model), tools(13))
    messages = [SystemMessage(SYSTEM), HumanMessage(QUESTION)]
    parts = [part for part, _ in made.stream({"messages": messages}, stream_mode="messages")]
    return "".join(part.content for part in parts if part.type == "AIMessageChunk")


run(
    {
        "loop": loop,
        "stream": lambda model: loop(model, stream=True),
        "structured": lambda model: model_of(model).with_structured_output(Forecast).invoke(QUESTION).model_dump(),
        "forced": lambda model: (
            model_of(model).with_structured_output(Forecast, method="function_calling").invoke(QUESTION).model_dump()
        ),
        "agent13": lambda model: agent_of(model, 13),
        "agent60": lambda model: agent_of(model, 60, **{"x-toolfunnel-keep": "unlock_gate"}),
        "stranger": lambda model: agent_of(model, 25),
        "graph": graph,
        "plain": lambda model: model_of(model).invoke(QUESTION).content,
        "plain_called": lambda model: model_of(model).invoke(QUESTION).content,
        "plain_alone": lambda model: model_of(model, **{"x-toolfunnel-source": "request"}).invoke(QUESTION).content,
        "responses_loop": lambda model: (
            create_agent(
                ChatOpenAI(base_url=llm.openai_api_base, api_key="k", model=model, use_responses_api=True), tools(40)
            )
            .invoke({"messages": [("user", QUESTION)]})["messages"][-1]
            .text
        ),
    }
)
