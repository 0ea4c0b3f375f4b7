SELECT (SELECT count(*)
          FROM pg_catalog.pg_stat_replication r
         WHERE r.application_name NOT IN ('pg_basebackup', 'pg_receivewal')
           AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_replication_slots s WHERE s.active_pid = r.pid AND s.slot_type = 'logical')) AS standbys,
       (SELECT count(*) FROM pg_catalog.pg_replication_slots s
         WHERE s.slot_type = 'physical' AND NOT s.active AND s.restart_lsn IS NOT NULL) AS idle_slots,
       (SELECT (EXTRACT(epoch FROM coalesce(d.stats_reset, least(b.stats_reset, v.stats_reset))) * 1000000)::int8
          FROM pg_catalog.pg_stat_database d, pg_catalog.pg_stat_bgwriter b, pg_catalog.pg_stat_archiver v
         WHERE d.datname = pg_catalog.current_database()) AS since_us,
       (SELECT d.stats_reset IS NULL FROM pg_catalog.pg_stat_database d WHERE d.datname = pg_catalog.current_database()) AS never_reset,
       (SELECT c.system_identifier FROM pg_catalog.pg_control_system() c) AS system_identifier,
       (SELECT c.timeline_id FROM pg_catalog.pg_control_checkpoint() c) AS timeline,
       EXISTS (SELECT 1 FROM pg_catalog.pg_stat_progress_create_index b
                WHERE b.datname = pg_catalog.current_database() AND b.relid IS NULL) AS hidden_builds
