// The openai package for Node: Chat Completions with `runTools`, structured output, Responses.

// docs: begin
import OpenAI from "openai";

const client = new OpenAI({ baseURL: "http://127.0.0.1:8000/v1", apiKey: "the key of your provider" });

const orderStatus = {
  name: "order_status",
  parameters: { type: "object", properties: { order: { type: "string" } }, required: ["order"] },
  parse: JSON.parse,
  function: ({ order }) => `Order ${order} arrives on Friday.`,
};
const running = client.chat.completions.runTools({
  model: "your-model",
  messages: [{ role: "user", content: "Where is order 1042?" }],
  tools: [{ type: "function", function: orderStatus }],
});
console.log(await running.finalContent());
// docs: end

// docs: headers
const keeping = client.withOptions({ defaultHeaders: { "x-toolfunnel-keep": "unlock_gate" } });
const alone = client.withOptions({ defaultHeaders: { "x-toolfunnel-source": "request" } });
// docs: end

import { zodResponseFormat } from "openai/helpers/zod";
import { z } from "zod";
import { own, QUESTION, run, SYSTEM } from "./scenarios.mjs";

const Forecast = z.object({ city: z.string(), days: z.number().int() });
const messages = [{ role: "system", content: SYSTEM }, { role: "user", content: QUESTION }];

function tools(count) {
  return own(count).map(({ name, description, parameters, run: call }) => ({
    type: "function",
    function: { name, description, parameters, parse: JSON.parse, function: call },
  }));
}

async function loop(model, count, { stream = false, through = client } = {}) {
  const running = through.chat.completions.runTools({ model, messages, stream, tools: tools(count) });
  return await running.finalContent();
}

async function plain(model, through = client) {
  const asked = { model, messages: [{ role: "user", content: QUESTION }] };
  const { message } = (await through.chat.completions.create(asked)).choices[0];
  return [message.content, ...(message.tool_calls ?? []).map((call) => call.function.name)];
}

async function structured(model) {
  const form = zodResponseFormat(Forecast, "forecast");
  const asked = { model, messages: [{ role: "user", content: QUESTION }], response_format: form };
  return (await client.chat.completions.parse(asked)).choices[0].message.parsed;
}

async function responses(model) {
  const flat = own(40).map(({ name, description, parameters }) => ({
    type: "function", name, description, parameters, strict: false,
  }));
  const input = [{ role: "user", content: QUESTION }];
  for (let turn = 0; turn < 6; turn++) {
    const { data, response } = await client.responses.create({ model, input, tools: flat }).withResponse();
    const calls = data.output.filter((item) => item.type === "function_call");
    if (!calls.length) return [data.output_text, response.headers.get("x-toolfunnel-tools")];
    for (const call of calls) {
      const output = own(60).find(({ name }) => name === call.name).run(JSON.parse(call.arguments));
      input.push(call, { type: "function_call_output", call_id: call.call_id, output });
    }
  }
}

await run({
  loop: (model) => loop(model, 3),
  stream: (model) => loop(model, 3, { stream: true }),
  structured,
  agent13: (model) => loop(model, 13),
  agent60: (model) => loop(model, 60, { through: keeping }),
  plain,
  plain_called: plain,
  plain_alone: (model) => plain(model, alone),
  responses_loop: responses,
});
