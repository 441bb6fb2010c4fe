-- id: occupancy-as-caller
-- family: definer or invoker
-- symptom: each member sees their own booking only: full classes look empty
-- invariants: I8
-- priority: P0
-- reference: PostgreSQL, CREATE VIEW, security_invoker
alter view public.pilates_slots_with_occupancy set (security_invoker = true);
