-- The water network in EPANET's words, plus meter, dma and plant. Codes are
-- what people use; numbers stay inside.

CREATE TABLE zones (
	id   int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	code text NOT NULL CONSTRAINT zones_code_key UNIQUE
	    CHECK (code ~ '^[A-Za-z0-9][A-Za-z0-9_.:-]{0,62}$'),
	name text NOT NULL DEFAULT ''
);

CREATE TABLE nodes (
	id         int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	code       text NOT NULL CONSTRAINT nodes_code_key UNIQUE
	    CHECK (code ~ '^[A-Za-z0-9][A-Za-z0-9_.:-]{0,62}$'),
	name       text NOT NULL DEFAULT '',
	type       text NOT NULL CHECK (type IN ('junction', 'reservoir',
	    'tank', 'meter', 'dma', 'plant')),
	zone_id    int REFERENCES zones,
	latitude   float8 CHECK (latitude BETWEEN -90 AND 90),
	longitude  float8 CHECK (longitude BETWEEN -180 AND 180),
	simulated  boolean NOT NULL DEFAULT false,
	created_at timestamptz NOT NULL DEFAULT now(),
	retired_at timestamptz,
	change     bigint NOT NULL
);
CREATE TRIGGER nodes_change BEFORE INSERT OR UPDATE ON nodes
	FOR EACH ROW EXECUTE FUNCTION change_stamp();
CREATE INDEX nodes_change_idx ON nodes (change);
CREATE INDEX nodes_zone_idx ON nodes (zone_id);

CREATE TABLE gateways (
	id         int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	code       text NOT NULL CONSTRAINT gateways_code_key UNIQUE
	    CHECK (code ~ '^[A-Za-z0-9][A-Za-z0-9_.:-]{0,62}$'),
	name       text NOT NULL DEFAULT '',
	url        text NOT NULL CHECK (url ~ '^https?://' AND
	    length(url) <= 300),
	created_at timestamptz NOT NULL DEFAULT now(),
	change     bigint NOT NULL
);
CREATE TRIGGER gateways_change BEFORE INSERT OR UPDATE ON gateways
	FOR EACH ROW EXECUTE FUNCTION change_stamp();

-- The circuit breaker's memory; not knowledge, so it stamps no change.
CREATE TABLE gateway_breakers (
	gateway_id int PRIMARY KEY REFERENCES gateways ON DELETE CASCADE,
	failures   int NOT NULL,
	open_until timestamptz
);

CREATE TABLE links (
	id         int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	code       text NOT NULL CONSTRAINT links_code_key UNIQUE
	    CHECK (code ~ '^[A-Za-z0-9][A-Za-z0-9_.:-]{0,62}$'),
	type       text NOT NULL CHECK (type IN ('pipe', 'pump', 'valve')),
	from_node  int NOT NULL REFERENCES nodes,
	to_node    int NOT NULL REFERENCES nodes,
	gateway_id int REFERENCES gateways,
	created_at timestamptz NOT NULL DEFAULT now(),
	change     bigint NOT NULL,
	CONSTRAINT links_ends_differ CHECK (from_node <> to_node)
);
CREATE TRIGGER links_change BEFORE INSERT OR UPDATE ON links
	FOR EACH ROW EXECUTE FUNCTION change_stamp();

-- Built-in catalogue. Ranges tell the impossible (refused), not the unusual;
-- they are defaults for instruments in drinking water networks.
CREATE TABLE metrics (
	id             int PRIMARY KEY,
	code           text NOT NULL CONSTRAINT metrics_code_key UNIQUE,
	name           text NOT NULL,
	unit           text NOT NULL,
	kind           text NOT NULL CHECK (kind IN ('instant', 'total',
	    'status')),
	plausible_low  float8 NOT NULL,
	plausible_high float8 NOT NULL
);
INSERT INTO metrics VALUES
	(1, 'flow',         'Flow',                   'm3/h',  'instant', -100000, 100000),
	(2, 'pressure',     'Pressure head (gauge)',  'm',     'instant', -10, 250),
	(3, 'level',        'Water level',            'm',     'instant', -5, 100),
	(4, 'volume',       'Metered volume',         'm3',    'total',   0, 1e12),
	(5, 'temperature',  'Water temperature',      'degC',  'instant', -2, 50),
	(6, 'ph',           'pH',                     '1',     'instant', 0, 14),
	(7, 'chlorine',     'Free chlorine',          'mg/L',  'instant', 0, 10),
	(8, 'turbidity',    'Turbidity',              'NTU',   'instant', 0, 4000),
	(9, 'conductivity', 'Conductivity at 25 degC','uS/cm', 'instant', 0, 20000),
	(10, 'redox',       'Redox potential',        'mV',    'instant', -2000, 2000),
	(11, 'vibration',   'Vibration velocity RMS', 'mm/s',  'instant', 0, 50),
	(12, 'power',       'Electric power',         'kW',    'instant', -10000, 100000),
	(13, 'status',      'On (1) or off (0)',      '1',     'status',  0, 1),
	(14, 'opening',     'Valve opening',          '%',     'instant', 0, 100),
	(15, 'speed',       'Relative pump speed',    '1',     'instant', 0, 2);

CREATE TABLE series (
	id               int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	node_id          int NOT NULL REFERENCES nodes,
	metric_id        int NOT NULL REFERENCES metrics,
	unit             text NOT NULL, -- what senders mean when they say none
	kind             text NOT NULL CHECK (kind IN ('instant', 'total',
	    'status')),
	cadence_s        float8 CHECK (cadence_s > 0),
	silence_s        float8 CHECK (silence_s > 0),
	max_rate_per_min float8 CHECK (max_rate_per_min > 0),
	flatline_s       float8 CHECK (flatline_s > 0),
	outlier_k        float8 CHECK (outlier_k >= 3),
	created_at       timestamptz NOT NULL DEFAULT now(),
	retired_at       timestamptz,
	change           bigint NOT NULL,
	CONSTRAINT series_node_metric_key UNIQUE (node_id, metric_id)
);
CREATE TRIGGER series_change BEFORE INSERT OR UPDATE ON series
	FOR EACH ROW EXECUTE FUNCTION change_stamp();
CREATE INDEX series_change_idx ON series (change);

-- Canonical units of the metric.
CREATE TABLE thresholds (
	id           int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	series_id    int NOT NULL REFERENCES series,
	direction    text NOT NULL CHECK (direction IN ('high', 'low')),
	severity     text NOT NULL CHECK (severity IN ('info', 'warning',
	    'critical')),
	set_level    float8 NOT NULL,
	clear_level  float8 NOT NULL,
	on_delay_s   float8 NOT NULL DEFAULT 0 CHECK (on_delay_s >= 0),
	off_delay_s  float8 NOT NULL DEFAULT 0 CHECK (off_delay_s >= 0),
	change       bigint NOT NULL,
	CONSTRAINT thresholds_series_key UNIQUE (series_id, direction, severity),
	CONSTRAINT thresholds_order CHECK (CASE direction
	    WHEN 'high' THEN clear_level <= set_level
	    ELSE clear_level >= set_level END)
);
CREATE TRIGGER thresholds_change BEFORE INSERT OR UPDATE ON thresholds
	FOR EACH ROW EXECUTE FUNCTION change_stamp();

CREATE TABLE plan_templates (
	id               int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	code             text NOT NULL CONSTRAINT plan_templates_code_key UNIQUE
	    CHECK (code ~ '^[A-Za-z0-9][A-Za-z0-9_.:-]{0,62}$'),
	name             text NOT NULL,
	metric_id        int NOT NULL REFERENCES metrics,
	anomaly_type     text, -- NULL: any
	direction        text CHECK (direction IN ('high', 'low')),
	least_severity   text NOT NULL CHECK (least_severity IN ('info',
	    'warning', 'critical')),
	node_type        text, -- NULL: any
	priority         int NOT NULL DEFAULT 100,
	effect_metric_id int REFERENCES metrics, -- NULL: not provable
	effect_direction text CHECK (effect_direction IN ('high', 'low')),
	effect_least     float8 NOT NULL DEFAULT 0,
	effect_window_s  float8 NOT NULL CHECK (effect_window_s > 0),
	expires_s        float8 NOT NULL DEFAULT 3600 CHECK (expires_s > 0),
	command_life_s   float8 NOT NULL DEFAULT 300 CHECK (command_life_s > 0),
	enabled          boolean NOT NULL DEFAULT true,
	change           bigint NOT NULL
);
CREATE TRIGGER plan_templates_change BEFORE INSERT OR UPDATE ON plan_templates
	FOR EACH ROW EXECUTE FUNCTION change_stamp();

-- target_relation: 'inlet' = a link into the anomaly's node, 'zone' = a link
-- into a node of the anomaly's zone.
CREATE TABLE template_actions (
	template_id     int NOT NULL REFERENCES plan_templates ON DELETE CASCADE,
	step            int NOT NULL CHECK (step BETWEEN 1 AND 20),
	action          text NOT NULL CHECK (action ~ '^[a-z_]{1,40}$'),
	target_type     text NOT NULL CHECK (target_type IN ('valve', 'pump')),
	target_relation text NOT NULL CHECK (target_relation IN ('inlet',
	    'zone')),
	argument        jsonb NOT NULL DEFAULT '{}',
	PRIMARY KEY (template_id, step)
);

-- A deleted threshold or link changes knowledge too.
CREATE FUNCTION change_deleted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM pg_advisory_xact_lock(7305804402);
	PERFORM nextval('change_seq');
	PERFORM pg_notify('penstock_change', TG_TABLE_NAME);
	RETURN NULL;
END $$;
CREATE TRIGGER thresholds_deleted AFTER DELETE ON thresholds
	FOR EACH STATEMENT EXECUTE FUNCTION change_deleted();
CREATE TRIGGER links_deleted AFTER DELETE ON links
	FOR EACH STATEMENT EXECUTE FUNCTION change_deleted();
CREATE TRIGGER template_actions_changed
	AFTER INSERT OR UPDATE OR DELETE ON template_actions
	FOR EACH STATEMENT EXECUTE FUNCTION change_deleted();
