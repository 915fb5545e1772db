-- What a person says of a leak that was told, areas that are looked for by
-- what arrived, and judges that begin anew in a new form.

-- zone: code, of the area. dismissed: a person said that what was told last
-- was no leak, and the judge was not told yet.
ALTER TABLE leak_states ADD zone text,
    ADD dismissed boolean NOT NULL DEFAULT false;

CREATE INDEX leak_states_upto ON leak_states (upto);

UPDATE leak_states SET upto = NULL, state = NULL;

CREATE OR REPLACE FUNCTION alarm_resolve(wanted bigint, body jsonb, who text,
    if_match text) RETURNS answer LANGUAGE plpgsql AS $$
DECLARE
	a anomalies := alarm_hold(wanted, if_match, who);
	facts jsonb := jsonb_strip_nulls(jsonb_build_object(
	    'note', body->>'note', 'reason', body->>'reason'));
BEGIN
	IF a.state = 'open' AND NOT (a.type = 'leak' AND a.rule_no = 0) THEN
		PERFORM refuse(409, format('the condition of anomaly %s is '
		    'still there', wanted));
	END IF;
	-- The judge can only be told of the step that it told last.
	IF a.type = 'leak' AND a.rule_no = 0 AND body->>'reason' = 'no_leak'
	    AND a.evidence->>'kind' = 'step' AND NOT EXISTS (
	    SELECT FROM anomalies x WHERE x.series_id = a.series_id
	    AND x.type = 'leak' AND x.rule_no = 0 AND x.first_at > a.first_at
	    AND x.evidence->>'kind' = 'step') THEN
		UPDATE leak_states SET dismissed = true
		WHERE lead = a.series_id;
	END IF;
	IF a.state <> 'open' THEN
		RETURN alarm_answer(alarm_move(a, 'resolve', who, facts));
	END IF;
	UPDATE anomalies u SET state = 'cleared',
	    cleared_at = clock_timestamp(), turned_at = NULL,
	    due_at = '-infinity', version = u.version + 1
	WHERE u.id = wanted RETURNING * INTO a;
	INSERT INTO transitions (subject, subject_id, row_id, from_state,
	    to_state, at, actor, facts, knowledge_version)
	VALUES ('anomaly', a.id, 'A1', 'open', 'cleared', a.cleared_at, who,
	    facts, a.knowledge_version);
	RETURN alarm_answer(a);
END $$;
