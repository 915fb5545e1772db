-- $1 text application_name -> it
SELECT set_config('application_name', $1::text, false)
