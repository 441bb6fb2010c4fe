-- Upon the schema in ../counter: functions whose names and words say nothing, so that somebody must.
create function public.sp_1(which uuid, channel text) returns jsonb
language plpgsql security definer set search_path = public as $$
declare
  v_answer json := book_class(which);
begin
  if channel <> 'app' then
    raise exception 'unknown channel %', channel;
  end if;
  return jsonb_build_object('fine', v_answer -> 'success', 'why', v_answer -> 'error',
    'payload', jsonb_build_object('ref', v_answer -> 'booking_id', 'credits', v_answer -> 'remaining'));
end $$;
create function public.sp_2(which uuid) returns jsonb
language plpgsql security definer set search_path = public as $$
declare
  v_answer json := cancel_booking(which);
begin
  return jsonb_build_object('fine', v_answer -> 'success', 'why', v_answer -> 'error');
end $$;
revoke execute on function public.book_class(uuid), public.cancel_booking(uuid) from public, anon, authenticated;
alter function public.book_class(uuid) set schema extensions;
alter function public.cancel_booking(uuid) set schema extensions;
alter function public.sp_1(uuid, text) set search_path = public, extensions;
alter function public.sp_2(uuid) set search_path = public, extensions;
