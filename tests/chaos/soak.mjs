// @ts-check
// Follows a channel by the packed client and `ws`: node soak.mjs FOLDER URL CHANNEL. Lines of JSON both ways.
// Hears {do: "drop" | "renew" | "hurry"} and the answers to its questions, {answer, value}. Says {ask, what, expired},
// {event: [offset, id]}, {joined}, {wrong} and, of what the gateway said, {told}.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const [folder, url, channel] = process.argv.slice(2);
const installed = createRequire(`${folder}/`);
const { WebSocket } = installed("ws");
const { LiveClient } = await import(pathToFileURL(installed.resolve("musclemap-live")).href);

const waiting = new Map();
let asked = 0;
let newest;

const say = (line) => console.log(JSON.stringify(line));

/** @param {string} what */
const ask = (what) => (expired) =>
  new Promise((resolve) => {
    waiting.set((asked += 1), resolve);
    say({ ask: asked, what, expired });
  });

class Socket extends WebSocket {
  constructor(...words) {
    super(...words);
    newest = this;
    this.on("message", (data) => {
      const { type, reason } = JSON.parse(data);
      if (type === "unsubscribed" || type === "reconnect") say({ told: type, reason });
    });
    this.on("error", () => {}); // a close follows
    this.on("close", (code) => say({ closed: code }));
  }
}

const live = new LiveClient(url, { WebSocket: Socket, token: ask("access") });
live.subscribe(channel, {
  token: ask("channel"),
  event: (event, offset) => say({ event: [offset, event.id] }),
  joined: ({ offset }) => say({ joined: offset }),
  lost: (position) => say({ wrong: ["lost", position] }),
  digest: (digest) => say({ wrong: ["digest", digest] }),
  refused: (code) => say({ wrong: ["refused", code] }),
});
live.start();

const deeds = { drop: () => newest.terminate(), renew: () => live.restart(), hurry: () => live.hurry() };
for await (const line of createInterface({ input: process.stdin })) {
  const { do: deed, answer, value } = JSON.parse(line);
  if (deed) deeds[deed]();
  else waiting.get(answer)(value);
}
process.exit(0);
