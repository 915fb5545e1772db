/*
 * resources: the tables behind routes_resources.inc: fields of queries and
 * bodies, and the statement of each route.
 *
 * Runs on: C, static data. Frees: nothing. Levels, ranges and rates are in
 * the metric's canonical unit, durations in seconds (…_s).
 */
#ifndef PENSTOCK_API_RESOURCES_H
#define PENSTOCK_API_RESOURCES_H

#include "api/openapi.h"
#include "api/resource.h"
#include "api/route.h"

/* resources_network.c */
extern const struct field query_page[], query_nodes[], query_series[];
extern const struct field body_node[], body_node_change[], body_series[],
    body_series_change[], body_thresholds[], body_link[], body_link_change[],
    body_gateway[], body_gateway_change[];
extern const struct resource resource_nodes_list, resource_nodes_create,
    resource_nodes_get, resource_nodes_change, resource_nodes_retire,
    resource_series_list, resource_series_create, resource_series_get,
    resource_series_change, resource_thresholds_get, resource_thresholds_put,
    resource_links_list, resource_links_create, resource_links_get,
    resource_links_change, resource_links_delete, resource_gateways_list,
    resource_gateways_create, resource_gateways_get, resource_gateways_change,
    resource_metrics_list, resource_night_flow_get, resource_zones_change;
/* controls.c */
extern const struct resource resource_zone_controls_get,
    resource_zone_controls_put, resource_system_get;
extern const struct field body_zone_change[];

/* resources_decisions.c */
extern const struct field query_anomalies[], query_plans[];
extern const struct field body_template[], body_template_change[], body_ack[],
    body_approve[], body_reject[];
extern const struct resource resource_templates_list, resource_templates_create,
    resource_templates_get, resource_templates_change, resource_anomalies_list,
    resource_anomalies_get, resource_plans_list, resource_plans_get,
    resource_plans_approve, resource_plans_reject, resource_loop_get,
    resource_loop_pause, resource_loop_resume;

/* resources_alarms.c */
extern const struct field query_holds[], query_incidents[], query_figures[];
extern const struct resource resource_incidents_list, resource_incidents_get,
    resource_alarm_figures;
extern const struct field body_comment[], body_assign[], body_shelve[],
    body_unshelve[], body_resolve[], body_take_out[], body_maintenance[],
    body_out_of_service[], body_alarm_class[];
extern const struct resource resource_anomalies_ack, resource_anomalies_comment,
    resource_anomalies_assign, resource_anomalies_shelve,
    resource_anomalies_unshelve, resource_anomalies_resolve,
    resource_anomalies_take_out, resource_anomalies_put_back;
extern const struct resource resource_holds_list, resource_holds_get,
    resource_holds_end, resource_maintenance_create,
    resource_out_of_service_create;
extern const struct resource resource_alarm_classes_list,
    resource_alarm_classes_get, resource_alarm_classes_change,
    resource_notifications_list;

extern const struct field query_commands[], body_redrive[], body_settle[];
extern const struct resource resource_commands_list, resource_commands_get,
    resource_commands_redrive, resource_commands_settle;

/* resources_guards.c */
extern const struct field query_hands_off[], body_guards[], body_lock[],
    body_hands_off[];
extern const struct resource resource_link_guards_get, resource_link_guards_put,
    resource_link_lock, resource_link_unlock, resource_hands_off_list,
    resource_hands_off_set, resource_hands_off_release;

/* resources_proofs.c */
extern const struct field body_proof[], body_figures[];
extern const struct resource resource_template_proof_get,
    resource_template_proof_put, resource_template_figures_get,
    resource_template_figures_accept;

/* imports.c */
extern const struct field body_import[];
extern const struct resource resource_imports_create, resource_imports_list,
    resource_imports_get, resource_imports_finish, resource_imports_cancel;

/* meters_tables.c */
extern const struct field query_meter_events[], query_consumption[],
    query_check[], query_flags[], body_meter_event[];
extern const struct resource resource_meter_events_list,
    resource_meter_events_create, resource_meter_events_void,
    resource_quality_flags_list;

/* audit_read.c */
extern const struct field query_audit[];
extern const struct resource resource_audit_list;

/* session.c */
extern const struct field body_refresh[], body_revocation[],
    query_revocations[];
extern const struct resource resource_logout, resource_logout_all,
    resource_revocations_list, resource_revocations_create;

/* webhooks.c */
extern const struct field body_webhook[], body_webhook_change[],
    body_webhook_secret[], query_deliveries[];
extern const struct resource resource_webhooks_list, resource_webhooks_create,
    resource_webhooks_get, resource_webhooks_change, resource_webhooks_delete,
    resource_webhooks_secret, resource_deliveries_list,
    resource_deliveries_again;

/* rules.c */
extern const struct field body_rule[], body_rule_change[],
    query_rule_versions[], query_rule_shadow[];
extern const struct resource resource_rules_list, resource_rules_create,
    resource_rules_get, resource_rules_change, resource_rules_delete,
    resource_rules_versions, resource_rules_shadow;

/* backtest.c */
extern const struct field body_backtest[];
extern const struct resource resource_rules_backtest;

/* dossier.c */
extern const struct resource resource_plans_dossier;

/* archives.c */
extern const struct field query_archives[], body_retention[];
extern const struct resource resource_archives_list, resource_archives_get,
    resource_retention_list, resource_retention_put;

/* resources_plans.c */
extern const struct field query_after_reviews[], body_plan_act[], body_review[],
    body_preapprove[], body_emergency[], body_propose[];
extern const struct resource resource_plans_propose, resource_plans_cancel,
    resource_plans_undo, resource_plans_override, resource_templates_preapprove,
    resource_after_reviews_list, resource_after_reviews_get,
    resource_after_reviews_close, resource_loop_emergency;

/* resources_forecasts.c */
extern const struct field query_prediction[], query_predictions[],
    query_models[], body_promote[], body_holidays[];
extern const struct resource resource_predictions_get,
    resource_predictions_list, resource_models_list, resource_models_get,
    resource_models_promote, resource_holidays_get, resource_holidays_put;
#define HOLIDAYS_BODY_MAX ((size_t)512 << 10)

#endif
