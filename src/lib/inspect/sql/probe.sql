SELECT pg_catalog.pg_is_in_recovery() AS in_recovery,
       pg_catalog.current_setting('is_superuser') = 'on' AS is_superuser,
       pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE') AS reads_stats,
       pg_catalog.pg_has_role('pg_signal_backend', 'USAGE') AS signals,
       pg_catalog.pg_has_role('pg_read_all_data', 'USAGE') AS reads_data, -- @>=14
       pg_catalog.current_setting('is_superuser') = 'on' AS reads_data,   -- @<14
       pg_catalog.current_setting('track_io_timing')::bool AS track_io_timing,
       pg_catalog.current_setting('track_activities')::bool AS track_activities,
       (SELECT s.setting FROM pg_catalog.pg_settings s WHERE s.name = 'track_activity_query_size') AS query_size,
       pg_catalog.current_setting('compute_query_id') AS compute_query_id, -- @>=14
       NULL AS compute_query_id,                                           -- @<14
       pg_catalog.current_setting('block_size')::int AS block_size,
       (EXTRACT(epoch FROM pg_catalog.pg_postmaster_start_time()) * 1000000)::int8 AS started_us,
       (SELECT (EXTRACT(epoch FROM stats_reset) * 1000000)::int8
          FROM pg_catalog.pg_stat_database
         WHERE datname = pg_catalog.current_database()) AS stats_reset_us,
       (EXTRACT(epoch FROM pg_catalog.clock_timestamp()) * 1000000)::int8 AS now_us,
       session_user AS session_user_name,
       current_user AS current_user_name
