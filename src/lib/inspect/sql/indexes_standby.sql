SELECT s.indexrelid, s.idx_scan, s.idx_tup_read,
       NULL AS last_scan_us                                                -- @<16
       (EXTRACT(epoch FROM s.last_idx_scan) * 1000000)::int8 AS last_scan_us -- @>=16
  FROM pg_catalog.pg_stat_all_indexes s
 WHERE s.idx_scan > 0
