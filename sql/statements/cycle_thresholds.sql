-- -> series_id, id int4, direction, severity text, set_level, clear_level,
-- on_delay_s, off_delay_s float8
SELECT series_id, id, direction, severity, set_level, clear_level, on_delay_s,
    off_delay_s
FROM thresholds ORDER BY series_id, id
