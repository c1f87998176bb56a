"use strict";
// A fixed number of connections, opened before the first request and kept; each is made anew
// when it is lost. The password is read at every connect.
const fs = require("fs");
const { Client } = require("pg");

const AGAIN_MS = 200;

exports.Lanes = class {
  constructor(count, name) {
    this.name = name;
    this.free = [];
    this.waiting = [];
    this.open = 0;
    this.count = count;
    for (let i = 0; i < count; i++) this.connect();
  }

  get isWarm() {
    return this.open === this.count;
  }

  async query(text, values) {
    const client = this.free.pop() || (await new Promise((take) => this.waiting.push(take)));
    try {
      return (await client.query(text, values)).rows;
    } finally {
      if (!client.isLost) this.give(client);
    }
  }

  give(client) {
    const next = this.waiting.shift();
    if (next) next(client);
    else this.free.push(client);
  }

  async connect() {
    try {
      const client = new Client({
        host: process.env.DB_HOST,
        database: "ledger",
        user: "ledger",
        password: fs.readFileSync("/run/secrets/ledger_password", "utf8").trim(),
        application_name: this.name,
        connectionTimeoutMillis: 3000,
        statement_timeout: 10000,
      });
      client.once("end", () => this.lost(client));
      client.on("error", () => this.lost(client));
      await client.connect();
      if (client.isLost) return;
      client.isOpen = true;
      this.open++;
      this.give(client);
    } catch (error) {
      console.log(`no connection: ${error.code || error.message}`);
      setTimeout(() => this.connect(), AGAIN_MS);
    }
  }

  lost(client) {
    if (client.isLost) return;
    client.isLost = true;
    if (!client.isOpen) return;
    this.open--;
    this.free = this.free.filter((each) => each !== client);
    setTimeout(() => this.connect(), AGAIN_MS);
  }
};
