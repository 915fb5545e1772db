-- Distributes an empty, migrated database by Citus 11 or later:
--	psql -v ON_ERROR_STOP=1 -1 -f sql/citus/distribute.sql DATABASE
-- on the coordinator, with the extension made and the worker nodes added
-- before. The service stays as it is and is given the coordinator's address.
-- Citus is not in Debian 12: this file was checked against its documentation
-- (tests/sql/test_citus.py), not run.

-- Each merge makes partitions and writes many shards in one transaction.
DO $$ BEGIN
	EXECUTE format('ALTER DATABASE %I SET citus.multi_shard_modify_mode = '
	    '''sequential''', current_database());
END $$;

-- One series lives on one node, with all that is known of it.
SELECT create_distributed_table('segments', 'series', shard_count => 32);
SELECT create_distributed_table('rollups_fresh', 'series',
    colocate_with => 'segments');
SELECT create_distributed_table('rollups_open', 'series',
    colocate_with => 'segments');
SELECT create_distributed_table('rollups_packed', 'series',
    colocate_with => 'segments');
SELECT create_distributed_table('series_latest', 'series',
    colocate_with => 'segments');
SELECT create_distributed_table('series_states', 'series',
    colocate_with => 'segments');
SELECT create_distributed_table('watch_states', 'series',
    colocate_with => 'segments');

-- The log by its own shard; shards_set() says how many there are.
ALTER TABLE ingest_log DROP CONSTRAINT ingest_log_pkey,
    ADD PRIMARY KEY (shard, id);
SELECT create_distributed_table('ingest_log', 'shard', colocate_with => 'none');

-- Small, never written by the service, without triggers.
SELECT create_reference_table('units');
SELECT create_reference_table('retention_classes');

-- Stay on the coordinator. Of the network and of decisions because of their
-- triggers: on a reference table those would run on every node, each with a
-- counter of changes of its own. The rest is small, or nobody joins it.
-- local: leak_states night_flows leak_again system_states
-- local: zones nodes gateways gateway_breakers links metrics series thresholds
-- local: plan_templates template_actions template_guards template_figures
-- local: plan_approvals after_reviews anomalies plans commands transitions
-- local: rules rule_versions rule_states rule_shadow_findings
-- local: models forecast_states predictions model_scores fit_runs holidays
-- local: hands_off link_limits decisions loop_status users sessions api_keys idempotency hot_epoch
-- local: revocations
-- local: instances login_limits login_buckets login_places api_key_uses
-- local: shards ingest_log_aside segment_spans schema_migrations archive_home
-- local: archives archive_files imports import_parts import_marks
-- local: meter_events quality_flags archive_runs audit audit_pending
-- local: events event_state dossiers webhooks webhook_deliveries
-- local: notifications incidents alarm_holds alarm_classes alarm_rows
