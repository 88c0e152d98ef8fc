// @ts-check
/**
 * Publishes each line of the standard input as an event: node publish.mjs ADDRESS NAMESPACE CHANNEL
 *
 * The server key is in APP_KEY. Prints an id a line as soon as its event is durable. What is cut or refused for now is
 * sent again with the same ids, so nothing is published twice.
 */

import { randomUUID } from "node:crypto";
import { createInterface } from "node:readline";

const AT_ONCE = 100;
const LATER = new Set([429, 500, 502, 503, 504]);
const [address, namespace, channel] = process.argv.slice(2);
const url = `${address}/api/v1/apps/${namespace}/events`;
const headers = { "Content-Type": "application/json", Authorization: `Bearer ${process.env.APP_KEY}` };

/**
 * The result of each event, once all are durable. Throws where the same again is of no use.
 * @param {object[]} events
 * @returns {Promise<{id: string, existing: boolean}[]>}
 */
async function publish(events) {
  const body = JSON.stringify({ events });
  for (let failures = 0; ; failures += 1) {
    let waitMs = Math.random() * Math.min(30_000, 1_000 * 2 ** failures);
    // Where it is cut nobody knows whether it was published, and it does not matter.
    const answer = await fetch(url, { method: "POST", headers, body, signal: AbortSignal.timeout(30_000) }).catch(
      () => null,
    );
    const said = await answer?.json().catch(() => null);
    if (answer?.ok && said) return said.results;
    if (answer && !answer.ok && !LATER.has(answer.status)) throw new Error(JSON.stringify(said));
    waitMs += Number(answer?.headers.get("Retry-After") ?? 0) * 1_000;
    await new Promise((resolve) => setTimeout(resolve, waitMs));
  }
}

/** @type {object[]} */
let events = [];

async function send() {
  const sent = events;
  events = [];
  for (const { id } of sent.length ? await publish(sent) : []) console.log(id);
}

for await (const text of createInterface({ input: process.stdin })) {
  events.push({ channel, id: randomUUID(), type: "line", data: { text } });
  if (events.length === AT_ONCE) await send();
}
await send();
