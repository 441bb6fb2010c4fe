-- id: secretary-cannot-remove
-- family: caller check dropped
-- symptom: only administrators can take a member out of a class; the front desk gets "not allowed"
-- invariants: I13
-- priority: P1
select pg_temp.change('public.admin_remove_pilates_booking',
  $$require_staff('secretary', 'admin')$$, $$require_staff('admin')$$);
