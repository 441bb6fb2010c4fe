-- id: I6-negative
-- title: no deposit holds fewer than zero classes
-- needs: pilates_deposits.deposit_remaining
-- severity: P0
select id::text as key, user_id::text as user_id, deposit_remaining, 'holds ' || deposit_remaining as finding
from public.pilates_deposits where deposit_remaining < 0
