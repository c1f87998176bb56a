"use strict";
// The service behind the edge. It asks books, by name; a connection that is refused, or not made
// within a second, is tried once more.
const http = require("http");
const { lookup } = require("dns").promises;
const { serve } = require("./web");

const LATE = "NOT_CONNECTED";
const CONNECT_MS = 1000;
const NOT_SENT = new Set(["ECONNREFUSED", "EHOSTUNREACH", "ENOTFOUND", "EAI_AGAIN", LATE]);
const TITLE = process.env.TITLE;

async function books(method, path, value) {
  const refused = new Set();
  for (let attempt = 1; ; attempt++) {
    let address;
    try {
      const known = (await lookup("books", { all: true, family: 4 })).map((one) => one.address);
      address = known.find((one) => !refused.has(one)) || known[0];
      return await send(address, method, path, value);
    } catch (error) {
      if (attempt === 2 || !NOT_SENT.has(error.code)) throw error;
      refused.add(address);
    }
  }
}

function send(host, method, path, value) {
  return new Promise((resolve, reject) => {
    const options = { host, port: 8080, method, path, agent: false, timeout: 10000 };
    const request = http.request(options, async (response) => {
      let text = "";
      for await (const part of response) text += part;
      resolve([response.statusCode, JSON.parse(text)]);
    });
    request.on("socket", (socket) => {
      const late = Object.assign(new Error("books does not take the connection"), { code: LATE });
      const timer = setTimeout(() => request.destroy(late), CONNECT_MS);
      for (const event of ["connect", "close"]) socket.once(event, () => clearTimeout(timer));
    });
    request.on("error", reject);
    request.on("timeout", () => request.destroy(new Error("books is slow")));
    request.end(value ? JSON.stringify(value) : undefined);
  });
}

serve({
  name: "front",
  ready: async () => (await books("GET", "/ready"))[0] === 200,
  routes: {
    "GET /": async () => {
      const [status, found] = await books("GET", "/count");
      return [status, { title: TITLE, version: process.env.VERSION, entries: found.count }];
    },
    "POST /entries": async (entry) => books("POST", "/entries", entry),
    "GET /entries": async (_, query) => books("GET", `/entries?${query}`),
    "GET /balances": async () => books("GET", "/balances"),
    "GET /books": async () => books("GET", "/version"),
  },
});
