-- Gateways may stand behind an MQTT broker.
ALTER TABLE gateways DROP CONSTRAINT gateways_url_check,
    ADD CONSTRAINT gateways_url_check CHECK (
	url ~ '^(https?|mqtts?)://' AND length(url) <= 300);

CREATE OR REPLACE FUNCTION check_url(url text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	IF url !~ '^https?://[^/@\s]+(/\S*)?$' AND
	    url !~ '^mqtts?://[^/@?#\s]+/?$' THEN
		PERFORM refuse(422, 'url must be http://host… or '
		    'https://host…, or mqtt://host or mqtts://host of a '
		    'broker, without user, password or spaces', '/url');
	END IF;
END $$;
