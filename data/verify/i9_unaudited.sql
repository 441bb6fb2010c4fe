-- id: I9-unaudited
-- title: the newest audit entry of a deposit says what the deposit holds
-- needs: pilates_audit_log.deposit_id, pilates_audit_log.after, pilates_audit_log.id
-- severity: P1
with newest as (
  select distinct on (deposit_id) deposit_id, id, (after ->> 'deposit_remaining')::integer as remaining
  from public.pilates_audit_log
  where deposit_id is not null and after ? 'deposit_remaining'
  order by deposit_id, id desc
)
select
  d.id::text as key,
  d.user_id::text as user_id,
  d.deposit_remaining,
  n.remaining as audited,
  'holds ' || d.deposit_remaining || ', but was last written down as ' || n.remaining as finding
from public.pilates_deposits d join newest n on n.deposit_id = d.id
where n.remaining <> d.deposit_remaining
