// @ts-check
/** Makes an account, logs a workout and reads it back: node queries.mjs ADDRESS EMAIL PASSWORD */

import { randomUUID } from "node:crypto";

const [address, email, password] = process.argv.slice(2);

/**
 * The JSON of the answer.
 * @param {string} path
 * @param {object} body
 * @param {string} [token]
 */
async function post(path, body, token) {
  /** @type {Record<string, string>} */
  const headers = { "Content-Type": "application/json" };
  if (token) headers.Authorization = `Bearer ${token}`;
  const answer = await fetch(address + path, { method: "POST", headers, body: JSON.stringify(body) });
  const said = await answer.json();
  if (!answer.ok || said.errors) throw new Error(JSON.stringify(said));
  return said;
}

await post("/api/v1/auth/register", { email, password, name: "Ada" });
const { accessToken } = await post("/api/v1/auth/login", { email, password });

/**
 * @param {string} query
 * @param {object} [variables]
 */
const ask = async (query, variables = {}) => (await post("/api/graphql", { query, variables }, accessToken)).data;

const [exercise] = (await ask('{ exercises(search: "squat") { id name } }')).exercises;
const { logWorkout } = await ask(
  `mutation ($input: LogWorkoutInput!, $key: String!) {
    logWorkout(input: $input, idempotencyKey: $key) { existing workout { totalTu } }
  }`,
  {
    input: {
      performedAt: new Date().toISOString(),
      exercises: [{ exerciseId: exercise.id, sets: [{ reps: 10, weightKg: 60 }] }],
    },
    key: randomUUID(),
  },
);
console.log(exercise.name, logWorkout.workout.totalTu, "training units");

let page;
do {
  page = (await ask(
    `query ($after: String) {
      dashboard(first: 20, after: $after) {
        edges { node { type createdAt } } pageInfo { endCursor hasNextPage } position { epoch offset }
      }
    }`,
    { after: page?.pageInfo.endCursor },
  )).dashboard;
  for (const { node } of page.edges) console.log(node.createdAt, node.type);
} while (page.pageInfo.hasNextPage);
console.log("since", `${page.position.epoch}:${page.position.offset}`);
