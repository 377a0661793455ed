// The Vercel AI SDK: `ai` with @ai-sdk/openai-compatible, and with @ai-sdk/openai.

// docs: begin
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText, stepCountIs, tool } from "ai";
import { z } from "zod";

const provider = createOpenAICompatible({
  name: "toolfunnel",
  baseURL: "http://127.0.0.1:8000/v1",
  apiKey: "the key of your provider",
  supportsStructuredOutputs: true, // otherwise it sends no schema
});
const orderStatus = tool({
  description: "Where an order is, by its number",
  inputSchema: z.object({ order: z.string() }),
  execute: async ({ order }) => `Order ${order} arrives on Friday.`,
});
const { text } = await generateText({
  model: provider("your-model"),
  prompt: "Where is order 1042?",
  tools: { order_status: orderStatus },
  stopWhen: stepCountIs(5),
});
console.log(text);
// docs: end

// docs: openai
import { createOpenAI } from "@ai-sdk/openai";

const openai = createOpenAI({ baseURL: "http://127.0.0.1:8000/v1", apiKey: "the key of your provider" });
const routed = openai.chat("your-model"); // Chat Completions: its tools are routed
const untouched = openai("your-model"); // Responses: goes through as it is, for now
// docs: end

// docs: headers
const keeping = { "x-toolfunnel-keep": "unlock_gate" }; // generateText({ …, headers: keeping })
const alone = { "x-toolfunnel-source": "request" };
// docs: end

import { generateObject, streamText } from "ai";
import { own, QUESTION, run, SYSTEM } from "./scenarios.mjs";

const Forecast = z.object({ city: z.string(), days: z.number().int() });

function tools(count) {
  return Object.fromEntries(
    own(count).map((one) => [
      one.name,
      tool({
        description: one.description,
        inputSchema: z.object({ [one.parameter]: z.string() }),
        execute: async (args) => one.run(args),
      }),
    ]),
  );
}

async function loop(model, count, headers = {}) {
  const asked = { model, headers, system: SYSTEM, prompt: QUESTION, stopWhen: stepCountIs(6) };
  return (await generateText({ ...asked, ...(count ? { tools: tools(count) } : {}) })).text;
}

async function stream(model, count) {
  const running = streamText({ model, prompt: QUESTION, tools: tools(count), stopWhen: stepCountIs(6) });
  let text = "";
  for await (const part of running.textStream) text += part;
  return text;
}

const structured = async (model) => (await generateObject({ model, prompt: QUESTION, schema: Forecast })).object;

await run({
  loop: (name) => loop(provider(name), 3),
  stream: (name) => stream(provider(name), 3),
  structured: (name) => structured(provider(name)),
  agent13: (name) => loop(provider(name), 13),
  agent60: (name) => loop(provider(name), 60, keeping),
  plain: (name) => loop(provider(name), 0),
  plain_called: (name) => loop(provider(name), 0),
  plain_alone: (name) => loop(provider(name), 0, alone),
  openai_loop: (name) => loop(openai.chat(name), 3),
  openai_stream: (name) => stream(openai.chat(name), 3),
  openai_structured: (name) => structured(openai.chat(name)),
  openai_agent13: (name) => loop(openai.chat(name), 13),
  openai_agent60: (name) => loop(openai.chat(name), 60, keeping),
  openai_plain: (name) => loop(openai.chat(name), 0),
  openai_plain_alone: (name) => loop(openai.chat(name), 0, alone),
  responses_loop: (name) => loop(openai(name), 40),
  responses_stream: (name) => stream(openai(name), 40),
  responses_structured: (name) => structured(openai(name)),
});
