-- The front desk takes a member out of a class, also one that has started; the class goes back to its deposit.
create function public.admin_remove_pilates_booking(p_booking_id uuid, p_reason text) returns integer
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_arguments jsonb := jsonb_build_object('p_booking_id', p_booking_id, 'p_reason', p_reason);
  v_answer    jsonb;
begin
  perform studio.require_staff('secretary', 'admin');
  perform studio.require_booking(p_booking_id);
  v_answer := studio.first_answer('admin_remove', v_arguments);
  if v_answer is null then
    v_answer := to_jsonb(
      studio.give_back('admin_remove', p_booking_id, jsonb_build_object('reason', p_reason), true));
    perform studio.keep_answer('admin_remove', v_answer);
  end if;
  return v_answer;
end
$$;
