-- -> rule int4, version int4, shadow bool, state bytea
SELECT rule_id, version, shadow, state FROM rule_states
ORDER BY rule_id, shadow, version
