"""The anthropic package: Messages, which go through as they are."""

from scenarios import QUESTION, find, own, run

# docs: begin
from anthropic import Anthropic

client = Anthropic(base_url="http://127.0.0.1:8000", api_key="the key of your provider")  # without /v1


def order_status(order: str) -> str:
    return f"Order {order} arrives on Friday."


parameters = {"type": "object", "properties": {"order": {"type": "string"}}, "required": ["order"]}
asked = {
    "model": "your-model",
    "max_tokens": 1000,
    "tools": [{"name": "order_status", "input_schema": parameters}],
    "messages": [{"role": "user", "content": "Where is order 1042?"}],
}
answer = client.messages.create(**asked)
(call,) = [part for part in answer.content if part.type == "tool_use"]
result = {"type": "tool_result", "tool_use_id": call.id, "content": order_status(**call.input)}
asked["messages"] += [{"role": "assistant", "content": answer.content}, {"role": "user", "content": [result]}]
print(client.messages.create(**asked).content[0].text)
# docs: end


def loop(model, stream=False):
    messages = [{"role": "user", "content": QUESTION}]
    tools = [{"name": one.name, "description": one.description, "input_schema": one.schema} for one in own(40)]
    for _ in range(6):
        options = {"model": model, "max_tokens": 100, "messages": messages, "tools": tools}
        if stream:
            with client.messages.stream(**options) as events:
                answer, told = events.get_final_message(), events.response.headers.get("x-toolfunnel-tools")
        else:
            raw = client.messages.with_raw_response.create(**options)
            answer, told = raw.parse(), raw.headers.get("x-toolfunnel-tools")
        calls = [part for part in answer.content if part.type == "tool_use"]
        if not calls:
            return [answer.content[0].text, told]
        results = [
            {"type": "tool_result", "tool_use_id": call.id, "content": find(call.name).run(**call.input)}
            for call in calls
        ]
        messages += [{"role": "assistant", "content": answer.content}, {"role": "user", "content": results}]
    return None


run({"messages_loop": loop, "messages_stream": lambda model: loop(model, stream=True)})
