-- Settings of the archiver's connections: its statements may run long, its
-- short steps do not wait long for a lock. -> one row
SELECT set_config('statement_timeout', '0', false),
    set_config('lock_timeout', '2s', false),
    set_config('client_min_messages', 'warning', false),
    set_config('timezone', 'UTC', false),
    set_config('client_encoding', 'UTF8', false),
    set_config('penstock.origin', '{"actor": "archive"}', false)
