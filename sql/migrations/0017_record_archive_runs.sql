-- What becomes of the archive night by night: /ready and /metrics tell of the
-- last run, and who starts them sees whether it has been.
CREATE TABLE archive_runs (
	id       int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	due      boolean NOT NULL, -- of all that was due, not of a choice
	began_at timestamptz NOT NULL DEFAULT now(),
	said_at  timestamptz NOT NULL DEFAULT now(),
	ended_at timestamptz,
	at       text, -- class and day that was written last
	months   int NOT NULL DEFAULT 0,
	readings int8 NOT NULL DEFAULT 0,
	error    text CHECK (length(error) <= 1000)
);
