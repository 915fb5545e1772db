-- Of several loops the one that judges a new version may come before the one
-- that clears what the old version had open.
ALTER TABLE rule_states DROP CONSTRAINT rule_states_pkey,
	ADD PRIMARY KEY (rule_id, shadow, version);
