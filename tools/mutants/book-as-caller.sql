-- id: book-as-caller
-- family: definer or invoker
-- symptom: nobody can book: "permission denied"
-- invariants: I13
-- priority: P0
alter function public.book_pilates_class(uuid, uuid) security invoker;
