"""The LiteLLM SDK."""

from scenarios import QUESTION, SYSTEM, find, own, run

# docs: begin
import json

import litellm

BASE = {"api_base": "http://127.0.0.1:8000/v1", "api_key": "the key of your provider"}


def order_status(order: str) -> str:
    return f"Order {order} arrives on Friday."


parameters = {"type": "object", "properties": {"order": {"type": "string"}}, "required": ["order"]}
tools = [{"type": "function", "function": {"name": "order_status", "parameters": parameters}}]
messages = [{"role": "user", "content": "Where is order 1042?"}]
model = "openai/your-model"  # the prefix picks the protocol; it is not sent
answer = litellm.completion(model=model, messages=messages, tools=tools, **BASE).choices[0].message
(call,) = answer.tool_calls
result = order_status(**json.loads(call.function.arguments))
messages += [answer, {"role": "tool", "tool_call_id": call.id, "content": result}]
print(litellm.completion(model=model, messages=messages, tools=tools, **BASE).choices[0].message.content)
# docs: end

# docs: headers
keeping = {"extra_headers": {"x-toolfunnel-keep": "unlock_gate"}}  # completion(…, **keeping)
alone = {"extra_headers": {"x-toolfunnel-source": "request"}}
# docs: end

from pydantic import BaseModel

litellm.suppress_debug_info = True


class Forecast(BaseModel):
    """Weather to come."""

    city: str
    days: int


def loop(model, count=3, *, stream=False, **options):
    messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": QUESTION}]
    options |= {"tools": [one.tool for one in own(count)], "stream": stream, **BASE}
    for _ in range(6):
        answer = litellm.completion(model=f"openai/{model}", messages=messages, **options)
        if stream:
            answer = litellm.stream_chunk_builder(list(answer), messages=messages)
        message = answer.choices[0].message
        if not message.tool_calls:
            return message.content
        messages.append(message.model_dump())
        for call in message.tool_calls:
            content = find(call.function.name).run(**json.loads(call.function.arguments))
            messages.append({"role": "tool", "tool_call_id": call.id, "content": content})
    return None


def plain(model, **options):
    messages = [{"role": "user", "content": QUESTION}]
    message = litellm.completion(model=f"openai/{model}", messages=messages, **options, **BASE).choices[0].message
    return [message.content, *(call.function.name for call in message.tool_calls or ())]


def structured(model):
    return Forecast.model_validate_json(plain(model, response_format=Forecast)[0]).model_dump()


def responses(model):
    answer = litellm.responses(model=f"openai/{model}", input=QUESTION, tools=_flat(40), **BASE)
    return [item.name for item in answer.output]


def _flat(count):
    return [{"type": "function", "strict": False, **one.tool["function"]} for one in own(count)]


run(
    {
        "loop": loop,
        "stream": lambda model: loop(model, stream=True),
        "structured": structured,
        "agent13": lambda model: loop(model, 13),
        "agent60": lambda model: loop(model, 60, **keeping),
        "plain": plain,
        "plain_called": plain,
        "plain_alone": lambda model: plain(model, **alone),
        "responses_stream": responses,
    }
)
