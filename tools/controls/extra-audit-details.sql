-- id: extra-audit-details
-- family: control
-- why: the audit log keeps more than what changed
select pg_temp.change('studio.audit', 'p_deposit_id, p_before, p_after)', $$p_deposit_id, p_before,
     p_after || jsonb_build_object('device', studio.header('x-device'), 'at', clock_timestamp(), 'version', 2,
                                   'class', (select s.date + s.start_time from public.pilates_schedule_slots s
                                             where s.id = p_slot_id)))$$);
