// @ts-check
// Peer: `ws` on Node, fed by a small reader of Redis' SUBSCRIBE replies.
// node ws.mjs WS_MODULE PORT REDIS_URL
import { createRequire } from "node:module";
import net from "node:net";

const [wsModule, port, redisUrl] = process.argv.slice(2);
const address = new URL(redisUrl);
const { WebSocketServer } = createRequire(import.meta.url)(wsModule);
const server = new WebSocketServer({ host: "127.0.0.1", port: Number(port), perMessageDeflate: false, backlog: 4096 });

const head = Buffer.from("*3\r\n$7\r\nmessage\r\n$12\r\nrt:community\r\n$");
let rest = Buffer.alloc(0);
const redis = net.connect(Number(address.port || 6379), address.hostname);
if (address.password) redis.write(`AUTH ${address.username || "default"} ${address.password}\r\n`);
redis.write("SUBSCRIBE rt:community\r\n");
redis.on("data", (/** @type {Buffer} */ chunk) => {
  rest = Buffer.concat([rest, chunk]);
  for (;;) {
    const start = rest.indexOf(head);
    if (start < 0) return;
    const sizeEnd = rest.indexOf("\r\n", start + head.length);
    if (sizeEnd < 0) return;
    const size = Number(rest.subarray(start + head.length, sizeEnd));
    const end = sizeEnd + 2 + size;
    if (rest.length < end + 2) return;
    const text = rest.toString("utf8", sizeEnd + 2, end);
    for (const client of server.clients) client.send(text);
    rest = rest.subarray(end + 2);
  }
});
