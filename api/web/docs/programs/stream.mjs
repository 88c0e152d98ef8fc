// @ts-check
/**
 * Follows a channel and prints an id and an event a line, for ever: node stream.mjs ADDRESS [TOKEN]
 *
 * ADDRESS is of /api/v1/feed/stream, with its query; TOKEN an access token.
 */

const SILENCE_MS = 45_000; // the gateway says something every 15 s
const [address, token] = process.argv.slice(2);

/**
 * The lines of a body as they come; ends with it, or where it is silent for too long.
 * @param {ReadableStream<Uint8Array>} body
 * @param {AbortController} silence
 */
async function* linesOf(body, silence) {
  const decoder = new TextDecoder();
  let rest = "";
  let timer = setTimeout(() => silence.abort(), SILENCE_MS);
  try {
    for await (const bytes of /** @type {AsyncIterable<Uint8Array>} */ (/** @type {unknown} */ (body))) {
      clearTimeout(timer);
      timer = setTimeout(() => silence.abort(), SILENCE_MS);
      const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      yield* lines;
    }
  } finally {
    clearTimeout(timer);
  }
}

let last = "";
let failures = 0;

/** One stream, to its end. Throws where it is cut, or was refused for good (`final`). */
async function listen() {
  /** @type {Record<string, string>} */
  const headers = { Accept: "text/event-stream" };
  if (last) headers["Last-Event-ID"] = last;
  if (token) headers.Authorization = `Bearer ${token}`;
  const silence = new AbortController();
  const answer = await fetch(address, { headers, signal: silence.signal });
  if (!answer.ok || !answer.body) {
    const later = [429, 502, 503, 504].includes(answer.status);
    throw Object.assign(new Error(await answer.text()), { final: !later });
  }
  failures = 0;
  let kind = "message";
  let data = "";
  let place = last; // of a block that may be cut before its end
  for await (const line of linesOf(answer.body, silence)) {
    if (line.startsWith("id: ")) place = line.slice(4);
    else if (line.startsWith("event: ")) kind = line.slice(7);
    else if (line.startsWith("data: ")) data += line.slice(6);
    else if (line === "") {
      last = place;
      if (kind === "event") console.log(last, JSON.stringify(JSON.parse(data).event));
      if (kind === "gap") console.error("missed some: the pages of the GraphQL API have them");
      kind = "message";
      data = "";
    }
  }
}

for (;;) {
  try {
    await listen();
  } catch (error) {
    if (error instanceof Error && "final" in error && error.final) throw error;
  }
  const waitMs = Math.random() * Math.min(30_000, 1_000 * 2 ** failures);
  failures += 1;
  await new Promise((resolve) => setTimeout(resolve, waitMs));
}
