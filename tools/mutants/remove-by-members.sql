-- id: remove-by-members
-- family: caller check dropped
-- symptom: members take each other out of classes
-- invariants: I16
-- priority: P0
select pg_temp.change('public.admin_remove_pilates_booking',
  $$perform studio.require_staff('secretary', 'admin');$$, '');
