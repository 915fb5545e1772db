-- Counting plans by state, each cycle, from the index alone.
CREATE INDEX plans_state_idx ON plans (state);
