// @ts-check
// A crowd written with Node's `ws`: node crowd.mjs WS_MODULE URL CLIENTS EVENTS
// Each client watches the community feed; prints {"open": n}, then what each one heard, then exits.
import { createRequire } from "node:module";

const [wsModule, url, clients, events] = process.argv.slice(2);
const { WebSocket } = createRequire(import.meta.url)(wsModule);
const records = [];
let open = 0;
let complete = 0;

function report() {
  process.stdout.write(JSON.stringify({ records }) + "\n", () => process.exit(0)); // a pipe is written later
}

for (let number = 0; number < Number(clients); number += 1) {
  const record = { ids: [], offset: -1, wrong: [] };
  records.push(record);
  const socket = new WebSocket(url, "musclemap.v1", { perMessageDeflate: false });
  socket.on("open", () => socket.send(JSON.stringify({ type: "connect" })));
  socket.on("error", (error) => record.wrong.push(String(error)));
  socket.on("close", (code) => record.wrong.push(`closed ${code}`));
  socket.on("message", (data) => {
    const message = JSON.parse(data);
    if (message.type === "welcome") socket.send(JSON.stringify({ type: "subscribe", channel: "community" }));
    if (message.type === "subscribed") {
      record.offset = message.offset;
      open += 1;
      if (open === Number(clients)) console.log(JSON.stringify({ open }));
    }
    if (message.type === "event") {
      if (message.offset !== record.offset + 1) record.wrong.push(`offset ${message.offset} after ${record.offset}`);
      record.offset = message.offset;
      record.ids.push(message.event.id);
      if (record.ids.length === Number(events)) complete += 1;
      if (complete === Number(clients)) report();
    }
  });
}
setTimeout(report, 90_000);
