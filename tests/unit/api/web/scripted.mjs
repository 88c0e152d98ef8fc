// @ts-check
// A socket that says what a test tells it to, in place of the gateway.

/** @type {ScriptedSocket[]} those that were opened, oldest first */
export const sockets = [];

export class ScriptedSocket {
  readyState = 0;
  sent = [];
  closedWith = null;
  onopen;
  onmessage;
  onclose;

  constructor(url, protocols) {
    this.url = url;
    this.protocols = protocols;
    sockets.push(this);
  }

  send(text) {
    this.sent.push(JSON.parse(text));
  }

  close(code) {
    this.closedWith = code;
    this.readyState = 3;
  }

  // --- the other side
  opens() {
    this.readyState = 1;
    this.onopen();
  }

  says(message) {
    this.onmessage({ data: JSON.stringify(message) });
  }

  ends(code) {
    this.readyState = 3;
    this.onclose({ code });
  }

  last(type) {
    return this.sent.findLast((message) => message.type === type);
  }

  answers(type, answer) {
    this.says({ ...answer, id: this.last(type).id });
  }
}

export const Socket = /** @type {import("../../../../api/web/static/client.js").SocketClass} */ (
  /** @type {unknown} */ (ScriptedSocket)
);
