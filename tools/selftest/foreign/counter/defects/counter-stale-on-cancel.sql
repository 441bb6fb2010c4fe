-- The trigger forgets what is cancelled: the class looks fuller than it is, and turns members away.
drop trigger count_bookings on public.pilates_bookings;
create trigger count_bookings after insert or delete on public.pilates_bookings
  for each row execute function public.count_bookings();
