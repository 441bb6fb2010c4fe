-- Right all the same: whoever has a membership is not deleted before that is.
alter table public.memberships drop constraint memberships_user_id_fkey;
alter table public.memberships add constraint memberships_user_id_fkey
  foreign key (user_id) references public.user_profiles (user_id);
