"use strict";
exports.ADD =
  "INSERT INTO entries (account, amount, memo, currency) VALUES ($1, $2, $3, 'EUR') RETURNING id::int";
exports.LAST =
  "SELECT id::int, account, amount::int, memo, currency FROM entries ORDER BY id DESC LIMIT $1";
exports.BALANCES = "SELECT account, amount::int FROM balances ORDER BY account";
exports.TALLY =
  "INSERT INTO balances (account, amount) " +
  "SELECT account, sum(amount) FROM entries GROUP BY account " +
  "ON CONFLICT (account) DO UPDATE SET amount = excluded.amount";
