#!/bin/sh
# Makes the cluster with its one user when the volume has none, then becomes PostgreSQL.
set -eu
cluster=/srv/ledger/cluster
if [ ! -e "$cluster" ]; then
    rm -rf "$cluster.part"
    initdb -D "$cluster.part" -U ledger --pwfile=/run/secrets/ledger_password \
        --auth-local=trust --auth-host=scram-sha-256 -E UTF8 --locale=C.UTF-8 -N
    echo "host all all samenet scram-sha-256" >> "$cluster.part/pg_hba.conf"
    echo "CREATE DATABASE ledger" | postgres --single -D "$cluster.part" postgres
    sync
    mv "$cluster.part" "$cluster"
fi
exec postgres -D "$cluster" -c listen_addresses='*' -c unix_socket_directories=/tmp \
    -c shared_buffers=32MB -c jit=off
