-- id: empty-deposits-hidden
-- family: row-level policy too narrow
-- symptom: once the last class is booked, the member's deposit disappears from the app
-- invariants: I8
-- priority: P1
alter policy own_or_staff on public.pilates_deposits
  using ((user_id = (select studio.caller()) and deposit_remaining > 0) or (select studio.is_staff()));
