// What every application here has in common; the same as ../python/scenarios.py, from which the tools come.
import { readFileSync } from "node:fs";

const shared = JSON.parse(readFileSync(process.env.SCENARIOS, "utf8"));

export const { question: QUESTION, system: SYSTEM } = shared;
export const called = [];

/** Return so many tools of the application, each with `run`. */
export function own(count) {
  return shared.own.slice(0, count).map(({ name, parameter, description }) => ({
    name,
    parameter,
    description,
    parameters: { type: "object", properties: { [parameter]: { type: "string" } }, required: [parameter] },
    run(args) {
      called.push(name);
      if (!(parameter in args)) throw new TypeError(`${name} needs ${parameter}`);
      return `${name} is done`;
    },
  }));
}

/** Run each scenario with its name as the model, and print for each a line with what came of it. */
export async function run(scenarios) {
  for (const [scenario, play] of Object.entries(scenarios)) {
    called.length = 0;
    let outcome;
    try {
      outcome = { result: await play(scenario) };
    } catch (error) {
      outcome = { error: `${error.name}: ${error.message}`.slice(0, 600) };
    }
    console.log("scenario: " + JSON.stringify({ scenario, ...outcome, called }));
  }
}
