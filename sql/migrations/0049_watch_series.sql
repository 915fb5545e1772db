-- How each series usually goes (src/mape/unusual.h): a snapshot now and then,
-- and the readings after it, written with those readings; so what is found
-- again after a crash is what was there. Nobody joins it.
CREATE TABLE watch_states (
	series  int4 PRIMARY KEY,
	version int4 NOT NULL, -- of state's bytes
	state   bytea NOT NULL, -- '': of a series just begun
	upto    timestamptz NOT NULL, -- the newest reading when it was written
	tail    bytea NOT NULL, -- readings after it
	open    int4 NOT NULL, -- odd: an anomaly of it is open
	calm    int4 NOT NULL, -- readings in a row
	since   timestamptz NOT NULL
) WITH (fillfactor = 50);
-- A row is written each cycle, and its state only now and then: it stays where
-- it is meanwhile.
ALTER TABLE watch_states ALTER state SET STORAGE EXTERNAL;
CREATE INDEX watch_states_open_idx ON watch_states (series) WHERE open & 1 = 1;
