-- Areas of which an import stored history are judged anew, once no import is
-- under way.
WITH gone AS (
	DELETE FROM leak_again WHERE NOT EXISTS (SELECT FROM imports
	    WHERE state = 'open'
	    AND last_part_at > clock_timestamp() - interval '10 minutes')
	RETURNING series)
UPDATE leak_states SET upto = NULL, state = NULL
WHERE members && ARRAY(SELECT series FROM gone)
