-- id: other-words
-- family: control
-- why: refusals in other words that data/environments.yaml knows all the same
create or replace function studio.refuse(p_status integer, p_message text, p_hint text) returns void language plpgsql
as $$
begin
  raise exception using errcode = 'PT' || p_status, hint = p_hint, message = case p_message
    when 'not allowed' then 'Permission denied for this member'
    when 'class is full' then 'Sorry, this class is full: all places are taken'
    when 'already booked' then 'You have ALREADY BOOKED this class'
    when 'no classes left' then 'There are no classes left on your card'
    when 'booking not found' then 'Booking not found (it may have been removed)'
    when 'booking not confirmed' then 'The booking not confirmed cannot be changed'
    when 'class has started' then 'Too late: the class has started'
    when 'class not offered' then 'This class not offered today'
    when 'class not found' then 'Class not found.'
    else p_message
  end;
end
$$;
