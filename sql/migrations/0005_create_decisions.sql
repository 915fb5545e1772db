-- What the loop found, what it proposes, who decided, what happened.

CREATE TABLE anomalies (
	id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	series_id    int NOT NULL REFERENCES series,
	type         text NOT NULL,
	direction    text NOT NULL CHECK (direction IN ('none', 'high', 'low')),
	severity     text NOT NULL CHECK (severity IN ('info', 'warning',
	    'critical')),
	state        text NOT NULL CHECK (state IN ('open', 'cleared')),
	rule_id      text NOT NULL,
	first_at     timestamptz NOT NULL,
	last_at      timestamptz NOT NULL,
	cleared_at   timestamptz,
	raised_at    timestamptz NOT NULL DEFAULT now(), -- our clock
	value        float8,
	limit_value  float8,
	evidence     jsonb NOT NULL,
	planning     text, -- proposed, no_plan_fits, plan_open; NULL: not yet
	planning_reasons jsonb,
	acked_at     timestamptz,
	acked_by     text,
	ack_note     text,
	knowledge_version bigint NOT NULL
);
-- One open anomaly per condition.
CREATE UNIQUE INDEX anomalies_open_key ON anomalies
	(series_id, type, direction, severity) WHERE state = 'open';

CREATE TABLE plans (
	id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	anomaly_id   bigint NOT NULL REFERENCES anomalies,
	template_id  int NOT NULL REFERENCES plan_templates,
	state        text NOT NULL CHECK (state IN ('proposed', 'approved',
	    'executing', 'verifying', 'worked', 'no_effect', 'worse',
	    'not_provable', 'rejected', 'expired', 'failed')),
	proposed_at  timestamptz NOT NULL,
	expires_at   timestamptz NOT NULL,
	decided_at   timestamptz,
	decided_by   text,
	decision_reason text,
	executed_at  timestamptz, -- the last command was done
	closed_at    timestamptz,
	effect_series_id int REFERENCES series,
	effect_direction text NOT NULL CHECK (effect_direction IN ('none',
	    'high', 'low')),
	effect_least float8 NOT NULL,
	effect_window_s float8 NOT NULL,
	command_life_s  float8 NOT NULL,
	reasons      jsonb NOT NULL,
	verdict      jsonb,
	knowledge_version bigint NOT NULL
);
CREATE INDEX plans_live_idx ON plans (state, id) WHERE closed_at IS NULL;
-- Counting plans by state, each cycle, from the index alone.
CREATE INDEX plans_state_idx ON plans (state);
CREATE INDEX plans_anomaly_idx ON plans (anomaly_id);

CREATE TABLE commands (
	id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	plan_id      bigint NOT NULL REFERENCES plans,
	step         int NOT NULL,
	state        text NOT NULL CHECK (state IN ('planned', 'queued', 'sent',
	    'done', 'failed', 'expired', 'cancelled')),
	link_id      int NOT NULL REFERENCES links,
	gateway_id   int NOT NULL REFERENCES gateways,
	action       text NOT NULL,
	argument     jsonb NOT NULL,
	key          uuid NOT NULL UNIQUE,
	not_after    timestamptz,
	next_attempt_at timestamptz,
	attempts     int NOT NULL DEFAULT 0,
	last_error   text,
	sent_at      timestamptz,
	closed_at    timestamptz,
	UNIQUE (plan_id, step)
);
CREATE INDEX commands_due_idx ON commands (next_attempt_at)
	WHERE state IN ('queued', 'sent');

-- Every move of an anomaly, plan or command, with the id of the row of the
-- transition table that allowed it, who moved it and on what facts.
CREATE TABLE transitions (
	id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	subject    text NOT NULL CHECK (subject IN ('anomaly', 'plan',
	    'command')),
	subject_id bigint NOT NULL,
	row_id     text NOT NULL,
	from_state text,
	to_state   text NOT NULL,
	at         timestamptz NOT NULL,
	actor      text NOT NULL,
	facts      jsonb NOT NULL DEFAULT '{}',
	knowledge_version bigint NOT NULL
);
CREATE INDEX transitions_subject_idx ON transitions (subject, subject_id, id);

-- One row: what the loop is told and what it last said.
CREATE TABLE loop_status (
	one          boolean PRIMARY KEY DEFAULT true CHECK (one),
	paused       boolean NOT NULL DEFAULT false,
	paused_by    text,
	paused_at    timestamptz,
	system_state text NOT NULL DEFAULT 'normal'
	    CHECK (system_state IN ('normal', 'alert', 'emergency')),
	cycle        bigint NOT NULL DEFAULT 0,
	cycle_at     timestamptz,
	instance     text,
	figures      jsonb NOT NULL DEFAULT '{}'
);
INSERT INTO loop_status DEFAULT VALUES;

-- What Idempotency-Key promised: the same answer for the same request.
CREATE TABLE idempotency (
	principal  text NOT NULL,
	key        text NOT NULL,
	request_sha256 bytea NOT NULL,
	status     int NOT NULL, -- 0: not answered yet
	body       text NOT NULL,
	location   text, -- header of the answer
	created_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (principal, key)
);
CREATE INDEX idempotency_created_idx ON idempotency (created_at);
