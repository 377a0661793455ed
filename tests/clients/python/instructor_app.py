"""instructor: structured output by a forced tool, by JSON Schema and by JSON mode."""

from scenarios import QUESTION, run

# docs: begin
import instructor
from openai import OpenAI
from pydantic import BaseModel


class Forecast(BaseModel):
    """Weather to come."""

    city: str
    days: int


client = OpenAI(base_url="http://127.0.0.1:8000/v1", api_key="the key of your provider")
structured = instructor.from_openai(client, mode=instructor.Mode.TOOLS)  # JSON_SCHEMA and JSON work, too
messages = [{"role": "user", "content": "What is the weather in Berlin tomorrow?"}]
print(structured.chat.completions.create(model="your-model", response_model=Forecast, messages=messages))
# docs: end


def asked(mode):
    made = instructor.from_openai(client, mode=mode)

    def ask(model):
        messages = [{"role": "user", "content": QUESTION}]
        return made.chat.completions.create(
            model=model, response_model=Forecast, messages=messages, max_retries=1
        ).model_dump()

    return ask


run(
    {
        "forced": asked(instructor.Mode.TOOLS),
        "structured": asked(instructor.Mode.JSON_SCHEMA),
        "json": asked(instructor.Mode.JSON),
    }
)
