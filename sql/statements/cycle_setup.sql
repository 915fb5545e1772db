-- Settings of the loop's connection. JIT only costs where every statement
-- is short. Who was killed must not hold the lock of the loop until its
-- statement ends. -> oids of the row types of rollups_fresh, series_latest, rollups_open
SELECT 'rollups_fresh'::regtype::oid, 'series_latest'::regtype::oid,
    'rollups_open'::regtype::oid,
    set_config('statement_timeout', '60s', false),
    set_config('lock_timeout', '10s', false),
    set_config('client_connection_check_interval', '1s', false),
    set_config('idle_in_transaction_session_timeout', '60s', false),
    set_config('timezone', 'UTC', false),
    set_config('client_encoding', 'UTF8', false),
    set_config('jit', 'off', false),
    set_config('penstock.origin', '{"actor": "loop"}', false)
