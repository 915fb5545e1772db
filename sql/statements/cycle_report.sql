-- $1 text system_state, $2 jsonb figures, $3 text instance
UPDATE loop_status SET system_state = $1::text, figures = $2::jsonb,
    instance = $3::text, cycle = cycle + 1, cycle_at = clock_timestamp()
