"""The openai package for Python: Chat Completions, Responses, and what AzureOpenAI does."""

import json

from scenarios import CALLED, PINNED, QUESTION, SYSTEM, find, own, run

# docs: begin
from openai import OpenAI

client = OpenAI(base_url="http://127.0.0.1:8000/v1", api_key="the key of your provider")


def order_status(order: str) -> str:
    return f"Order {order} arrives on Friday."


parameters = {"type": "object", "properties": {"order": {"type": "string"}}, "required": ["order"]}
tools = [{"type": "function", "function": {"name": "order_status", "parameters": parameters}}]
messages = [{"role": "user", "content": "Where is order 1042?"}]
while True:
    answer = client.chat.completions.create(model="your-model", messages=messages, tools=tools).choices[0].message
    messages.append(answer)
    if not answer.tool_calls:
        break
    for call in answer.tool_calls:
        result = order_status(**json.loads(call.function.arguments))
        messages.append({"role": "tool", "tool_call_id": call.id, "content": result})
print(answer.content)
# docs: end

# docs: headers
keeping = client.with_options(default_headers={"x-toolfunnel-keep": "unlock_gate"})
alone = client.with_options(default_headers={"x-toolfunnel-source": "request"})
# docs: end

import openai
from pydantic import BaseModel

assert PINNED == "unlock_gate"


class Forecast(BaseModel):
    """Weather to come."""

    city: str
    days: int


def loop(model, mine=None, stream=False, client=client, system=SYSTEM):
    mine = own(3) if mine is None else mine
    messages = [{"role": "system", "content": system}, {"role": "user", "content": QUESTION}]
    options = {"model": model, "messages": messages} | ({"tools": [one.tool for one in mine]} if mine else {})
    for _ in range(6):
        if stream:
            with client.chat.completions.stream(**options) as events:
                for _event in events:
                    pass
                message = events.get_final_completion().choices[0].message
        else:
            message = client.chat.completions.create(**options).choices[0].message
        if not message.tool_calls:
            return message.content
        messages.append(message.model_dump(exclude_none=True))
        for call in message.tool_calls:
            content = find(call.function.name).run(**json.loads(call.function.arguments))
            messages.append({"role": "tool", "tool_call_id": call.id, "content": content})
    return None


def structured(model):
    messages = [{"role": "user", "content": QUESTION}]
    message = client.chat.completions.parse(model=model, messages=messages, response_format=Forecast).choices[0].message
    return message.parsed.model_dump()


def forced(model):
    choice = {"type": "function", "function": {"name": "local_weather"}}
    messages = [{"role": "user", "content": QUESTION}]
    tools = [one.tool for one in own(3)]
    answer = client.chat.completions.create(model=model, messages=messages, tools=tools, tool_choice=choice)
    return answer.choices[0].message.tool_calls[0].function.name


def plain(model, client=client):
    answer = client.chat.completions.create(model=model, messages=[{"role": "user", "content": QUESTION}])
    message = answer.choices[0].message
    return [message.content, *(call.function.name for call in message.tool_calls or ())]


def dispatching(model):
    """An application that can run the catalogue's tools, too, and says so."""
    both = client.with_options(default_headers={"x-toolfunnel-source": "both"})
    messages = [{"role": "user", "content": QUESTION}]
    tools = [one.tool for one in own(3)]
    answer = both.chat.completions.create(model=model, messages=messages, tools=tools).choices[0].message
    call = answer.tool_calls[0]
    CALLED.append(call.function.name)
    messages += [answer, {"role": "tool", "tool_call_id": call.id, "content": "12 degrees"}]
    return both.chat.completions.create(model=model, messages=messages, tools=tools).choices[0].message.content


def responses(model):
    inputs = [{"role": "user", "content": QUESTION}]
    for _ in range(6):
        raw = client.responses.with_raw_response.create(model=model, input=inputs, tools=_flat(40))
        answer = raw.parse()
        calls = [item for item in answer.output if item.type == "function_call"]
        if not calls:
            return [answer.output_text, raw.headers.get("x-toolfunnel-tools")]
        for call in calls:
            output = find(call.name).run(**json.loads(call.arguments))
            inputs += [call, {"type": "function_call_output", "call_id": call.call_id, "output": output}]
    return None


def responses_stream(model):
    with client.responses.stream(model=model, input=QUESTION, tools=_flat(40)) as events:
        for _event in events:
            pass
        return [item.name for item in events.get_final_response().output]


def responses_structured(model):
    return client.responses.parse(model=model, input=QUESTION, text_format=Forecast).output_parsed.model_dump()


def azure(model):
    """The class for Azure has paths of its own."""
    made = openai.AzureOpenAI(
        azure_endpoint=str(client.base_url).removesuffix("/v1/"), api_key="k", api_version="2024-10-21", max_retries=0
    )
    try:
        made.chat.completions.create(model=model, messages=[{"role": "user", "content": QUESTION}])
    except openai.APIStatusError as error:
        return [error.status_code, error.message]
    return "served"


def _flat(count):
    return [{"type": "function", "strict": False, **one.tool["function"]} for one in own(count)]


run(
    {
        "loop": loop,
        "stream": lambda model: loop(model, stream=True),
        "structured": structured,
        "forced": forced,
        "agent13": lambda model: loop(model, own(13)),
        "agent60": lambda model: loop(model, own(60), client=keeping),
        "plain": plain,
        "plain_called": plain,
        "plain_alone": lambda model: plain(model, alone),
        "dispatching": dispatching,
        "agent60_unpinned": lambda model: loop(model, own(60)),
        "stranger": lambda model: loop(model, own(25)),
        "responses_loop": responses,
        "responses_stream": responses_stream,
        "responses_structured": responses_structured,
        "azure": azure,
    }
)
