-- What a backtest is of. $1 code, $2 body jsonb: its rule, or its version, or
-- the one that the mode is about
-- -> code text, version int (0: none that is kept), body text, series int4[]
SELECT * FROM rule_backtest($1::text, $2::jsonb)
