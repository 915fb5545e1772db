-- Whose question this connection answers now. $1 text application_name
SELECT set_config('application_name', $1, false)
